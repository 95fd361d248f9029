# Commands of DDL, all of them: ddl/commands.list says for each which caches it may
# empty. Whatever it does, what a cache says is what its loader says, in a session
# that has used it before and in a new one, and in the transaction itself; caches that
# do not depend on it stay hot; and one that is rolled back empties none.
#
#   DDL_ROWS=regex  only commands that match
#   DDL_FULL=1      all are committed and prepared, and all loaders asked; else every
#                   other one is prepared, and loaders that a command should not
#                   concern take turns
use strict;
use warnings;
use CacheTest;
use Test::More;
use Time::HiRes qw(time);

my $only = $ENV{DDL_ROWS} // '';
my ($directory) = __FILE__ =~ /^(.*)\/[^\/]*$/;
my $begun = time;

# slurp_lines reads a file without its comments.
sub slurp_lines
{
	my ($name) = @_;

	return grep { /\S/ && !/^\s*#/ } split /\n/, PostgreSQL::Test::Utils::slurp_file("$directory/ddl/$name");
}

# Commands: a list of {tag, loads, setup, command, cleanup, and flags}.
sub read_commands
{
	my ($tag, @commands);

	foreach my $line (slurp_lines('commands.list'))
	{
		if ($line =~ /^([A-Z][A-Z ]*?)\s*$/)
		{
			$tag = $1;
			next;
		}
		my ($loads, $setup, $command, $cleanup, @more) = map { s/^\s+|\s+$//gr } split /\s\|(?=\s|$)/, "$line ";
		die "commands.list: $line" if !defined $tag || @more || !defined $command;
		my ($loads_only, %flags) = ('');
		foreach my $word (split ' ', $loads)
		{
			if ($word =~ /^\[(\w+)(?:=(\w+))?\]$/) { $flags{$1} = $2 // 1; }
			else { $loads_only .= " $word"; }
		}
		push @commands, { tag => $tag, loads => [ split ' ', $loads_only ], setup => $setup, command => $command,
			cleanup => $cleanup // '', %flags };
	}
	return @commands;
}

# A tag of the server, or of the list, that the other does not know of
sub check_tags
{
	my ($node, @commands) = @_;
	my $file = $node->config_data('--includedir-server') . '/tcop/cmdtaglist.h';
	my %server = map { $_ => 1 } PostgreSQL::Test::Utils::slurp_file($file) =~ /^PG_CMDTAG\(\w+, "([^"]+)"/mg;
	my %listed = map { $_->{tag} => 1 } @commands;
	my %others = map { /^(.*?)\s+\#/ ? ($1 => 1) : die "others.list: $_" } slurp_lines('others.list');

	is(join(', ', sort grep { !$listed{$_} && !$others{$_} } keys %server),
		'', 'each command tag of the server is in a list');
	is(join(', ', sort grep { $listed{$_} } keys %others), '', 'and not in both');
	return;
}

# The tags by which the server reports the end of these
my %reported = (
	'CREATE TABLE AS' => 'SELECT',
	'SELECT INTO' => 'SELECT',
	'CREATE MATERIALIZED VIEW' => 'SELECT',
	'ALTER CONSTRAINT' => 'ALTER TABLE');

my @commands = read_commands();
my $node = new_node('ddl', conf => "cache.memory = 64MB\nlock_timeout = 0\nautovacuum = off\nwal_level = logical\nmax_locks_per_transaction = 256");
check_tags($node, @commands);

$node->safe_psql('postgres', 'CREATE DATABASE far');
$node->safe_psql('far', 'CREATE EXTENSION cache');
foreach my $part ([ 'postgres', 'base.sql' ], [ 'far', 'far.sql' ], [ 'postgres', 'oracle.sql' ], [ 'far', 'oracle.sql' ])
{
	$node->safe_psql($part->[0], PostgreSQL::Test::Utils::slurp_file("$directory/ddl/$part->[1]"));
}
$node->safe_psql('postgres', 'ALTER DATABASE postgres SET search_path = ahead, app, public, pg_temp');

my $quiet = "SET client_min_messages = error;\n";
my %session = map { $_ => session($node, $_, $quiet) } qw(runner old new far);
$session{runner}->run('\c postgres' . "\n" . $quiet);
$session{old}->run($quiet);
$session{far}->run("\\c far\n$quiet");
my $far_runner = session($node, 'far_runner', $quiet);
$far_runner->run("\\c far\n$quiet");

my $version = $node->safe_psql('postgres', 'SHOW server_version_num') / 10000;
my %has = (
	icu => $node->safe_psql('postgres', q{SELECT count(*) > 0 FROM pg_collation WHERE collprovider = 'i'}),
	file_fdw => $node->safe_psql('postgres', q{SELECT count(*) > 0 FROM pg_extension WHERE extname = 'file_fdw'}),
	map { $_ => $node->safe_psql('postgres', "SELECT count(*) > 0 FROM pg_available_extensions WHERE name = '$_'") }
	  qw(postgres_fdw citext));
my $host = $node->host;
my $port = $node->port;
my $place = PostgreSQL::Test::Utils::tempdir();

my (%base, %changed, @hotter, %skipped, @problems, $doing_now);
my $tried = 0;
my @unstored;

# wanted_here is whether a command is to be run, and can be here.
sub wanted_here
{
	my ($c) = @_;

	return 0 if $only ne '' && "$c->{tag}: $c->{command}" !~ /$only/;
	return 1 if ($c->{since} // 0) <= $version && ($c->{until} // 99) >= int $version
	  && (!$c->{needs} || ($has{ $c->{needs} } // '') eq 't');
	$skipped{ $c->{needs} // 'version' }++;
	return 0;
}

# do_sql runs statements, and complains of errors.
sub do_sql
{
	my ($session, $what, $sql) = @_;

	return '' if $sql eq '';
	my $output = $session->run($sql);
	my $errors = $session->errors;
	push @problems, "$what: " . (split /\n/, $errors)[0] if defined $errors && $errors =~ /(ERROR|FATAL|invalid command)/;
	return $output;
}

# look asks all caches in a session, and the loaders of some (names): what is wrong,
# which were not hot, and a digest of what each has said.
sub look
{
	my ($session, @names) = @_;
	my $output = $session->run("SELECT lab.look('{" . join(',', @names) . "}')");
	my $errors = $session->errors;
	my %seen = (cold => [], said => {});

	push @problems, 'oracle: ' . (split /\n/, $errors)[0] if defined $errors && $errors =~ /ERROR|FATAL/;
	foreach my $line (split /\n/, $output)
	{
		push @problems, "$doing_now: $1" if $line =~ /^(wrong .*)/;
		push @{ $seen{cold} }, $1 if $line =~ /^cold (.*)/;
		$seen{said}{$1} = $2 if $line =~ /^said (\S+) (\S+)/;
	}
	return \%seen;
}

# hot complains of caches that had to load, but for those that may.
sub hot
{
	my ($seen, @may) = @_;
	my %may = map { $_ => 1 } @may, @unstored;
	my @cold = grep { !$may{$_} } @{ $seen->{cold} };

	push @problems, "$doing_now: cold: @cold" if @cold;
	return;
}

# warm makes all caches that sessions see hot, and gives what they say.
sub warm
{
	my %said;

	foreach my $who (@_)
	{
		$doing_now = "before, $who";
		my $seen = look($session{$who});
		for (my $i = 0; $i < 2 && @{ $seen->{cold} }; $i++) { $seen = look($session{$who}); }
		hot($seen);
		%said = (%said, %{ $seen->{said} });
	}
	return \%said;
}

my @catalog = qw(catalog lookup absent reg reg_text literal right member viewdef comment type_name schemas visible xml);
my @local = grep { $_ ne '' } split /\n/, $node->safe_psql('postgres', 'SELECT cache FROM lab.checks');
my @far = qw(far far_invoker far_shared);

# may_load is what a command's list allows to be loaded.
sub may_load
{
	my ($c) = @_;
	my %may;

	foreach my $word (@{ $c->{loads} })
	{
		if ($word eq 'nothing') { return (); }
		elsif ($word eq 'all') { $may{$_} = 1 for @local; }
		elsif ($word eq 'everywhere') { $may{$_} = 1 for @local, @far; }
		elsif ($word eq 'shared') { $may{far_shared} = 1; }
		elsif ($word ne '-')
		{
			die "commands.list: no cache $word" if !grep { $_ eq $word } @local, @far;
			$may{$word} = 1;
		}
	}
	$may{$_} = 1 for @catalog, $c->{far} ? 'far_shared' : ();
	return keys %may;
}

# inside gives the caches to ask about a command while it is not over.
sub inside
{
	my ($c) = @_;
	my @names = grep { /^[a-z_]+$/ && !/^(nothing|shared|all|everywhere|far.*)$/ } @{ $c->{loads} };

	push @names, qw(named routine operator) if grep { $_ eq 'all' } @{ $c->{loads} };
	push @names, qw(invoker definer) if grep { $_ eq 'everywhere' } @{ $c->{loads} };
	return $c->{far} ? "'{far, far_invoker}'" : "'{" . join(',', 'beside', @names) . "}'";
}

# sql gives a part of a command, to run.
sub sql
{
	my ($c, $part) = @_;
	my $sql = $c->{$part} =~ s/\@HOST\@/$host/gr =~ s/\@PORT\@/$port/gr =~ s/\@PLACE\@/$place/gr;

	return $sql eq '' || $sql =~ /;$/ ? $sql : "$sql;";
}

sub runner
{
	my ($c) = @_;

	return $c->{far} ? $far_runner : $session{runner};
}

# roll_back runs a command twice in vain: within a savepoint and in a transaction.
sub roll_back
{
	my ($c) = @_;
	my ($command, $names) = (sql($c, 'command'), inside($c));

	# A loader in SQL that is called without the cache may keep an older plan since 18.
	my $discard = $version >= 18 ? 'DISCARD PLANS;' : '';
	my $output = do_sql(runner($c), 'rolled back', <<"END");
BEGIN;
SAVEPOINT s;
$command
$discard
SELECT 'in the transaction: ' || lab.wrong($names);
ROLLBACK TO s;
$discard
SELECT 'after ROLLBACK TO: ' || lab.wrong($names);
COMMIT;
BEGIN;
$command
ROLLBACK;
END
	push @problems, grep { /: wrong/ } split /\n/, $output;
	return;
}

# rolled_back looks whether commands that were rolled back have left all as it was.
sub rolled_back
{
	my ($watching, @names) = @_;

	foreach my $who (@$watching)
	{
		$doing_now = "rolled back, $who";
		hot(look($session{$who}, $who eq 'old' ? @names : @far));
	}
	return;
}

# commit runs a command, or prepares it and lets old look before it is committed.
sub commit
{
	my ($c, $prepare) = @_;
	my ($command, $names, $r) = (sql($c, 'command'), inside($c), runner($c));
	my $output = do_sql($r, 'run', "\\set QUIET off\n" . ($prepare ? "BEGIN;\n$command\nPREPARE TRANSACTION 'p';" : $command) . "\n\\set QUIET on");
	my $tag = $reported{ $c->{tag} } // $c->{tag};

	push @problems, "it is no $c->{tag}, but " . join(', ', split /\n/, $output)
	  if !$c->{inside} && $output !~ /^\Q$tag\E( \d+)?$/m && $tag ne 'SELECT' && $tag ne 'EXPLAIN';
	return if !$prepare;
	$output = do_sql($session{old}, 'prepared', "SET lock_timeout = 1;\nSELECT lab.wrong($names);\nRESET lock_timeout;") if !$c->{far};
	push @problems, map { "prepared: $_" } grep { /wrong/ } split /\n/, $output;
	do_sql($r, 'prepared', "COMMIT PREPARED 'p';");
	return;
}

# oracles gives the caches whose loaders are asked about a command: all, unless it is
# said that nothing depends on it. Then a few take turns.
sub oracles
{
	my ($c) = @_;
	my $n = 0;

	return @local if $ENV{DDL_FULL} || grep { /^(all|everywhere)$/ } @{ $c->{loads} };
	my %always = map { $_ => 1 } @catalog, @{ $c->{loads} };
	return grep { $always{$_} || ++$n % 4 == $tried % 4 } @local;
}

# try_command runs a command on warm caches, and looks what they say afterwards.
sub try_command
{
	my ($c, $prepare) = @_;
	my @may = may_load($c);
	my @watching = $c->{far} || grep({ /^(shared|everywhere)$/ } @{ $c->{loads} }) || ++$tried % 8 == 0 ? qw(old far) : qw(old);

	do_sql(runner($c), 'setup', sql($c, 'setup'));
	@unstored = $c->{unstored} ? qw(dynamic named named_plpgsql own_path absent) : ();
	my $before = warm(@watching);
	if ($c->{setup} eq '')
	{
		# What the command before has left
		my @left = grep { !/^(catalog|lookup|reg|reg_text|far_shared)$/ && $base{$_} ne $before->{$_} } sort keys %$before;
		push @problems, map { "$_ is not as it was" } @left;
		$base{$_} = $before->{$_} for @left;
	}
	elsif (!$c->{alone})
	{
		roll_back($c);
		rolled_back(\@watching, oracles($c));
	}

	commit($c, $prepare);
	my %now;
	foreach my $who (@watching)
	{
		$doing_now = "committed, $who";
		my $seen = look($session{$who}, $who eq 'old' ? oracles($c) : @far);
		hot($seen, @may);
		%now = (%now, %{ $seen->{said} });
		push @hotter, "$c->{tag}: $c->{command}"
		  if $who eq 'old' && grep({ $_ eq 'all' || $_ eq 'everywhere' } @{ $c->{loads} }) && !grep { /^beside/ } @{ $seen->{cold} };
	}
	$changed{$_}++ for grep { ($now{$_} // '') ne ($before->{$_} // '') } keys %$before;

	$session{new}->run("\\c postgres\n$quiet");
	$doing_now = 'committed, new';
	my $new = look($session{new});
	push @problems, map { "a new session says something else of $_" } grep { $now{$_} ne ($new->{said}{$_} // '') } sort keys %{ $new->{said} };
	do_sql(runner($c), 'cleanup', sql($c, 'cleanup'));
	return;
}

# The values at the beginning
%base = %{ warm(qw(old far)) };
look($session{old}, @local);
look($session{far}, @far);
is(join("\n", @problems), '', 'all caches are hot and exact');

@commands = grep { wanted_here($_) } @commands;

# Commands that need nothing before are rolled back together, and one by one if
# that has gone wrong.
@problems = ();
my @vain = grep { $_->{setup} eq '' && !$_->{alone} } @commands;
roll_back($_) for @vain;
rolled_back([qw(old far)], @local);
if (@problems)
{
	foreach my $c (@vain)
	{
		@problems = ();
		warm(qw(old far));
		roll_back($c);
		rolled_back([qw(old far)], @local);
		is(join("\n", @problems), '', "rolled back: $c->{tag}: $c->{command}") if @problems;
	}
}
else
{
	pass(scalar(@vain) . ' commands are rolled back');
}

my $count = 0;
foreach my $c (@commands)
{
	my @ways = $c->{alone} || $c->{unprepared} ? (0) : $ENV{DDL_FULL} ? (0, 1) : ($count++ % 2);

	@problems = ();
	try_command($c, $_) for @ways;
	is(join("\n", @problems), '', "$c->{tag}: $c->{command}");
	$_->run('ROLLBACK') for @problems ? (values %session, $far_runner) : ();
}

# Each cache has been seen to change, so that it would be seen to be outdated; but for
# beside, and the conversions, which those of pg_catalog are in front of.
is(join(' ', grep { !$changed{$_} } grep { !/^(beside|conversion)/ } @local, @far[1, 2]), '', 'commands have changed what each cache says') if $only eq '';

# And without what the server does about DDL the oracle finds it so.
foreach my $blind (
	[ 'ddl', 'named', 'CREATE TABLE ahead.t_named (k int, v int)', 'DROP TABLE ahead.t_named' ],
	[ 'ddl', 'table', 'ALTER TABLE app.goods ADD COLUMN x int', 'ALTER TABLE app.goods DROP COLUMN x' ],
	[ 'ddl', 'routine', q{CREATE OR REPLACE FUNCTION app.f_sql(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 0'}, q{SELECT lab.make('f')} ],
	[ 'ddl', 'invoker', 'REVOKE regress_group FROM regress_caller', 'GRANT regress_group TO regress_caller' ],
	[ 'ddl', 'catalog', 'COMMENT ON TABLE other.o IS $$unheard of$$', 'COMMENT ON TABLE other.o IS NULL' ])
{
	my ($guard, $cache, $command, $cleanup) = @$blind;

	@problems = @unstored = ();
	warm('old');
	do_sql($session{runner}, 'run', "SET cache.removed_guard = '$guard';\n$command;\nRESET cache.removed_guard;");
	$doing_now = 'blind';
	look($session{old}, $cache);
	ok(scalar(grep { /^blind: wrong \Q$cache\E\(/ } @problems), "without the guard $guard the oracle finds $cache outdated: $command");
	do_sql($session{runner}, 'cleanup', "$cleanup;");
	$session{runner}->run("SELECT cache_invalidate('$cache')");
}

diag("caches whose answers commands have changed: " . join ', ', map { "$_ $changed{$_}" } sort keys %changed);
diag(scalar(@hotter) . " commands have emptied less than they may:\n" . join "\n", @hotter);
diag(sprintf '%d commands, %.1f s; skipped: %s', scalar(@commands), time - $begun, join ', ', map { "$_ $skipped{$_}" } sort keys %skipped);

$_->quit for values %session, $far_runner;
$node->stop;
done_testing();
