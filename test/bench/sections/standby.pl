# Standbys that cache: what it costs the primary to tell them, and them to be told;
# and what they gain.
use strict;
use warnings;
use utf8;

use Bench;
use Time::HiRes qw(sleep time);

my $stream_rows = 100000;
my $stream_updates = 200000;
my @standbys = ([ with => 'the library' ], [ without => 'without it' ]);

# at does something with the standby of that name, as all of Bench does then.
sub at
{
	my ($name, $code) = @_;
	local $ENV{PGHOST} = "$ENV{SCRATCH}/$name";
	return $code->();
}

sub standby_control
{
	my ($name, @command) = @_;
	system('pg_ctl', '-D', "$ENV{SCRATCH}/$name/data", '-l', "$ENV{SCRATCH}/$name/log", qw(-w -s), @command) == 0
	  or die "pg_ctl @command of the server $name has failed\n";
	return;
}

# Two standbys, which have the primary's settings.
sub standby_start
{
	for my $name (map { $_->[0] } @standbys)
	{
		my $dir = "$ENV{SCRATCH}/$name";
		mkdir $dir or die "$dir: $!\n";
		system('pg_basebackup', '-D', "$dir/data", qw(-c fast -X stream --no-sync)) == 0 or die "pg_basebackup has failed\n";
		open my $conf, '>>', "$dir/data/postgresql.conf" or die "postgresql.conf: $!\n";
		print $conf map { "$_\n" } ("unix_socket_directories = '$dir'", "primary_conninfo = 'host=$ENV{PGHOST}'",
			$name eq 'with' ? 'cache.wal = on' : "shared_preload_libraries = ''");
		close $conf;
		open my $signal, '>', "$dir/data/standby.signal" or die "standby.signal: $!\n";
		close $signal;
		standby_control($name, 'start');
	}
	query(session(), 'CHECKPOINT');
	standby_await('with', "SELECT state = 'following' FROM cache_standby");
	return;
}

# standby_await waits until SQL gives true there.
sub standby_await
{
	my ($name, $sql) = @_;
	my $patience = time + 120;
	my $session = at($name, sub { session() });

	while (query($session, $sql) ne 't')
	{
		die "not on the server $name: $sql\n" if time > $patience;
		sleep 0.01;
	}
	return;
}

# What the process that replays WAL has used of a processor, in seconds
sub replay_cpu
{
	my ($name) = @_;
	my $pid = at($name, sub { query(session(), "SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'") });
	open my $file, '<', "/proc/$pid/stat" or die "/proc/$pid/stat: $!\n";
	my @fields = split ' ', scalar(<$file>) =~ s/^.*\) //r;
	return ($fields[11] + $fields[12]) / 100;
}

# news gives [records, bytes] of what has been told in WAL from here to there.
sub news
{
	my ($session, $sql) = @_;
	my @lsn;

	query($session, 'CHECKPOINT');
	sleep 2;    # for an announcement
	push @lsn, query($session, 'SELECT pg_current_wal_insert_lsn()');
	query($session, "SET synchronous_commit = on; $sql");
	push @lsn, query($session, 'SELECT pg_current_wal_insert_lsn()');
	query($session, 'RESET synchronous_commit; CHECKPOINT');
	my @told = map { /\(rec\/tot\): *\d+\/ *(\d+),/ ? $1 : () }
	  qx(pg_waldump -p $ENV{PGHOST}/data/pg_wal -r LogicalMessage -s $lsn[0] -e $lsn[1] 2>/dev/null);
	die "nothing has been told: $sql\n" if !@told;
	my $bytes = 0;
	$bytes += $_ for @told;
	return [ scalar @told, $bytes ];
}

sub section_standby
{
	my $session = session();
	query($session, qq{
		CREATE TABLE streamed (id int PRIMARY KEY, n int, pad text) WITH (fillfactor = 50);
		CREATE FUNCTION streamed_load(int) RETURNS int LANGUAGE plpgsql STABLE AS
		\$\$ BEGIN RETURN (SELECT n FROM streamed WHERE id = \$1); END \$\$;
		SELECT cache_create('streamed', 'streamed_load(int)');
		SELECT cache_watch('streamed', 'streamed', 'id');
		INSERT INTO streamed SELECT i, 0, repeat('x', 84) FROM generate_series(1, $stream_rows) i;
		VACUUM ANALYZE streamed});
	undef $session;

	my $fill = "SELECT count(cache_get('streamed', id)) FROM streamed";
	my $update = "\\set k random(1, $stream_rows)\nUPDATE streamed SET n = n + 1 WHERE id = :k";
	my $written = rounds(map {
		my $setting = $_;
		$setting => sub
		{
			restart("cache.wal=$setting");
			query(session(), "VACUUM streamed; CHECKPOINT; $fill");
			pgbench(clients => 8, seconds => 1, scripts => [$update]);
			return pgbench(clients => 8, seconds => 4, scripts => [$update])->{tps};
		}
	} qw(off on));
	my $times = versus($written->{on}, $written->{off});
	table('What telling standbys costs a writer: UPDATE of a watched row, 8 clients',
		[ 'cache.wal', 'transactions a second', 'times off', 'aim' ],
		[ 'off', spread($written->{off}), spread(versus($written->{off}, $written->{off})), '' ],
		[ 'on', spread($written->{on}), spread($times), aim($times, '>=', 0.97) ]);

	restart('cache.wal=on', 'wal_keep_size=4GB');
	$session = session();
	query($session, $fill);
	my @rows;
	for my $keys (1, 10, 100, 1000, 10000)
	{
		my ($records, $bytes) = @{ news($session, "UPDATE streamed SET n = n + 1 WHERE id <= $keys") };
		push @rows, [ number($keys), $records, number($bytes), number($bytes / $keys),
			$keys == 10000 ? aim([ $bytes / $keys ], '<=', 16) : '' ];
	}
	table('What a transaction tells in WAL', [ 'keys it changes', 'records', 'bytes', 'bytes a key', 'aim' ], @rows);

	# The same WAL is replayed by one standby after the other.
	standby_start();
	my (%cpu, %took);
	for my $round (0 .. $ENV{ROUNDS} - 1)
	{
		my @order = map { $_->[0] } $round % 2 ? @standbys : reverse @standbys;

		query($session, 'VACUUM streamed; CHECKPOINT');
		my $from = query($session, 'SELECT pg_current_wal_insert_lsn()');
		standby_await($_, "SELECT pg_last_wal_replay_lsn() >= '$from'") for @order;
		at('with', sub { query(session(), "$fill; $fill") });
		at($_, sub { query(session(), 'SELECT pg_wal_replay_pause()') }) for @order;
		standby_await($_, "SELECT pg_get_wal_replay_pause_state() = 'paused' OR pg_last_wal_replay_lsn() = pg_last_wal_receive_lsn()") for @order;
		pgbench(clients => 8, transactions => $stream_updates / 8, scripts => [$update]);
		my $to = query($session, 'SELECT txid_current(), pg_current_wal_insert_lsn()') =~ s/.*\|//r;
		standby_await($_, "SELECT pg_last_wal_receive_lsn() >= '$to'") for @order;
		for my $name (@order)
		{
			my $waiting = at($name, sub { session() });
			my $cpu = replay_cpu($name);

			query($waiting, 'SELECT 1');
			my $begun = time;
			query($waiting, 'SELECT pg_wal_replay_resume()');
			standby_await($name, "SELECT pg_last_wal_replay_lsn() >= '$to'");
			push @{ $took{$name} }, 1000 * (time - $begun);
			push @{ $cpu{$name} }, 1000 * (replay_cpu($name) - $cpu);
		}
	}
	my $told = at('with', sub { query(session(), 'SELECT keys FROM cache_standby') });
	my $replayed = versus($took{with}, $took{without});
	my $used = versus($cpu{with}, $cpu{without});
	table('Replay of ' . number($stream_updates) . ' updates of watched rows, which its cache has',
		[ 'standby', 'ms', 'times without it', 'aim', 'ms of processor', 'times without it', 'aim' ],
		[ 'without the library', spread($took{without}), '', '', spread($cpu{without}), '', '' ],
		[ 'with its cache', spread($took{with}), spread($replayed), aim($replayed, '<=', 1.05), spread($cpu{with}),
			spread($used), aim($used, '<=', 1.05) ]);
	text('The standby has been told ' . number($told) . ' keys.');

	# Reads
	my $read = at('with', sub {
			query(session(), "SELECT count(cache_get('total', customer)) FROM generate_series(1, 100) customer") for 1 .. 2;
			rounds(map {
				my $call = $_;
				$call => sub
				{
					pgbench(clients => 8, seconds => 1, scripts => [ "\\set k random(1, 100)\nSELECT $call" ])->{tps};
				}
			} ("cache_get('total', :k::int)", 'sale_total(:k)'));
		});
	my $gain = versus($read->{"cache_get('total', :k::int)"}, $read->{'sale_total(:k)'});
	table('Reads of an aggregate over 2,000 rows on a standby, 8 clients',
		[ 'read', 'a second', 'times its loader', 'aim' ],
		[ 'the loader', spread($read->{'sale_total(:k)'}), '', '' ],
		[ '**cache_get**', spread($read->{"cache_get('total', :k::int)"}), spread($gain), aim($gain, '>=', 50) ]);

	standby_control($_->[0], 'stop', '-m', 'immediate') for @standbys;
	system('rm', '-rf', map { "$ENV{SCRATCH}/$_->[0]" } @standbys);
	query($session, "SELECT cache_drop('streamed'); DROP TABLE streamed");
	undef $session;
	restart();
	return;
}

1;
