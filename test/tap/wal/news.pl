# Each kind of write on the primary, and what a standby and one that follows it say
# before, meanwhile and afterwards, in a snapshot that is there already as in new ones;
# in a database where the primary itself uses no cache, so that it knows of nothing
# that loads have read, and in one where it does, but has read less. What a write does
# not concern is answered from the standbys' caches.
use strict;
use warnings;
use CacheTest;
use StandbyTest;
use Test::More;

my $place = PostgreSQL::Test::Utils::tempdir();
my $caches = 70;
my @asked = (1, 2, 64, 65, 70);
my $setup = <<"END";
CREATE SCHEMA lab;
CREATE TABLE lab.checks (n serial, cache text PRIMARY KEY, role text, keys int[]);
CREATE FUNCTION lab.add(cache text, loader text, keys int[] DEFAULT '{1,2,3}') RETURNS void LANGUAGE plpgsql AS
  \$\$BEGIN
    PERFORM cache_create(cache, loader::regprocedure, ttl => CASE WHEN cache = 'manual' THEN interval '1 day' END);
    INSERT INTO lab.checks (cache, keys) VALUES (add.cache, add.keys);
  END\$\$;

-- By key, as a whole; one that reads the note where there is no price, by key and as a whole
CREATE TABLE item (id int PRIMARY KEY, price int, note int DEFAULT 1, remark int DEFAULT 1);
INSERT INTO item SELECT i, nullif(10 * i, 10), i FROM generate_series(1, 9) i;
CREATE FUNCTION by_key(i int) RETURNS int LANGUAGE sql STABLE AS 'SELECT price FROM item WHERE id = i';
CREATE FUNCTION whole(i int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(price) + i FROM item';
CREATE FUNCTION either(i int) RETURNS int LANGUAGE plpgsql STABLE AS \$\$
DECLARE p int;
BEGIN
  SELECT price INTO p FROM item WHERE id = i;
  RETURN coalesce(p, (SELECT note FROM item WHERE id = i));
END \$\$;
CREATE FUNCTION either_whole(i int) RETURNS int LANGUAGE plpgsql STABLE AS \$\$BEGIN RETURN either(i); END\$\$;
SELECT lab.add('key', 'by_key(int)'), cache_watch('key', 'item', 'id');
SELECT lab.add('whole', 'whole(int)'), cache_watch('whole', 'item');
SELECT lab.add('either', 'either(int)'), cache_watch('either', 'item', 'id');
SELECT lab.add('either_whole', 'either_whole(int)'), cache_watch('either_whole', 'item');

-- Foreign keys
CREATE TABLE owner (id int PRIMARY KEY);
CREATE TABLE owned (id int, owner int REFERENCES owner ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO owner SELECT generate_series(1, 9);
INSERT INTO owned SELECT i, i % 9 + 1 FROM generate_series(1, 20) i;
CREATE FUNCTION owned_by(i int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM owned WHERE owner = i';
SELECT lab.add('owned', 'owned_by(int)'), cache_watch('owned', 'owned', 'owner');

-- Keys that tables together tell
CREATE TABLE orders (id int PRIMARY KEY, customer int);
CREATE TABLE lines (id int, order_id int, amount int);
INSERT INTO orders VALUES (1, 1), (2, 2);
INSERT INTO lines VALUES (1, 1, 10), (2, 2, 20);
CREATE FUNCTION spent(i int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(amount) FROM lines l JOIN orders o ON o.id = l.order_id WHERE customer = i';
CREATE FUNCTION customer_of(l lines) RETURNS int LANGUAGE sql STABLE AS 'SELECT customer FROM orders WHERE id = l.order_id';
SELECT lab.add('spent', 'spent(int)'), cache_watch('spent', 'lines', keys => 'customer_of(lines)'), cache_watch('spent', 'orders', 'customer');

-- Keys that are expressions
CREATE TABLE event (at timestamp, doc jsonb);
INSERT INTO event SELECT '2024-01-01'::timestamp + i * interval '1 day', jsonb_build_object('id', i) FROM generate_series(0, 5) i;
CREATE FUNCTION by_doc(i int) RETURNS text LANGUAGE sql STABLE AS 'SELECT string_agg(at::text, '','') FROM event WHERE (doc ->> ''id'')::int = i';
SELECT lab.add('doc', 'by_doc(int)'), cache_watch('doc', 'event', '(doc ->> ''id'')::int');

-- Partitions
CREATE TABLE part (id int, v int) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (3);
CREATE TABLE part2 PARTITION OF part FOR VALUES FROM (3) TO (9);
INSERT INTO part SELECT i, i FROM generate_series(0, 8) i;
CREATE FUNCTION by_part(i int) RETURNS int LANGUAGE sql STABLE AS 'SELECT sum(v)::int FROM part WHERE id = i';
SELECT lab.add('part', 'by_part(int)'), cache_watch('part', 'part', 'id');

-- Many keys, and many caches
CREATE TABLE big (id int PRIMARY KEY, v int);
INSERT INTO big SELECT i, i FROM generate_series(1, 20000) i;
CREATE FUNCTION by_big(i int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM big WHERE id = i';
SELECT lab.add('big', 'by_big(int)', '{1,16000,20000}'), cache_watch('big', 'big', 'id');
CREATE TABLE many (id int PRIMARY KEY, v int);
INSERT INTO many SELECT i, i FROM generate_series(1, 9) i;
CREATE FUNCTION by_many(i int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM many WHERE id = i';
SELECT lab.add('many' || n, 'by_many(int)', '{1,2}'), cache_watch('many' || n, 'many', 'id') FROM generate_series(1, $caches) n;
DELETE FROM lab.checks WHERE cache LIKE 'many%' AND substr(cache, 5)::int NOT IN (@{[join ', ', @asked]});

-- What nobody watches
CREATE TABLE loose (id int PRIMARY KEY, v int);
INSERT INTO loose SELECT i, i FROM generate_series(1, 9) i;
CREATE FUNCTION by_loose(i int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM loose WHERE id = i';
SELECT lab.add('manual', 'by_loose(int)');
END

# Writes: [ what it is, which caches they concern, statement, and another one that
# ends it, in between which the standbys are asked ]
my $many = join ' ', map { "many$_" } @asked;
my $item = 'key whole either either_whole';
my @writes = (
	[ 'INSERT', "whole either_whole", 'INSERT INTO item VALUES (100, 7)' ],
	[ 'UPDATE', $item, 'UPDATE item SET price = price + 1 WHERE id = 2' ],
	[ 'UPDATE of all rows', $item, 'UPDATE item SET price = price + 1' ],
	[ 'UPDATE of the key', $item, 'UPDATE item SET id = 1000 WHERE id = 3' ],
	[ 'and back', $item, 'UPDATE item SET id = 3 WHERE id = 1000' ],
	[ 'DELETE', $item, 'DELETE FROM item WHERE id = 2' ],
	[ 'INSERT of a key that was absent', $item, 'INSERT INTO item VALUES (2, 21)' ],
	[ 'COPY', $item, "DELETE FROM item WHERE id = 3; COPY (SELECT 3, 33, 3, 3) TO '$place/copy'; COPY item FROM '$place/copy'" ],
	[ 'MERGE', $item, 'MERGE INTO item USING (VALUES (2), (200)) v (i) ON id = i WHEN MATCHED THEN UPDATE SET price = price + 5 WHEN NOT MATCHED THEN INSERT VALUES (i, 200)' ],
	[ 'ON CONFLICT', $item, 'INSERT INTO item VALUES (2, 99) ON CONFLICT (id) DO UPDATE SET price = item.price + 2' ],
	[ 'a column that the primary has not read', 'either either_whole', 'UPDATE item SET note = note + 1 WHERE id = 1' ],
	[ 'a column that nobody has read', '', 'UPDATE item SET remark = remark + 1' ],
	[ 'both columns, one after the other', 'either either_whole', 'BEGIN; UPDATE item SET remark = remark + 1; UPDATE item SET note = note + 1 WHERE id = 1; COMMIT' ],
	[ 'FK cascade by DELETE', 'owned', 'DELETE FROM owner WHERE id = 1' ],
	[ 'FK cascade by UPDATE', 'owned', 'UPDATE owner SET id = 1 WHERE id = 2' ],
	[ 'a line', 'spent', 'INSERT INTO lines VALUES (3, 1, 100)' ],
	[ 'an order moves', 'spent', 'UPDATE orders SET customer = 3 WHERE id = 1' ],
	[ 'a line moves', 'spent', 'UPDATE lines SET order_id = 2 WHERE id = 1' ],
	[ 'an expression', 'doc', q{UPDATE event SET doc = '{"id": 3}' WHERE doc ->> 'id' = '1'} ],
	[ 'a row moves to another partition', 'part', 'UPDATE part SET id = 3 WHERE id = 1' ],
	[ 'TRUNCATE of a partition', 'part', 'TRUNCATE part1' ],
	[ 'TRUNCATE', 'part', 'TRUNCATE part' ],
	[ 'TRUNCATE and COPY', 'part', 'BEGIN; TRUNCATE part; INSERT INTO part VALUES (1, 7); COMMIT' ],
	[ 'more keys than are remembered', 'big', 'UPDATE big SET v = v + 1' ],
	[ 'a key of many caches', $many, 'UPDATE many SET v = v + 1 WHERE id = 1' ],
	[ 'all keys of many caches', $many, 'UPDATE many SET v = v + 1' ],
	[ 'many caches as a whole', $many, 'TRUNCATE many' ],
	[ 'keys of many caches, and of others', "$many $item", 'BEGIN; INSERT INTO many VALUES (1, 1), (2, 2); UPDATE item SET price = price + 1; COMMIT' ],
	[ 'a key by hand', 'manual', "BEGIN; UPDATE loose SET v = v + 1 WHERE id = 1; SELECT cache_invalidate('manual', 1); COMMIT" ],
	[ 'a cache by hand', 'manual', "BEGIN; UPDATE loose SET v = v + 1; SELECT cache_invalidate('manual'); COMMIT" ],
	[ 'ROLLBACK', '', 'BEGIN; UPDATE item SET price = 0; ROLLBACK' ],
	[ 'ROLLBACK TO', '', 'BEGIN; SAVEPOINT a; UPDATE item SET price = 0; ROLLBACK TO a; COMMIT' ],
	[ 'something left of subtransactions', 'part', 'BEGIN; SAVEPOINT a; UPDATE item SET price = 0; ROLLBACK TO a; SAVEPOINT b; UPDATE part SET v = v + 1; RELEASE b; COMMIT' ],
	[ 'many subtransactions', $item, 'DO $$BEGIN FOR i IN 1 .. 100 LOOP BEGIN UPDATE item SET price = price + 1 WHERE id = i % 9 + 1; EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END$$' ],
	[ 'COMMIT PREPARED', $item, "BEGIN; UPDATE item SET price = price + 1; PREPARE TRANSACTION 'p'", "COMMIT PREPARED 'p'" ],
	[ 'ROLLBACK PREPARED', $item, "BEGIN; UPDATE item SET price = price + 1; PREPARE TRANSACTION 'p'", "ROLLBACK PREPARED 'p'" ],
	[ 'a procedure that commits', "$item part", 'DO $$BEGIN UPDATE item SET price = price + 1; COMMIT; UPDATE part SET v = v + 1; END$$' ],
	[ 'TRUNCATE CASCADE', 'owned', 'TRUNCATE owner CASCADE' ]);

my %item = map { $_ => 1 } split ' ', $item;

# What changes nothing that is asked for
my %same = map { $_ => 1 } 'a column that nobody has read', 'ROLLBACK', 'ROLLBACK TO', 'ROLLBACK PREPARED';

my @databases = qw(postgres used);
my $cluster = new_cluster(
	cascade => 1,
	conf => 'cache.memory = 32MB',
	setup => sub {
		my ($primary) = @_;

		$primary->safe_psql('postgres', 'CREATE DATABASE used');
		$primary->safe_psql('used', 'CREATE EXTENSION cache');
		$primary->safe_psql($_, $setup . shared_sql('oracle.sql')) for @databases;
	});
my $primary = $cluster->{primary};
my @standbys = ($cluster->{standby}, $cluster->{cascade});

# For each database a session that writes; and on each standby one with snapshots of
# its own, and one that has kept its snapshot
my (%writer, %sessions);
foreach my $db (@databases)
{
	$writer{$db} = session($primary, "writer_$db");
	$writer{$db}->run("\\c $db");
	foreach my $node (@standbys)
	{
		foreach my $kind (qw(new old))
		{
			my $s = session($node, "${kind}_$db");

			$s->run("\\c $db\nSET client_min_messages = error;");
			push @{ $sessions{$db} }, { session => $s, kind => $kind, name => $node->name . " in $db" };
		}
	}
}

# look asks all caches in a session: what is wrong, and which had to load something.
sub look
{
	my ($s) = @_;
	my $output = $s->{session}->run("SELECT lab.look(ARRAY(SELECT cache FROM lab.checks))");
	my %seen = (wrong => [], cold => [], said => '');

	push @{ $seen{wrong} }, $s->{session}->errors if $s->{session}->errors =~ /ERROR|FATAL/;
	foreach my $line (split /\n/, $output)
	{
		push @{ $seen{wrong} }, $line if $line =~ /^wrong/;
		push @{ $seen{cold} }, $1 if $line =~ /^cold (.*)/;
		$seen{said} .= $line if $line =~ /^said/;
	}
	return \%seen;
}

# The primary's own loads, in one database: of keys with a price alone
my $primary_reads = q{SELECT cache_get('key', 2), cache_get('either', 2), cache_get('either_whole', 2), cache_get('whole', 1), cache_get('spent', 2), cache_get('big', 1)};

foreach my $write (@writes)
{
	my ($title, $concerned, @steps) = @$write;
	my %concerned = map { $_ => 1 } split ' ', $concerned;
	my @problems;


	foreach my $db (@databases)
	{
		my %said;

		$writer{$db}->run($primary_reads) if $db eq 'used';
		foreach my $s (@{ $sessions{$db} })
		{
			# Whatever was there before has been loaded again by now.
			my $seen = look($s);

			$seen = look($s) if @{ $seen->{cold} };
			push @problems, "before, $s->{name}: " . join(', ', @{ $seen->{wrong} }, map { "cold $_" } @{ $seen->{cold} })
			  if @{ $seen->{wrong} } || @{ $seen->{cold} };
			$said{ $s->{name} } = $seen->{said};
			$s->{session}->run('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;') if $s->{kind} eq 'old';
		}
		foreach my $step (0 .. $#steps)
		{
			$writer{$db}->run("$steps[$step];");
			push @problems, $writer{$db}->errors if $writer{$db}->errors =~ /ERROR/;
			catch_up($primary, @standbys);
			foreach my $s (sort { $b->{kind} cmp $a->{kind} } @{ $sessions{$db} })
			{
				my $seen = look($s);

				# Where nothing has been loaded the primary cannot tell columns apart.
				my @cold = grep { !$concerned{$_} && !($title =~ /column/ && $db eq 'postgres' && $item{$_}) } @{ $seen->{cold} };

				push @problems, map { "$s->{kind} snapshot, $s->{name}: $_" } @{ $seen->{wrong} };
				if ($s->{kind} eq 'old')
				{
					# Keys that share a fence make it step around them, too.
					push @problems, "$s->{name}: an old snapshot sees the write"
					  if $seen->{said} ne $said{ $s->{name} } && $steps[0] !~ /TRUNCATE/;
					next;
				}
				push @problems, "$s->{name}: cold: @cold" if @cold && $step == $#steps;
				push @problems, "$s->{name}: the write is not seen"
				  if $step == $#steps && !$same{$title} && $seen->{said} eq $said{ $s->{name} };
			}
		}
		$_->{session}->run('COMMIT;') for grep { $_->{kind} eq 'old' } @{ $sessions{$db} };
	}
	is(join("\n", @problems), '', $title);
}

# The primary has used nothing in the first database.
is(hits($primary), 0, 'the primary has used no cache');
is($primary->safe_psql('postgres', "SELECT coalesce(sum(loads), 0) FROM cache_stats"), 0, 'nor loaded anything');
cmp_ok(hits($_), '>', 1000, $_->name . ' has used its own') for @standbys;
is($_->safe_psql('postgres', 'SELECT state, ddl, wal FROM cache_standby'), 'following|0|t', $_->name . ' follows') for @standbys;
is($primary->safe_psql('postgres', 'SELECT state, wal FROM cache_standby'), 'primary|t', 'the primary tells');
is( join(' ', map { $_->safe_psql('postgres', 'SELECT transactions FROM cache_standby') } @standbys),
	join(' ', ($standbys[0]->safe_psql('postgres', 'SELECT transactions FROM cache_standby')) x 2),
	'both have replayed the same');

$_->quit for values %writer, map { $_->{session} } map { @$_ } values %sessions;
$_->stop for $standbys[1], $standbys[0], $primary;
done_testing();
