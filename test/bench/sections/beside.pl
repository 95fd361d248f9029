# Is anybody worse off who does not use a cache? The same work on four servers,
# which take turns: without the library, with it preloaded, with the extension in
# the database, and with 100 caches of other tables.
use strict;
use warnings;
use utf8;

use Bench;

my $clients = 8;
my $seconds = 3;
my $partitions = 2000;
my $caches = 100;

my @beside = (
	[ none => 'without the library' ],
	[ preloaded => 'preloaded, no extension' ],
	[ extension => 'the extension, no cache' ],
	[ caches => "$caches caches of other tables" ]);
my @beside_names = map { $_->[0] } @beside;

# What all four servers have: pgbench's tables, which it has made, and one with
# many partitions.
my $beside_tables = qq{
	CREATE ROLE other;
	CREATE TABLE event (id int, day int, n int) PARTITION BY RANGE (day);
	DO \$\$ BEGIN
		FOR i IN 1 .. $partitions LOOP
			EXECUTE format('CREATE TABLE event_%s PARTITION OF event FOR VALUES FROM (%s) TO (%s)', i, i, i + 1);
			IF i % 100 = 0 THEN COMMIT; END IF;
		END LOOP;
	END \$\$;
	INSERT INTO event SELECT i, i, 0 FROM generate_series(1, $partitions) i;
	CREATE TABLE plain (id int PRIMARY KEY, n int);
	INSERT INTO plain SELECT i, i FROM generate_series(1, 1000) i;
	VACUUM ANALYZE};

# Caches of other tables than those that are measured, one of many partitions too.
my $beside_caches = qq{
	CREATE TABLE watched_event (LIKE event) PARTITION BY RANGE (day);
	DO \$\$ BEGIN
		FOR i IN 1 .. $partitions LOOP
			EXECUTE format('CREATE TABLE watched_event_%s PARTITION OF watched_event FOR VALUES FROM (%s) TO (%s)', i, i, i + 1);
			IF i % 100 = 0 THEN COMMIT; END IF;
		END LOOP;
	END \$\$;
	INSERT INTO watched_event SELECT i, i, 0 FROM generate_series(1, $partitions) i;
	CREATE FUNCTION watched_event_load(int) RETURNS bigint LANGUAGE sql STABLE
	AS 'SELECT sum(n) FROM watched_event WHERE day = 7 AND id = \$1';
	SELECT cache_create('event', 'watched_event_load(int)'), cache_watch('event', 'watched_event', 'id');
	DO \$\$ BEGIN
		FOR i IN 2 .. $caches LOOP
			EXECUTE format('CREATE TABLE kept_%s (id int PRIMARY KEY, n int)', i);
			EXECUTE format('INSERT INTO kept_%s SELECT k, k FROM generate_series(1, 1000) k', i);
			EXECUTE format('CREATE FUNCTION kept_load_%s(int) RETURNS int LANGUAGE sql STABLE AS ''SELECT n FROM kept_%s WHERE id = \$1''', i, i);
			PERFORM cache_create('kept_' || i, format('kept_load_%s(int)', i)::regprocedure);
			PERFORM cache_watch('kept_' || i, format('kept_%s', i)::regclass, 'id');
		END LOOP;
	END \$\$;
	SELECT count(cache_get('kept_' || c, k)) FROM generate_series(2, $caches) c, generate_series(1, 100) k;
	VACUUM ANALYZE};

# on does something with the server of that name, as all of Bench does then.
sub on
{
	my ($name, $code) = @_;
	local $ENV{PGHOST} = "$ENV{SCRATCH}/$name";
	return $code->();
}

sub beside_control
{
	my ($name, @command) = @_;
	system('pg_ctl', '-D', "$ENV{SCRATCH}/$name/data", '-l', "$ENV{SCRATCH}/$name/log", qw(-w -s), @command) == 0
	  or die "pg_ctl @command of the server $name has failed\n";
	return;
}

# Copies of one server.
sub beside_start
{
	for my $name (@beside_names)
	{
		my $dir = "$ENV{SCRATCH}/$name";
		mkdir $dir or die "$dir: $!\n";
		if ($name ne 'none')
		{
			system('cp', '-R', "$ENV{SCRATCH}/copied/data", $dir) == 0 or die "cp has failed\n";
		}
		else
		{
			system("initdb -D $dir/data -U postgres -A trust --no-sync --encoding=UTF8 --locale=C.UTF-8 >$dir/initdb.log 2>&1") == 0
			  or die "initdb has failed\n";
		}
		open my $conf, '>>', "$dir/data/postgresql.conf" or die "postgresql.conf: $!\n";
		print $conf map { "$_\n" } (
			"listen_addresses = ''", "unix_socket_directories = '$dir'", 'shared_buffers = 128MB',
			'max_wal_size = 4GB', 'checkpoint_timeout = 1h', 'autovacuum = off', 'fsync = off', 'jit = off',
			'max_locks_per_transaction = 256',
			$name eq 'none' ? () : "shared_preload_libraries = 'cache'");
		close $conf;
		beside_control($name, 'start');
		on($name, sub
		{
			if ($name eq 'none')
			{
				system('createdb bench && pgbench -i -q -s 5 >/dev/null 2>&1') == 0 or die "pgbench -i has failed\n";
				query(session(), $beside_tables);
				beside_control($name, 'stop');
				system('cp', '-R', $dir, "$ENV{SCRATCH}/copied") == 0 or die "cp has failed\n";
				beside_control($name, 'start');
			}
			query(session(), 'CREATE EXTENSION cache') if $name eq 'extension' || $name eq 'caches';
			query(session(), $beside_caches) if $name eq 'caches';
			query(session(), 'CHECKPOINT');
		});
	}
	return;
}

# compared runs the same code on all four servers in turns.
sub compared
{
	my ($code) = @_;
	return rounds(map {
		my $name = $_;
		$name => sub { on($name, $code) }
	} @beside_names);
}

# A ratio that is where it should be in some rounds is noise.
sub least
{
	my ($ratios) = @_;
	my ($most) = sort { $b <=> $a } @$ratios;
	return 'at least 0.99: met' if median(@$ratios) >= 0.99;
	return $most >= 0.99 ? 'at least 0.99: within its spread' : 'at least 0.99: missed';
}

# beside_row shows speeds: what is measured, in which unit, and the ratios to the first.
sub beside_row
{
	my ($title, $unit, $took, $is_rate) = @_;
	my @ratios = map {
		$is_rate ? versus($took->{$_}, $took->{none}) : versus($took->{none}, $took->{$_})
	} @beside_names[ 1 .. $#beside_names ];
	my ($worst) = sort { median(@$a) <=> median(@$b) } @ratios;
	return [ $title, $unit, spread($took->{none}), (map { spread($_) } @ratios), least($worst) ];
}

# A thousand commands: a hundred times ten.
my $beside_ddl = join "\n", map {
	my $i = $_;
	join ";\n", "CREATE TABLE made_$i (id int PRIMARY KEY, n text)", "COMMENT ON TABLE made_$i IS 'made'",
	  "CREATE INDEX ON made_$i (n)", "GRANT SELECT ON made_$i TO other", "ALTER TABLE made_$i ADD COLUMN more int",
	  "CREATE TEMP TABLE temporary_$i (id int)", "DROP TABLE temporary_$i",
	  "CREATE TABLE event_new PARTITION OF event FOR VALUES FROM (-1) TO (0)", 'DROP TABLE event_new', "DROP TABLE made_$i;"
} 1 .. 100;

sub beside_locks
{
	my ($sql) = @_;
	my $session = session();
	query($session, "BEGIN; $sql");
	my $locks = query($session, "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation <> 'pg_locks'::regclass");
	query($session, 'ROLLBACK');
	return $locks;
}

sub section_beside
{
	beside_start();
	my @rows;

	my $builtin = sub { pgbench(clients => $clients, seconds => $seconds, scripts => [], options => \@_)->{tps} };
	for ([ 'pgbench -S', '-b', 'select-only' ], [ 'pgbench, TPC-B', '-b', 'tpcb-like' ],
		[ 'pgbench -S -C', '-b', 'select-only', '-C' ])
	{
		my ($title, @options) = @$_;
		push @rows, beside_row($title, 'transactions a second', compared(sub { $builtin->(@options) }), 1);
	}
	push @rows, beside_row('1,000 commands of DDL', 'ms', compared(sub
	{
		my $session = session();
		query($session, "SELECT 1");
		my $took = 0;
		my @lines = query($session, "\\timing on\n$beside_ddl\n\\timing off\n");
		$took += $_ for map { /^Time: ([\d.]+) ms/ } @lines;
		return $took;
	}));
	my @statements = (
		[ INSERT => 'INSERT INTO %s VALUES (1, 7, 1)' ],
		[ UPDATE => 'UPDATE %s SET n = n + 1 WHERE day = 8 AND id = 8' ],
		[ SELECT => 'SELECT sum(n) FROM %s WHERE day = 9' ]);
	for (@statements)
	{
		my ($title, $sql) = ($_->[0], sprintf $_->[1], 'event');
		push @rows, beside_row("$title, through the parent of 2,000 partitions", 'transactions a second', compared(sub
		{
			query(session(), 'VACUUM event_7, event_8, event_9');
			pgbench(clients => 1, seconds => 1, scripts => [$sql])->{tps}
		}), 1);
	}
	push @rows, beside_row('the same INSERT as a session\'s first', 'transactions a second', compared(sub
	{
		pgbench(clients => 1, seconds => 1, scripts => [ sprintf $statements[0][1], 'event' ], options => ['-C'])->{tps}
	}), 1);
	table('Beside it: tables that no cache reads, times a server without the library',
		[ 'work', 'in', $beside[0][1], (map { $_->[1] } @beside[ 1 .. $#beside ]), 'aim' ], @rows);

	@rows = ();
	for (@statements)
	{
		my ($title, $sql) = @$_;
		push @rows, [ $title, (map { my $name = $_; on($name, sub { beside_locks(sprintf $sql, 'event') }) } @beside_names),
			on('caches', sub { beside_locks(sprintf $sql, 'watched_event') }) ];
	}
	table('Relations that a statement locks, through the parent of 2,000 partitions',
		[ 'statement', (map { $_->[1] } @beside), 'the same of a watched table' ], @rows);

	my $used = sub
	{
		my $session = session();
		my ($pid) = query($session, 'SELECT pg_backend_pid()');
		query($session, 'SELECT n FROM plain WHERE id = 1; UPDATE plain SET n = n WHERE id = 1; CREATE TEMP TABLE scratch (id int); DROP TABLE scratch');
		my $contexts = query($session, 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts');
		open my $file, '<', "/proc/$pid/smaps_rollup" or return [ 0, $contexts / 1024 ];
		my $private = 0;
		while (<$file>) { $private += $1 if /^Private_\w+:\s+(\d+) kB/ }
		return [ $private, $contexts / 1024 ];
	};
	my $memory = compared($used);
	@rows = ();
	for my $which ([ 'private memory of the process', 0 ], [ 'memory contexts', 1 ])
	{
		my ($title, $i) = @$which;
		push @rows, [ $title, map { my $name = $_; spread([ map { $_->[$i] } @{ $memory->{$name} } ]) } @beside_names ];
	}
	table('Memory of a session that never uses a cache, in kB', [ 'of', map { $_->[1] } @beside ], @rows);

	my $ratio = rounds('hits', sub { on('caches', sub
	{
		my $file = "$ENV{SCRATCH}/tmp/ddl";
		open my $script, '>', $file or die "$file: $!\n";
		print $script "CREATE TABLE other_made (id int);\nDROP TABLE other_made;\n";
		close $script;
		query(session(), "SELECT count(cache_get('kept_2', k)) FROM generate_series(1, 1000) k; SELECT cache_stats_reset('kept_2')");
		my $pid = open my $ddl, '-|', "exec pgbench -n -c 1 -R 10 -T $seconds -f $file 2>&1" or die "pgbench: $!\n";
		pgbench(clients => 2, seconds => $seconds - 1, scripts => [ "\\set k random(1, 1000)\nSELECT cache_get('kept_2', :k)" ]);
		my @output = <$ddl>;
		close $ddl or die "pgbench has failed: @output\n";
		return 100 * query(session(), "SELECT hit_ratio FROM cache_stats WHERE name = 'kept_2'");
	}) });
	table('Hit ratio while others run 20 commands of DDL a second', [ 'hits, %', 'aim' ],
		[ spread($ratio->{hits}), aim($ratio->{hits}, '>=', 99) ]);

	beside_control($_, 'stop') for @beside_names;
	system('rm', '-rf', map { "$ENV{SCRATCH}/$_" } (@beside_names, 'copied'));
	return;
}

1;
