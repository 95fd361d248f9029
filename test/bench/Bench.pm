# What all sections of the benchmark need: a psql session that tells the time,
# pgbench, rounds, and tables.
package Bench;
use strict;
use warnings;
use utf8;
use Exporter 'import';
use IO::Handle;
use IPC::Open2;
use List::Util qw(max min);

our @EXPORT = qw(session query milliseconds per_row pgbench restart warm rounds
  median number spread versus aim table text machine load);

binmode STDOUT, ':utf8';
STDOUT->autoflush;

# ---------------------------------------------------------------------------
# The server.

# session starts a psql, which ends with the last reference to it.
sub session
{
	my $self = bless {};
	$self->{pid} = open2($self->{from}, $self->{to}, qw(psql -XAtq -v ON_ERROR_STOP=1));
	return $self;
}

sub DESTROY
{
	my ($self) = @_;
	local $?;
	close $self->{to};
	waitpid $self->{pid}, 0;
	return;
}

# query runs statements in a session and returns the lines that they print, or
# the last one.
sub query
{
	my ($session, $sql) = @_;
	my @lines;
	print { $session->{to} } "$sql;\n\\echo done\n";
	$session->{to}->flush;
	while (defined(my $line = readline $session->{from}))
	{
		chomp $line;
		return wantarray ? @lines : $lines[-1] if $line eq 'done';
		push @lines, $line;
	}
	die "psql has ended after: $sql\n";
}

# milliseconds runs one statement and returns how long psql waited for it.
sub milliseconds
{
	my ($session, $sql) = @_;
	my @lines = query($session, "\\timing on\n$sql;\n\\timing off\n");
	my ($time) = map { /^Time: ([\d.]+) ms/ } @lines;
	return $time // die "no time in: @lines\n";
}

# per_row returns what an expression takes for a row of a table of a hundred
# thousand, in nanoseconds and with the scan: the least of several times.
sub per_row
{
	my ($session, $expression, $table, $times) = @_;
	my $sql = "SELECT count($expression) FROM $table";
	return 10 * min(map { milliseconds($session, $sql) } 1 .. $times);
}

# pgbench runs scripts, each a text or [text, weight], for so many seconds, or
# transactions of each client, and returns {tps, latency,
# scripts => [{tps, latency}, ...]}, latencies in milliseconds.
sub pgbench
{
	my (%arg) = @_;
	my (@files, %result);
	for my $script (@{ $arg{scripts} })
	{
		my ($body, $weight) = ref $script ? @$script : ($script, 1);
		my $name = "$ENV{SCRATCH}/tmp/script" . @files;
		open my $file, '>', $name or die "$name: $!\n";
		print $file "$body\n";
		close $file;
		push @files, '-f', "$name\@$weight";
	}
	my @command = (
		qw(pgbench -n -M prepared), '-c', $arg{clients}, '-j', $arg{clients} > 1 ? 2 : 1,
		($arg{transactions} ? ('-t', $arg{transactions}) : ('-T', $arg{seconds})), @{ $arg{options} // [] }, @files);
	my $output = qx(@command 2>&1);
	die "@command\n$output" if $? != 0;

	my $part = \%result;
	for (split /\n/, $output)
	{
		$part = $result{scripts}[ $1 - 1 ] = {} if /^SQL script (\d+)/;
		$part->{tps} = $1 if /^tps = ([\d.]+)/ || /tps = ([\d.]+)\)/;
		$part->{latency} = $1 if /latency average = ([\d.]+) ms/;
	}
	return \%result;
}

# restart restarts the server with these settings on top of its own, and with nothing
# in memory unless they say otherwise. No session may be open.
sub restart
{
	my (@settings) = @_;
	system('pg_ctl', '-D', "$ENV{PGHOST}/data", '-l', "$ENV{PGHOST}/log", qw(-w -s -m fast),
		'-o', join(' ', map { "-c $_" } 'cache.warm_restart=0', @settings), 'restart') == 0
	  or die "the server does not start again\n";
	return;
}

# warm fills the cache of items and the naive table.
sub warm
{
	my ($session) = @_;
	query($session, "SELECT count(cache_get('item', id)) FROM item") for 1 .. 2;
	query($session, 'SELECT count(naive_put(id, value)) FROM item');
	return;
}

# ---------------------------------------------------------------------------
# Figures.

# rounds calls each of the named functions once a round, each round beginning
# with another, and returns {name => [result of each round]}.
sub rounds
{
	my (@named) = @_;
	my (@names, %code, %values);
	while (my ($name, $code) = splice @named, 0, 2)
	{
		push @names, $name;
		$code{$name} = $code;
	}
	for my $round (0 .. $ENV{ROUNDS} - 1)
	{
		for my $name (@names[ map { ($_ + $round) % @names } 0 .. $#names ])
		{
			$values{$name}[$round] = $code{$name}->();
		}
	}
	return \%values;
}

sub median
{
	my @sorted = sort { $a <=> $b } @_;
	return ($sorted[ $#sorted / 2 ] + $sorted[ @sorted / 2 ]) / 2;
}

# number prints a number with about three digits, thousands set apart.
sub number
{
	my ($value) = @_;
	my $size = abs $value;
	my $string = sprintf $size < 10 ? '%.2f' : $size < 100 ? '%.1f' : '%.0f', $value;
	1 while $string =~ s/^(-?\d+)(\d{3})/$1,$2/;
	return $string;
}

# spread prints values as "median (least to greatest)".
sub spread
{
	my ($values) = @_;
	my @sorted = sort { $a <=> $b } @$values;
	return sprintf '%s (%s to %s)', map { number($_) } median(@sorted), @sorted[ 0, -1 ];
}

# versus divides round by round.
sub versus
{
	my ($values, $base) = @_;
	return [ map { $values->[$_] / $base->[$_] } 0 .. $#$values ];
}

# aim says whether the median is where it should be: aim($values, '<=', 1.25).
sub aim
{
	my ($values, $sign, $limit) = @_;
	my $value = median(@$values);
	my $met = $sign eq '<=' ? $value <= $limit : $value >= $limit;
	return sprintf '%s %s: %s', $sign eq '<=' ? 'at most' : 'at least', $limit,
	  $met ? 'met' : 'missed';
}

# ---------------------------------------------------------------------------
# Output: on stdout, and in results.md.

open my $results, '>:utf8', "$ENV{OUT}/results.md" or die "results.md: $!\n";
$results->autoflush;

sub text
{
	my ($text) = @_;
	print "$text\n";
	print $results "$text\n";
	return;
}

# table prints a heading and rows, the first being the header.
sub table
{
	my ($title, @rows) = @_;
	my @width;
	for my $row (@rows)
	{
		$width[$_] = max(3, $width[$_] // 0, length($row->[$_] // '')) for 0 .. $#$row;
	}
	splice @rows, 1, 0, [ map { '-' x $_ } @width ];
	text("\n## $title\n");
	for my $row (@rows)
	{
		text('| ' . join(' | ', map { sprintf '%-*s', $width[$_], $row->[$_] // '' } 0 .. $#width)
			  . ' |');
	}
	return;
}

sub load
{
	return (split ' ', qx(cat /proc/loadavg))[0];
}

# machine says in a line where this runs.
sub machine
{
	my $lscpu = qx(LC_ALL=C lscpu);
	my $meminfo = qx(cat /proc/meminfo);
	my ($cpu) = $lscpu =~ /^Model name:\s*(.*)/m;
	my ($l3) = $lscpu =~ /^L3 cache:\s*(\S+ \S+)/m;
	my ($memory) = $meminfo =~ /^MemTotal:\s*(\d+)/m;
	my ($huge) = $meminfo =~ /^HugePages_Total:\s*(\d+)/m;
	chomp(my ($cpus, $kernel) = qx(nproc; uname -r));
	($kernel) = $kernel =~ /^([\d.]+)/;
	chomp(my $system = qx(. /etc/os-release; echo "\$PRETTY_NAME"));
	return sprintf '%s, %d CPUs, %s of L3 cache, %.0f GB of memory, %s huge pages; %s, Linux %s, PostgreSQL %s;'
	  . ' load average %s at the start.',
	  $cpu // 'unknown CPU', $cpus, $l3 // 'unknown', $memory / 1024 / 1024, $huge || 'no',
	  $system, $kernel, scalar query(session(), 'SHOW server_version'), load();
}

1;
