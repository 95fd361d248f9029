# Each guard of the protocol, with a race that it is there for. With the guard in
# place every probe is exact; with the guard taken out some probe is wrong. So the
# tests that force these races would notice if a guard were lost.
#
# A scenario is a list of commands:
#
#   session > sql    run it                session & sql    run it, until it is blocked
#   session ? sql    run it; it may fail   session .        wait for it
#   session = sql    a probe: gives t if exact, else f
#   + point          hold a stop point     - point          release it
#
# <n> stands for another number each time: what loads depend on is never forgotten.
use strict;
use warnings;
use CacheTest;
use Test::More;

# What most scenarios begin with
my $item = <<'END';
CREATE TABLE item (id integer PRIMARY KEY, price integer);
INSERT INTO item SELECT i, 10 * i FROM generate_series(1, 7) AS i;
CREATE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT price FROM item WHERE id = $1';
SELECT cache_create('c', 'loader(integer)');
SELECT cache_watch('c', 'item', 'id');
END
# The note is read where there is no price
my $noted = <<'END';
CREATE TABLE item (id integer PRIMARY KEY, price integer, note integer DEFAULT 1, remark integer DEFAULT 1);
INSERT INTO item SELECT i, nullif(i, 1) FROM generate_series(1, 7) AS i;
CREATE FUNCTION loader(i integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
DECLARE
  p integer;
BEGIN
  SELECT price INTO p FROM item WHERE id = i;
  RETURN coalesce(p, (SELECT note FROM item WHERE id = i));
END $$;
SELECT cache_create('c', 'loader(integer)');
END
my $noted_by_key = $noted . "SELECT cache_watch('c', 'item', 'id');\n";
my $noted_whole = $noted . "SELECT cache_watch('c', 'item');\n";
my $get_other = "SELECT cache_get('c', 2)";
my $note = 'UPDATE item SET note = note + 1 WHERE id = 1';
my $remark = 'UPDATE item SET remark = remark + 1 WHERE id = 1';
my $probe = "SELECT bool_and(cache_get('c', k) IS NOT DISTINCT FROM to_jsonb(loader(k))) FROM generate_series(1, 7) k";
my $get = "SELECT cache_get('c', 1)";
# The other form of the same value; of this type, one that cannot be had back from jsonb
my $float = <<'END';
CREATE FUNCTION float_loader(integer) RETURNS float8 LANGUAGE sql STABLE
  AS 'SELECT price::float8 FROM item WHERE id = $1';
SELECT cache_create('f', 'float_loader(integer)');
SELECT cache_watch('f', 'item', 'id');
END
my $get_f = "SELECT cache_get('f', 1)";
my $get_f_as = "SELECT cache_get_as(NULL::float8, 'f', 1)";
my $fill = "SELECT cache_get('c', k) FROM generate_series(1, 7) k";
my $update = 'UPDATE item SET price = price + 1 WHERE id = 1';
my $snapshot = 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1';

# A loader that waits at a gate, and at another one if it is to fail: for a price of 10.
# at_gate() waits until so many sessions wait for locks, and tells how many are there.
my $gates = <<'END';
CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
  PERFORM pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1);
  IF (SELECT price FROM item WHERE id = $1) = 10 THEN
    PERFORM pg_advisory_lock_shared(2), pg_advisory_unlock_shared(2);
    RAISE EXCEPTION 'this one fails';
  END IF;
  RETURN (SELECT price FROM item WHERE id = $1);
END$$;
CREATE FUNCTION at_gate(n integer) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  WHILE (SELECT count(*) FROM pg_locks WHERE NOT granted) <> n LOOP
    PERFORM pg_sleep(0.01);
  END LOOP;
  RETURN (SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory');
END$$;
END

# Several writers of a key at once
my $owned = <<'END';
CREATE TABLE item (id integer PRIMARY KEY, owner integer, price integer);
INSERT INTO item SELECT i, i % 2 + 1, i FROM generate_series(1, 14) AS i;
CREATE FUNCTION loader(integer) RETURNS bigint LANGUAGE sql STABLE
  AS 'SELECT sum(price) FROM item WHERE owner = $1';
SELECT cache_create('c', 'loader(integer)');
SELECT cache_watch('c', 'item', 'owner');
END

# prepare_owned gives what prepares one of them.
sub prepare_owned
{
	my ($number) = @_;

	return "BEGIN; UPDATE item SET price = price + 100 WHERE id = 2 * $number; PREPARE TRANSACTION 'w$number'";
}

# What tells whether there is another table
my $catalog = <<'END';
CREATE FUNCTION loader(integer) RETURNS bigint LANGUAGE sql STABLE
  AS $$SELECT count(*) FROM pg_class WHERE relname LIKE 'mark%'$$;
SELECT cache_create('c', 'loader(integer)');
END

# A role that reads by a membership; fails() tells whether it may not
my $reader = $item . <<'END';
CREATE FUNCTION fails(query text) RETURNS boolean LANGUAGE plpgsql AS
  $$BEGIN EXECUTE query; RETURN false; EXCEPTION WHEN insufficient_privilege THEN RETURN true; END$$;
CREATE ROLE reader<n>;
GRANT pg_read_all_data TO reader<n>;
END
my $as_reader = 'SET ROLE reader<n>';
my $revoke = 'REVOKE pg_read_all_data FROM reader<n>';
my $both_fail = "SELECT fails('SELECT loader(1)') = fails(\$\$SELECT cache_get('c', 1)\$\$)";

# What a load speaks of and reads for one key only; fails() tells whether it is gone
my $spoken = <<'END';
CREATE TABLE spare (x integer);
INSERT INTO spare VALUES (1);
CREATE FUNCTION spare() RETURNS integer LANGUAGE sql STABLE AS 'SELECT max(x) FROM spare';
CREATE FUNCTION loader(integer) RETURNS integer LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN CASE WHEN $1 > 1 THEN $1 ELSE spare() END; END';
CREATE FUNCTION fails(query text) RETURNS boolean LANGUAGE plpgsql AS
  $$BEGIN EXECUTE query; RETURN false; EXCEPTION WHEN undefined_column THEN RETURN true; END$$;
SELECT cache_create('c', 'loader(integer)');
END
my $neither_fails = "SELECT fails('SELECT loader(2)') = fails(\$\$SELECT cache_get('c', 2)\$\$)";

# Two tables, either of whose rows may become 0 as long as the other's is not
my $skew = <<'END';
CREATE TABLE a (id integer PRIMARY KEY, v integer);
CREATE TABLE b (id integer PRIMARY KEY, v integer);
INSERT INTO a VALUES (1, 1);
INSERT INTO b VALUES (1, 1);
CREATE FUNCTION load_a(integer) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT v FROM a WHERE id = $1';
CREATE FUNCTION load_b(integer) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT v FROM b WHERE id = $1';
SELECT cache_create('a', 'load_a(integer)'), cache_create('b', 'load_b(integer)');
SELECT cache_watch('a', 'a', 'id'), cache_watch('b', 'b', 'id');
END

# Order lines find their customer through the order
my $lines = <<'END';
CREATE TABLE orders (id integer PRIMARY KEY, customer integer);
CREATE TABLE lines (id integer, order_id integer, amount integer);
INSERT INTO orders VALUES (1, 1), (2, 2);
INSERT INTO lines VALUES (1, 1, 10), (2, 2, 20);
CREATE FUNCTION loader(integer) RETURNS bigint LANGUAGE sql STABLE
  AS 'SELECT sum(amount) FROM lines l JOIN orders o ON o.id = l.order_id WHERE customer = $1';
CREATE FUNCTION customer_of(l lines) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT customer FROM orders WHERE id = l.order_id';
SELECT cache_create('c', 'loader(integer)');
SELECT cache_watch('c', 'lines', keys => 'customer_of(lines)');
SELECT cache_watch('c', 'orders', 'customer');
END
my $line = 'INSERT INTO lines VALUES (3, 1, 100)';
my $move = 'UPDATE orders SET customer = 3 WHERE id = 1';

# The same, where somebody can replace what tells customer from payer
my $told = $lines =~ s/customer = \$1/who(o) = \$1/r =~ s/SELECT customer FROM orders/SELECT who(orders) FROM orders/r;
$told =~ s/^(?=CREATE FUNCTION loader)/CREATE FUNCTION who(orders) RETURNS integer LANGUAGE sql STABLE AS 'SELECT \$1.customer';\n/m;
$told =~ s/'orders', 'customer'/'orders', keys => 'who(orders)'/;
my $retell = "CREATE OR REPLACE FUNCTION who(orders) RETURNS integer LANGUAGE sql STABLE AS 'SELECT \$1.customer + 2'";

# Keys of a type that has a hash function of its own
my $hashed = <<'END';
CREATE TYPE kind;
CREATE FUNCTION kind_in(cstring) RETURNS kind LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION kind_out(kind) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE kind (INPUT = kind_in, OUTPUT = kind_out, LIKE = integer);
CREATE CAST (kind AS integer) WITHOUT FUNCTION;
CREATE FUNCTION kind_hash(kind) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1::integer';
CREATE FUNCTION kind_equal(kind, kind) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1::integer = $2::integer';
CREATE OPERATOR === (LEFTARG = kind, RIGHTARG = kind, FUNCTION = kind_equal);
CREATE OPERATOR CLASS kind_ops DEFAULT FOR TYPE kind USING hash AS OPERATOR 1 ===, FUNCTION 1 kind_hash(kind);
CREATE TABLE item (id kind, ids kind[], price integer);
INSERT INTO item SELECT i::text::kind, ARRAY[i::text::kind], 10 * i FROM generate_series(1, 7) AS i;
CREATE FUNCTION loader(kind) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(price) FROM item WHERE id === $1';
CREATE FUNCTION loader(kind[]) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(price) FROM item WHERE ids = $1';
SELECT cache_create('c', 'loader(kind)'), cache_create('array', 'loader(kind[])');
SELECT cache_watch('c', 'item', 'id'), cache_watch('array', 'item', 'ids');
END
my $raise = 'UPDATE item SET price = price + 1';
my $rehash = "CREATE OR REPLACE FUNCTION kind_hash(kind) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT \$1::integer + 1000'";
my $probe_hashed = "SELECT cache_get('c', '1'::kind) IS NOT DISTINCT FROM to_jsonb(loader('1'::kind))";
my $probe_array = "SELECT cache_get('array', ARRAY['1'::kind]) IS NOT DISTINCT FROM to_jsonb(loader(ARRAY['1'::kind]))";

my $get_array = "SELECT cache_get('array', ARRAY['2'::kind])";

# Equal names of different bytes
my $folded = <<'END';
CREATE COLLATION IF NOT EXISTS folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE item (name name, label text, price integer);
INSERT INTO item VALUES ('Tea', 'Tea', 1);
END

my @scenarios = (
	{
		guard => 'read_check',
		title => 'an entry that is newer than the snapshot is not used',
		setup => $item,
		steps => [ "r > $snapshot", "w > $update", "f > $get", "r = $probe" ]
	},
	{
		guard => 'read_check',
		title => 'a value is not used if the key is written while it is copied',
		setup => $item,
		steps => [
			"f > $fill", "r > $snapshot", '+ copied', "r & $probe",
			"w > $update", '- copied', 'r .', "f > $get", "r = $probe"
		]
	},
	{
		guard => 'fill_check',
		title => 'what was loaded before a commit is not stored after it',
		setup => $item,
		steps => [ '+ loaded', "f & $get", "w > $update", '- loaded', 'f .', "r = $probe" ]
	},
	{
		guard => 'fill_check',
		title => 'nor is what was made of the other form of the value',
		setup => $item,
		steps => [
			"r > SELECT cache_get_as(NULL::integer, 'c', 1)",
			'+ converted', "f & $get", "w > $update", '- converted', 'f .',
			"r = $probe"
		]
	},
	{
		guard => 'publish_before_commit',
		title => 'a prepared transaction has published',
		setup => $item,
		steps => [
			"r > $fill", "w > BEGIN; $update; PREPARE TRANSACTION 'w'", "w > COMMIT PREPARED 'w'",
			"r = $probe"
		]
	},
	{
		guard => 'fold_floor',
		title => 'a writer that the fence has no room for is remembered by its floor',
		setup => $owned,
		steps => [
			(map { "w > $_" } map { prepare_owned($_) } 1 .. 7),
			(map { "w > COMMIT PREPARED 'w$_'" } 2 .. 7),
			"r > $snapshot",
			"w > COMMIT PREPARED 'w1'",
			"f > $fill",
			"r = $probe"
		]
	},
	{
		guard => 'fold_running',
		title => 'a writer that is still running is not forgotten when the fence is full',
		setup => $owned,
		steps => [
			(map { "w > $_" } map { prepare_owned($_) } 1 .. 5),
			(map { "w > COMMIT PREPARED 'w$_'" } 2 .. 5),
			"r > $snapshot",
			"w > COMMIT PREPARED 'w1'",
			"f > $fill",
			"r = $probe"
		]
	},
	{
		guard => 'rise_running',
		title => 'nor when the floor rises',
		setup => $owned,
		steps => [
			(map { "w > $_" } map { prepare_owned($_) } 1 .. 7),
			(map { "w > COMMIT PREPARED 'w$_'" } 2 .. 7),
			"r > $snapshot",
			"w > COMMIT PREPARED 'w1'",
			"f > $fill",
			"r = $probe"
		]
	},
	{
		# The keys 1 to 500 share fences with 501 to 1000; whatever there was in these
		# before, some are full when w publishes. The lock gives w an id ahead of its
		# snapshot.
		guard => 'witness',
		title => 'who stands for others in a fence does not take itself for seen',
		setup => <<'END',
CREATE TABLE item (id integer PRIMARY KEY, price integer);
CREATE TABLE seen (exact boolean);
INSERT INTO item SELECT i, i FROM generate_series(1, 1000) AS i;
CREATE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT price FROM item WHERE id = $1';
SELECT cache_create('c', 'loader(integer)');
SELECT cache_watch('c', 'item', 'id');
END
		steps => [
			(map { "f > SELECT count(cache_invalidate('c', k)) FROM generate_series($_, 500) k" } 1, 125, 250, 375),
			"f > BEGIN; UPDATE item SET price = price + 1 WHERE id <= 500; PREPARE TRANSACTION 'x'",
			"f > SELECT count(cache_invalidate('c', k)) FROM generate_series(1, 500) k",
			'w > BEGIN ISOLATION LEVEL REPEATABLE READ; LOCK TABLE seen IN ACCESS EXCLUSIVE MODE',
			'f > SELECT pg_current_xact_id()',
			'w > SELECT 1',
			"f > COMMIT PREPARED 'x'",
			"f > SELECT count(cache_get('c', k)) FROM generate_series(1, 500) k",
			'w > UPDATE item SET price = price + 1 WHERE id > 500',
			"w > SET LOCAL cache.late_command = 'INSERT INTO seen SELECT cache_get(''c'', k) IS NOT DISTINCT FROM to_jsonb(loader(k)) FROM generate_series(1, 500) k'",
			'w > COMMIT',
			'r = SELECT bool_and(exact) FROM seen'
		]
	},
	{
		guard => 'remove',
		title => 'a commit removes what was cached',
		setup => $item,
		steps => [ "r > $fill", "w > $update", "r = $probe" ]
	},
	{
		guard => 'when_published',
		title => 'whether an update matters is decided when it is published',
		setup => $noted_by_key,
		steps => [ "f > $get_other", "w > BEGIN; $note", "f > $get", 'w > COMMIT', "r = $probe" ]
	},
	{
		guard => 'when_published',
		title => 'or prepared',
		setup => $noted_by_key,
		steps => [
			"f > $get_other", "w > BEGIN; $note", "f > $get", "w > PREPARE TRANSACTION 'w'", "w > COMMIT PREPARED 'w'",
			"r = $probe"
		]
	},
	{
		guard => 'passed_key',
		title => 'the fence of a key remembers an update that does not matter yet',
		setup => $noted_by_key,
		steps => [ "f > $get_other", "r > $snapshot", "w > $note", "f > $get", "r = $probe" ]
	},
	{
		guard => 'fill_check',
		title => 'a load that reads another column, and an update of it by the way',
		setup => $noted_by_key,
		steps => [ "f > $get_other", '+ loaded', "f & $get", "w > $note", '- loaded', 'f .', "r = $probe" ]
	},
	{
		guard => 'all_columns',
		title => 'all columns count that a transaction has changed',
		setup => $noted_by_key,
		steps => [ "f > $get_other", "w > BEGIN; $remark; $note", "f > $get", 'w > COMMIT', "r = $probe" ]
	},
	{
		guard => 'two_relations',
		title => 'in all tables',
		setup => $noted_by_key . <<'END',
CREATE TABLE other (id integer PRIMARY KEY, price integer, remark integer DEFAULT 1);
INSERT INTO other SELECT i, i FROM generate_series(1, 7) AS i;
SELECT cache_watch('c', 'other', 'id');
CREATE OR REPLACE FUNCTION loader(i integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF i = 2 THEN
    RETURN (SELECT o.remark + t.remark FROM item t JOIN other o USING (id) WHERE t.id = i);
  END IF;
  RETURN (SELECT price FROM other WHERE id = i);
END $$;
END
		steps => [
			"f > $get_other", 'w > BEGIN; UPDATE item SET note = 5 WHERE id = 1; UPDATE other SET price = 5 WHERE id = 1',
			"f > $get", 'w > COMMIT', "r = $probe"
		]
	},
	{
		guard => 'late',
		title => 'what another library changes besides at the very end of a transaction is published',
		setup => $noted_by_key,
		steps => [
			"f > $fill; $get_other", "w > SET cache.late_command = 'UPDATE item SET price = 5 WHERE id = 2'",
			'w > UPDATE item SET remark = 5 WHERE id = 2', "w > SET cache.late_command = ''", "r = $probe"
		]
	},
	{
		guard => 'passed',
		title => 'what did not matter to a whole cache does, once a load reads it',
		setup => $noted_whole,
		steps => [ "f > $get_other", "r > $snapshot", "w > $note", "f > $get", "r = $probe" ]
	},
	{
		guard => 'passed',
		title => 'also to what is loaded without seeing it',
		setup => $noted_whole,
		steps => [ "f > $get_other", "w > BEGIN; $note; PREPARE TRANSACTION 'w'", "f > $get", "w > COMMIT PREPARED 'w'", "r = $probe" ]
	},
	{
		guard => 'passed_before',
		title => 'or when all that was read is forgotten',
		setup => $noted_whole,
		steps => [
			"f > $get_other",
			"w > BEGIN; $note; PREPARE TRANSACTION 'w'",
			'w > UPDATE item SET price = 5 WHERE id = 2',
			"f > $get", "w > COMMIT PREPARED 'w'", "r = $probe"
		]
	},
	{
		guard => 'unseen',
		title => 'what code reads that nobody sees may be any column',
		setup => <<'END',
CREATE TABLE item (id integer PRIMARY KEY, price integer, note integer DEFAULT 1);
INSERT INTO item VALUES (1, 1);
CREATE FUNCTION loader(i integer) RETURNS text LANGUAGE plpgsql STABLE
  AS $$BEGIN PERFORM price FROM item WHERE id = i; RETURN currtid2('item', '(0,1)'); END$$;
SELECT cache_create('c', 'loader(integer)', ttl => '1 day');
SELECT cache_watch('c', 'item', 'id');
END
		steps => [ "f > $get", "w > $note", "r = SELECT cache_get('c', 1) IS NOT DISTINCT FROM to_jsonb(loader(1))" ]
	},
	{
		guard => 'late',
		title => 'what another library writes at the very end of a transaction is published',
		setup => $item,
		steps => [ "r > $fill", "w > SET cache.late_command = '$update'", "w > SET cache.late_command = ''", "r = $probe" ]
	},
	{
		guard => 'late',
		title => 'the same, behind what the transaction has published itself',
		setup => $item,
		steps => [
			"r > $fill", "w > SET cache.late_command = '$update'",
			'w > UPDATE item SET price = price + 1 WHERE id = 2', "w > SET cache.late_command = ''", "r = $probe"
		]
	},
	{
		guard => 'own',
		title => 'a transaction does not get what was before its own write',
		setup => $item,
		steps => [ "r > $fill", 'w > BEGIN', "w > $update", "w = $probe", 'w > ROLLBACK' ]
	},
	{
		guard => 'own',
		title => 'a transaction does not store what it has written',
		setup => $item,
		steps => [ 'w > BEGIN', "w > $update", "w > $get", "r = $probe", 'w > ROLLBACK', "r = $probe" ]
	},
	{
		guard => 'statement',
		title => 'a trigger does not get what was before its statement',
		setup => $item . <<"END",
CREATE TABLE seen (exact boolean);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS
  \$\$BEGIN INSERT INTO seen $probe; RETURN NULL; END\$\$;
CREATE TRIGGER " first" AFTER UPDATE ON item FOR EACH ROW EXECUTE FUNCTION look();
END
		steps => [
			"r > $fill", 'w > UPDATE item SET price = price + 1 WHERE id < 4',
			'r = SELECT bool_and(exact) FROM seen', "r = $probe"
		]
	},
	{
		guard => 'serializable',
		title => 'a hit does not hide a read: write skew is found',
		setup => $skew,
		steps => [
			"r > SELECT cache_get('a', 1), cache_get('b', 1)",
			'f > BEGIN ISOLATION LEVEL SERIALIZABLE',
			'w > BEGIN ISOLATION LEVEL SERIALIZABLE',
			"f > UPDATE a SET v = 0 WHERE cache_get('b', 1) = '1'",
			"w > UPDATE b SET v = 0 WHERE cache_get('a', 1) = '1'",
			'f > COMMIT',
			'w ? COMMIT',
			'r = SELECT sum(v) = 1 FROM (TABLE a UNION ALL TABLE b) AS both_tables'
		]
	},
	{
		guard => 'ddl',
		title => 'a replaced function empties the caches that may use it',
		setup => $item . <<'END',
CREATE FUNCTION tax(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT $1';
CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT tax(price) FROM item WHERE id = $1';
END
		steps => [
			"r > $fill",
			"w > CREATE OR REPLACE FUNCTION tax(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT \$1 + 1000'",
			"r = $probe"
		]
	},
	{
		guard => 'ddl_name',
		title => 'a new table that takes a name from another one empties the caches',
		setup => "CREATE SCHEMA postgres;\n" . $item =~ s/(TABLE|FUNCTION) (item|loader)/$1 public.$2/gr,
		steps => [
			"r > $fill",
			'w > CREATE TABLE postgres.item AS SELECT id, price + 1000 AS price FROM item',

			# The loader itself may keep an older plan, since 18.
			'r > DISCARD PLANS',
			"r = $probe"
		]
	},
	{
		guard => 'ddl_catalogs',
		title => 'what is loaded from catalogs depends on all DDL',
		setup => $catalog,
		steps => [ "r > $get", 'w > CREATE TABLE marker (i integer)', "r = $probe" ]
	},
	{
		guard => 'ddl_adopt',
		title => 'a snapshot that does not see DDL that was over before the first load does not use what was loaded',
		setup => $catalog,
		steps => [ "r > $snapshot", 'w > CREATE TABLE marker (i integer)', "f > $get", "r = $probe", 'r > COMMIT' ]
	},
	{
		guard => 'ddl_adopt',
		title => 'a load that calls a function while that is being replaced, of which nobody knew, is not stored',
		setup => $item . <<'END',
CREATE FUNCTION tax<n>(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT $1';
CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
DECLARE result integer;
BEGIN
  PERFORM pg_advisory_lock_shared(77); PERFORM pg_advisory_unlock_shared(77);
  EXECUTE 'SELECT t' || 'ax<n>(price) FROM item WHERE id = $1' INTO result USING $1;
  RETURN result;
END$$;
END
		steps => [
			'h > SELECT pg_advisory_lock(77)', "f & $get", '+ decided',
			"w & CREATE OR REPLACE FUNCTION tax<n>(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT \$1 + 1000'",
			'h > SELECT pg_advisory_unlock(77)', 'f .', '- decided', 'w .', "r = $probe"
		]
	},
	{
		guard => 'left_out',
		title => 'what a plan has left out of a query is altered',
		setup => <<'END',
CREATE TABLE spare (x integer);
CREATE FUNCTION fails(query text) RETURNS boolean LANGUAGE plpgsql AS
  $$BEGIN EXECUTE query; RETURN false; EXCEPTION WHEN undefined_column THEN RETURN true; END$$;
CREATE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE
  AS 'WITH unused AS (SELECT x FROM spare) SELECT $1';
SELECT cache_create('c', 'loader(integer)');
END
		steps => [
			"r > $get", 'w > ALTER TABLE spare RENAME x TO y',
			"r = SELECT fails('SELECT loader(1)') = fails(\$\$SELECT cache_get('c', 1)\$\$)"
		]
	},
	{
		guard => 'spoken',
		title => 'or of a function that a load does not come to call',
		setup => $spoken,
		steps => [ "r > $get_other", 'w > ALTER TABLE spare RENAME x TO y', "w = $neither_fails" ]
	},
	{
		guard => 'spoken_again',
		title => 'also where its plan was made in another generation',
		setup => $spoken,
		steps => [
			"r > $get", "r > SELECT cache_invalidate('c')", "r > $get_other",
			'w > ALTER TABLE spare RENAME x TO y', "w = $neither_fails"
		]
	},
	{
		guard => 'ddl_roles',
		title => 'a membership by which a loader may read is taken away',
		setup => $reader . <<'END',
ALTER FUNCTION loader(integer) SECURITY DEFINER;
ALTER FUNCTION loader(integer) OWNER TO reader<n>;
END
		steps => [ "r > $get", "w > $revoke", "r = $both_fail" ]
	},
	{
		guard => 'role_fence',
		title => 'or by which the caller may',
		setup => $reader,
		steps => [ "r > $as_reader", "r > $get", "w > $revoke", "r = $both_fail", 'r > RESET ROLE' ]
	},
	{
		guard => 'role_fence_check, settle',
		title => 'who has loaded by a membership that is about to be taken away stores nothing',
		setup => $reader,
		steps => [
			"f > $as_reader", "f > $get_other", "w > BEGIN; $revoke; PREPARE TRANSACTION 'w'", "f > $get",
			"w > COMMIT PREPARED 'w'", "f = $both_fail", 'f > RESET ROLE'
		]
	},
	{
		guard => 'role_change',
		title => 'ALTER ROLE takes rights away, and says until when the role may log in',
		setup => "${reader}ALTER ROLE reader<n> SUPERUSER; $revoke;\n",
		steps => [
			"r > $as_reader", "r > $get", "w > ALTER ROLE reader<n> NOSUPERUSER VALID UNTIL '2040-01-01'",
			"r = $both_fail", 'r > RESET ROLE'
		]
	},
	{
		guard => 'caller',
		title => 'a loader reads as another role than its caller',
		setup => $reader . <<'END',
CREATE FUNCTION as_reader(integer) RETURNS integer LANGUAGE sql STABLE SET role = 'reader<n>'
  AS 'SELECT price FROM item WHERE id = $1';
CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE plpgsql STABLE AS 'BEGIN RETURN as_reader($1); END';
END
		steps => [ "r > $get", "w > $revoke", "r = $both_fail" ]
	},
	{
		guard => 'caller',
		title => 'it uses what was loaded in the name of another role',
		setup => $reader . <<'END',
CREATE FUNCTION load_item(integer) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT price FROM item WHERE id = $1';
SELECT cache_create('inner', 'load_item(integer)');
SELECT cache_watch('inner', 'item', 'id');
CREATE FUNCTION as_reader(integer) RETURNS jsonb LANGUAGE plpgsql STABLE SET role = 'reader<n>'
  AS $$BEGIN RETURN cache_get('inner', $1); END$$;
CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE plpgsql STABLE AS 'BEGIN RETURN as_reader($1)::integer; END';
END
		steps => [
			"f > $as_reader", "f > SELECT cache_get('inner', 1)", 'f > RESET ROLE',
			"r > $get", "w > $revoke", "r = $both_fail"
		]
	},
	{
		guard => 'caller',
		title => 'it calls a function as another role',
		setup => $reader . <<'END',
CREATE FUNCTION twice(integer) RETURNS integer LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 2 * $1; END';
REVOKE EXECUTE ON FUNCTION twice(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION twice(integer) TO pg_read_all_data;
CREATE FUNCTION as_reader(integer) RETURNS integer LANGUAGE plpgsql STABLE SET role = 'reader<n>' AS 'BEGIN RETURN twice($1); END';
CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE plpgsql STABLE AS 'BEGIN RETURN as_reader($1); END';
END
		steps => [ "r > $get", "w > $revoke", "r = $both_fail" ]
	},
	{
		guard => 'settle',
		title => 'a session that has not heard of DDL that it can see stores nothing',
		setup => $item . <<'END',
CREATE FUNCTION tax(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT $1';
CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT tax(price) FROM item WHERE id = $1';
END
		steps => [
			'f > BEGIN',
			"f > $get",
			"w > CREATE OR REPLACE FUNCTION tax(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT \$1 + 1000'",
			"f > $get",
			'f > COMMIT',
			"r = $probe"
		]
	},
	{
		guard => 'settle',
		title => 'nor does it verify with functions that it has not heard were replaced',
		setup => $item . <<'END',
CREATE FUNCTION tax(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT $1';
CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT tax(price) FROM item WHERE id = $1';
END
		steps => [
			'f > BEGIN',
			"f > $get",
			"f > SELECT count(*) = 0 FROM cache_verify('c')",
			"w > CREATE OR REPLACE FUNCTION tax(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT \$1 + 1000'",
			"r > $get",
			"f = SELECT count(*) = 0 FROM cache_verify('c')",
			'f > COMMIT'
		]
	},
	{
		guard => 'verify_again',
		title => 'what a replaced function would give is no difference',
		setup => $item . <<'END',
CREATE FUNCTION tax(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT $1';
CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
  PERFORM FROM pg_am;
  RETURN (SELECT tax(price) FROM item WHERE id = $1);
END$$;
CREATE TABLE seen (exact boolean);
END
		steps => [
			"f > $get", '+ peeked',
			"r & INSERT INTO seen SELECT count(*) = 0 FROM cache_verify('c')",
			"w > CREATE OR REPLACE FUNCTION tax(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT \$1 + 1000'",
			'- peeked', 'r .',
			'f = SELECT bool_and(exact) FROM seen'
		]
	},
	{
		guard => 'lists',
		title => 'the number of a prefix is not looked up in the list of the generation before',
		setup => $item . $float,
		steps => [
			"f > $get_f", "f > $get_f_as", "r > $get_f",
			'+ fenced', "w & SELECT cache_invalidate('f')",
			"r > $get_f_as",
			'- fenced', 'w .',
			"f > $get_f_as", "f > $get_f",
			"r = SELECT cache_get_as(NULL::float8, 'f', 1) = float_loader(1)"
		]
	},
	{
		guard => 'flight',
		title => 'one session loads a key that three have missed',
		setup => $item . <<'END',
CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
  PERFORM pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1);
  RETURN (SELECT price FROM item WHERE id = $1);
END$$;
END
		steps => [
			'h > SELECT pg_advisory_lock(1)',
			(map { "$_ & $get" } qw(f r w)),
			'h > SELECT pg_advisory_unlock(1)',
			(map { "$_ ." } qw(f r w)),
			"h = SELECT loads = 1 FROM cache_stats WHERE name = 'c'",
			"r = $probe"
		]
	},
	{
		guard => 'flight_error',
		title => 'who waited for a load that has failed loads at once, side by side',
		setup => $item . $gates,
		steps => [
			'h > SELECT pg_advisory_lock(1), pg_advisory_lock(2)',
			(map { "$_ & $get" } qw(f r w)),
			'h > SELECT pg_advisory_unlock(1)', 'h > SELECT pg_advisory_lock(1)',
			'h > SELECT pg_advisory_unlock(2)', 'f ?',
			'h = SELECT at_gate(2) = 2',
			'h > SELECT pg_advisory_unlock(1)',
			'r ?', 'w ?'
		]
	},
	{
		guard => 'flight_memory',
		title => 'nobody waits for a key whose last load has failed',
		setup => $item . $gates,
		steps => [
			"f ? $get",
			'h > SELECT pg_advisory_lock(1)',
			(map { "$_ & $get" } qw(f r w)),
			'h = SELECT at_gate(3) = 3',
			'h > SELECT pg_advisory_unlock(1)',
			'f ?', 'r ?', 'w ?'
		]
	},
	{
		guard => 'flight_sleep',
		title => 'who has a lock_timeout, or has written, waits for a load, too',
		setup => $item . $gates . 'UPDATE item SET price = 1 WHERE id = 1',
		steps => [
			'h > SELECT pg_advisory_lock(1)',
			(map { "$_ > SET deadlock_timeout = '10min'" } qw(r w)),
			"r > SET lock_timeout = '10min'",
			'w > BEGIN; UPDATE item SET price = 7 WHERE id = 2',
			(map { "$_ & $get" } qw(f r w)),
			'h > SELECT pg_advisory_unlock(1)',
			(map { "$_ ." } qw(f r w)),
			'r > RESET lock_timeout; RESET deadlock_timeout',
			'w > COMMIT; RESET deadlock_timeout',
			"h = SELECT loads = 1 FROM cache_stats WHERE name = 'c'"
		]
	},
	{
		guard => 'flight_bound',
		title => 'who has written does not wait for long for a load that waits for it',
		setup => $item . $gates . 'UPDATE item SET price = 1 WHERE id = 1',
		steps => [
			"r > SET statement_timeout = '3s'; SET deadlock_timeout = '10ms'",
			'r > BEGIN; UPDATE item SET price = 7 WHERE id = 2; SELECT pg_advisory_xact_lock(1)',
			"f & $get",
			"r ? SELECT set_config('test.got', cache_get('c', 1)::text, false)",
			'r > COMMIT',
			'f .',
			'r > RESET statement_timeout; RESET deadlock_timeout',
			"r = SELECT current_setting('test.got', true) IS NOT DISTINCT FROM '1'",
			'r > RESET test.got'
		]
	},
	{
		guard => 'ownlocks',
		title => 'who holds a lock that a load waits for does not make it a deadlock',
		setup => $item . $gates . 'UPDATE item SET price = 1 WHERE id = 1',
		steps => [
			"r > SET deadlock_timeout = '10ms'",
			'r > BEGIN; SELECT pg_advisory_xact_lock(1)',
			"f & $get",
			"r ? SELECT set_config('test.got', cache_get('c', 1)::text, false)",
			'r ? COMMIT',
			'f .',
			'r > RESET deadlock_timeout',
			"r = SELECT current_setting('test.got', true) IS NOT DISTINCT FROM '1'",
			'r > RESET test.got'
		]
	},
	{
		guard => 'temporary',
		title => 'what was read from a temporary table is not stored',
		setup => <<'END',
CREATE FUNCTION loader(integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT price FROM pg_temp.item WHERE id = $1);
EXCEPTION WHEN undefined_table THEN
  RETURN -1;
END$$;
SELECT cache_create('c', 'loader(integer)');
END
		steps => [
			'f > CREATE TEMPORARY TABLE item AS SELECT 1 AS id, 10 AS price',
			"f > $get", "r = $probe", 'f > DROP TABLE item'
		]
	},
	{
		guard => 'row_security',
		title => 'what was read under row security is not stored',
		setup => $item . <<'END',
CREATE FUNCTION limit_of_session() RETURNS integer LANGUAGE plpgsql STABLE
  AS $$BEGIN RETURN current_setting('test.most'); END$$;
SELECT cache_alter('c', trust => 'limit_of_session()');
ALTER TABLE item ENABLE ROW LEVEL SECURITY;
CREATE POLICY limited ON item USING (price < limit_of_session());
GRANT SELECT ON item TO reader;
END
		steps => [
			'f > SET ROLE reader', 'f > SET test.most = 1000',
			'r > SET ROLE reader', 'r > SET test.most = 15',
			"f > $fill", "r = $probe",
			'f > RESET ROLE', 'r > RESET ROLE'
		]
	},
	{
		guard => 'kept',
		title => 'a writer knows at once that another column holds the key',
		setup => $item . <<'END',
ALTER TABLE item ADD COLUMN spare integer;
UPDATE item SET spare = 8 - id;
END
		steps => [
			"w > PREPARE raise(integer) AS UPDATE item SET price = price + 1 WHERE price / 10 = \$1", 'w > EXECUTE raise(1)',
			'f > ALTER TABLE item DROP COLUMN id; ALTER TABLE item RENAME spare TO id',
			"r > $fill", 'w > EXECUTE raise(2)', "r = $probe", 'w > DEALLOCATE raise'
		]
	},
	{
		guard => 'kept',
		title => 'a writer knows at once that keys are compared under another collation',
		setup => <<'END',
CREATE COLLATION IF NOT EXISTS folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE item (name text, price integer);
INSERT INTO item VALUES ('Tea', 1);
CREATE TABLE alias (name text COLLATE folded);
CREATE FUNCTION loader(text) RETURNS bigint LANGUAGE sql STABLE
  AS 'SELECT sum(price) FROM item WHERE name = $1';
SELECT cache_create('c', 'loader(text)');
SELECT cache_watch('c', 'item', 'name');
END
		steps => [
			'w > UPDATE item SET price = price + 1', "f > SELECT cache_watch('c', 'alias', 'name')",
			"r > SELECT cache_get('c', 'Tea')", 'w > UPDATE item SET price = price + 1',
			"r = SELECT cache_get('c', 'Tea') IS NOT DISTINCT FROM to_jsonb(loader('Tea'))"
		]
	},
	{
		guard => 'names',
		title => 'names are hashed under the collation that keys are compared under',
		setup => $folded . <<'END',
CREATE TABLE alias (name text COLLATE folded);
CREATE FUNCTION loader(text) RETURNS bigint LANGUAGE sql STABLE
  AS 'SELECT sum(price) FROM item WHERE name = $1 COLLATE folded';
SELECT cache_create('c', 'loader(text)');
SELECT cache_watch('c', 'item', 'name'), cache_watch('c', 'alias', 'name');
END
		steps => [
			"r > SELECT cache_get('c', 'tea')", 'w > UPDATE item SET price = price + 1',
			"r = SELECT cache_get('c', 'tea') IS NOT DISTINCT FROM to_jsonb(loader('tea'))"
		]
	},
	{
		guard => 'names',
		title => 'nor is anything cached for keys that are compared under another collation than they are hashed',
		setup => $folded . <<'END',
CREATE FUNCTION loader(text) RETURNS bigint LANGUAGE sql STABLE
  AS 'SELECT sum(price) FROM item WHERE label = $1';
SELECT cache_create('c', 'loader(text)');
SELECT cache_watch('c', 'item', 'label');
END
		steps => [
			"r > SELECT cache_get('c', 'tea' COLLATE folded)", 'w > UPDATE item SET price = price + 1',
			"r = SELECT cache_get('c', 'tea' COLLATE folded) IS NOT DISTINCT FROM to_jsonb(loader('tea' COLLATE folded))"
		]
	},
	{
		guard => 'unwatched',
		title => 'what was read from a table that is not watched is not stored',
		setup => $item . "SELECT cache_unwatch('c', 'item');\n",
		steps => [ "r > $fill", "w > $update", "r = $probe" ]
	},
	{
		guard => 'mapping',
		title => 'a row is moved to another key before its writer commits',
		setup => $lines,
		steps => [ "w > BEGIN; $line", "f > $move", "f > $fill", 'w > COMMIT', "r = $probe" ]
	},
	{
		guard => 'mapping',
		title => 'its writer reads that key itself',
		setup => $lines,
		steps => [ "w > BEGIN; $line", "f > $move", "f > $fill", "w = $probe", 'w > COMMIT', "r = $probe" ]
	},
	{
		guard => 'mapping',
		title => 'a row is moved to another key after its writer has published',
		setup => $lines,
		steps => [
			"w > BEGIN; $line; PREPARE TRANSACTION 'w'", "f > $move", "f > $fill",
			"w > COMMIT PREPARED 'w'", "r = $probe"
		]
	},
	{
		guard => 'mapping',
		title => 'a row was moved by a transaction that has published and not committed',
		setup => $lines,
		steps => [
			"f > BEGIN; $move; PREPARE TRANSACTION 'f'", "w > BEGIN; $line", "f > COMMIT PREPARED 'f'",
			"f > $fill", 'w > COMMIT', "r = $probe"
		]
	},
	(
		map {
			{
				guard => 'whole_is_recorded',
				title => "a row is moved by a transaction that has changed the whole cache: $_",
				setup => $lines . <<'END',
CREATE TABLE parts (id integer) PARTITION BY LIST (id);
CREATE TABLE part PARTITION OF parts DEFAULT;
SELECT cache_watch('c', 'parts');
CREATE TABLE more (id integer);
CREATE TABLE aside (id integer);
SELECT cache_watch('c', 'aside');
END
				steps => [ "f > BEGIN; $_; $move", "w > BEGIN; $line", 'f > COMMIT', "f > $fill", 'w > COMMIT', "r = $probe" ]
			}
		} "SELECT cache_alter('c', max_cost => 1000000)",
		"SELECT cache_watch('c', 'more')",
		"SELECT cache_unwatch('c', 'aside')",
		'TRUNCATE part',
		'TRUNCATE parts'
	),
	(
		map {
			my ($what, $setup, $write, $replace, $probe) = @$_;
			(
				{
					guard => 'replaced_before',
					title => "$what is replaced before the writer publishes",
					setup => $setup,
					steps => [ "w > BEGIN; $write", "f > $replace", "r > $probe", "r > $probe", 'w > COMMIT', "r = $probe" ]
				},
				{
					guard => 'replaced_before',
					title => "$what: the writer reads",
					setup => $setup,
					steps => [ "w > BEGIN; $write", "f > $replace", "r > $probe", "r > $probe", "w = $probe", 'w > COMMIT', "r = $probe" ]
				},
				{
					guard => 'replaced_before',
					title => "$what: the writer has read in a subtransaction",
					setup => $setup,
					steps => [
						"w > BEGIN; $write", "f > $replace", "r > $probe", "r > $probe",
						"w > SAVEPOINT s; $probe; ROLLBACK TO s", 'w > COMMIT', "r = $probe"
					]
				},
				{
					guard => 'replaced_after',
					title => "$what is replaced after the writer has been prepared",
					setup => $setup,
					steps => [
						"w > BEGIN; $write; ROLLBACK; BEGIN; $write; PREPARE TRANSACTION 'w'", "f > $replace", "r > $probe", "r > $probe",
						"w > COMMIT PREPARED 'w'", "r = $probe"
					]
				}
			)
		} (
			[ 'a key function', $told, $line, $retell, $probe ],
			[ 'a hash function', $hashed, $raise, $rehash, $probe_hashed ],
			[
				'a hash function inside an array', $hashed, $raise, $rehash, $probe_array
			]
		)
	),
	(
		map {
			my ($what, $probe) = @$_;
			{
				guard => 'told_settle',
				title => "$what is replaced by a prepared transaction, before the writer begins",
				setup => $hashed,
				steps => [
					"f > BEGIN; $rehash; PREPARE TRANSACTION 'f'", "w > BEGIN; $raise", "f > COMMIT PREPARED 'f'",
					"r > $probe", "r > $probe", 'w > COMMIT', "r = $probe"
				]
			}
		} ([ 'a hash function', $probe_hashed ], [ 'a hash function inside an array', $probe_array ])
	),
	{
		guard => 'rehash',

		# Since 18 no call of a function in SQL uses what has been replaced.
		until => 17,
		title => 'nothing is stored under the hash of a function that has been replaced and is still in use',
		setup => $hashed,
		steps => [
			'r > BEGIN', "r > $get_array", 'f > BEGIN', "f > SELECT cache_get('array', ARRAY['1'::kind])",
			"w > $rehash", "f > $get_array", "f > $get_array", "w > BEGIN; $raise; ROLLBACK", "w > $raise", "r = $get_array = '21'", 'f > COMMIT', 'r > COMMIT'
		]
	},
	{
		guard => 'mapping',
		title => 'the key function sees the rows of an old snapshot',
		setup => $lines,
		steps => [ "w > $snapshot", "f > $move", "f > $fill", "w > $line", 'w > COMMIT', "r = $probe" ]
	},
	{
		guard => 'mapping',
		title => 'a snapshot that sees the move and not the row',
		setup => $lines,
		steps => [ "w > BEGIN; $line", "f > $move", "r > $snapshot", 'w > COMMIT', "f > $fill", "r = $probe" ]
	},
	{
		guard => 'mapping',
		title => 'what a subtransaction had taken over is taken over again',
		setup => $lines,
		steps => [
			"w > BEGIN; $line", "f > $move", "f > $fill", "w > SAVEPOINT s; SELECT cache_get('c', 3); ROLLBACK TO s",
			"w = $probe", 'w > COMMIT', "r = $probe"
		]
	},
	{
		guard => 'mapping',
		title => 'more is moved than can be remembered',
		setup => $lines,
		steps => [
			"w > $snapshot", "f > $move",
			"f > INSERT INTO orders SELECT i, i FROM generate_series(10, 300) i",
			(map { "f > UPDATE orders SET customer = customer + 1000 WHERE id BETWEEN 10 AND 210" } 1 .. 8),
			"f > $fill", "w > $line", 'w > COMMIT', "r = $probe"
		]
	},
	(
		map {
			{
				guard => 'ancestors',
				title => "what a hit has shown is still there for its snapshot: $_",
				setup => <<'END',
CREATE TABLE item (id integer, price integer) PARTITION BY LIST (id);
CREATE TABLE half PARTITION OF item DEFAULT PARTITION BY LIST (id);
CREATE TABLE part PARTITION OF half FOR VALUES IN (1);
INSERT INTO item VALUES (1, 10);
CREATE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT price FROM item WHERE id = $1';
SELECT cache_create('c', 'loader(integer)');
SELECT cache_watch('c', 'item', 'id');
END
				steps => [
					"f > $get", 'r > BEGIN ISOLATION LEVEL REPEATABLE READ', "r > $get", "w > SET lock_timeout = '100ms'",
					"w ? $_", 'r = SELECT coalesce(loader(1) = 10, false)', 'w > RESET lock_timeout', 'r > COMMIT'
				]
			}
		} 'ALTER TABLE part SET UNLOGGED',
		'TRUNCATE part',
		'DROP TABLE part',
		'ALTER TABLE half DETACH PARTITION part',
		'ALTER TABLE half DETACH PARTITION part CONCURRENTLY'
	),
	{
		guard => 'changed_parents',
		title => 'who writes through a parent hears that a partition of a partition is watched now',
		setup => <<'END',
CREATE TABLE item (id integer, price integer) PARTITION BY LIST (id);
CREATE TABLE half PARTITION OF item DEFAULT PARTITION BY LIST (id);
CREATE TABLE part PARTITION OF half FOR VALUES IN (1);
INSERT INTO item VALUES (1, 10);
CREATE FUNCTION loader(integer) RETURNS bigint LANGUAGE sql STABLE
  AS 'SELECT sum(price) FROM part WHERE id = $1';
SELECT cache_create('c', 'loader(integer)');
CREATE TABLE seen (exact boolean);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO seen SELECT cache_get('c', 1) IS NOT DISTINCT FROM to_jsonb(loader(1));
  RETURN NULL;
END $$;
CREATE TRIGGER " first" AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION look();
END
		steps => [
			'w > INSERT INTO item VALUES (1, 1)', "f > SELECT cache_watch('c', 'part', 'id')", "f > $get",
			'w > INSERT INTO item VALUES (1, 1)', 'r = SELECT bool_and(exact) FROM seen'
		]
	},
	{
		guard => 'unwatched',
		title => 'a key function that reads an unwatched table is not relied on',
		setup => $lines . "SELECT cache_unwatch('c', 'orders'); SELECT cache_alter('c', ttl => '1 hour');\n",
		steps => [ "w > BEGIN; $line", "f > $move; $fill", 'w > COMMIT', "r = SELECT cache_get('c', 3) IS NOT DISTINCT FROM to_jsonb(loader(3))" ]
	},
	{
		guard => 'caught_error',
		title => 'what a loader makes of an error that it has caught is not stored',
		setup => $item . <<'END',
CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT price FROM item WHERE id = $1);
EXCEPTION WHEN lock_not_available THEN
  RETURN 0;
END$$;
END
		steps => [
			'w > BEGIN; LOCK TABLE item IN ACCESS EXCLUSIVE MODE',
			"f > SET lock_timeout = '10ms'",
			"f > $get",
			'f > RESET lock_timeout',
			'w > ROLLBACK',
			"r = $probe"
		]
	},
	{
		guard => 'compiled',
		title => 'what PL/pgSQL has compiled under settings of the session is not run by a load',
		setup => <<'END',
CREATE FUNCTION loader(integer) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN $1 + extract(epoch FROM timestamptz '2020-01-01')::bigint;
END$$;
SELECT cache_create('c', 'loader(integer)');
END
		steps => [
			"w > SET TimeZone = 'Asia/Tokyo'", 'w > SELECT loader(1)', "w > $get", 'w > RESET TimeZone',
			"r = $probe"
		]
	},
	{
		guard => 'nested_hit',
		title => 'a hit in a load counts as reading what its cache reads',
		setup => $item . <<'END',
CREATE FUNCTION outer_loader(integer) RETURNS jsonb LANGUAGE sql STABLE
  AS $$SELECT cache_get('c', $1)$$;
SELECT cache_create('outer', 'outer_loader(integer)');
END
		steps => [
			"r > $fill",
			"f > SELECT cache_get('outer', 1)",
			"w > $update",
			"r = SELECT cache_get('outer', 1) IS NOT DISTINCT FROM outer_loader(1)"
		]
	});

my $node = new_node('guards', conf => 'wal_level = replica');
$node->safe_psql('postgres', 'CREATE ROLE reader');
my %sessions = map {
	$_ => session($node, $_,
		"SET cache.stop_points = 'copied, missed, loaded, converted, published, peeked, fenced, decided'",
		'SET client_min_messages = error')
} qw(f r w);
$sessions{h} = session($node, 'h');

my $times = 0;

# play runs a scenario and gives the answers of its probes.
sub play
{
	my ($scenario, $removed) = @_;
	my @answers;

	$times++;
	$node->safe_psql('postgres', $scenario->{setup} =~ s/<n>/$times/gr);
	$sessions{$_}->run("SET cache.removed_guard = '$removed'") for qw(f r w);
	foreach my $step (@{ $scenario->{steps} })
	{
		my ($who, $what, $rest) = $step =~ s/<n>/$times/gr =~ /^(\S+)\s+(\S+)\s*(.*)$/s;

		my $session = $sessions{$who};
		my $answer;

		if ($who eq '+') { hold($sessions{h}, $what); next; }
		if ($who eq '-') { release($sessions{h}, $what); next; }
		if ($what eq '&') { $session->park($rest); next; }
		$answer = $what eq '.' ? $session->join : $session->run($rest);
		die "$step: " . $session->errors if $session->errors =~ /ERROR/ && $what ne '?';
		push @answers, { t => 'exact', f => 'wrong' }->{$answer} if $what eq '=';
	}
	$sessions{$_}->run('ROLLBACK') for qw(f r w);
	$node->safe_psql('postgres', <<'END');
SET client_min_messages = error;
SELECT cache_drop(name) FROM cache_definition;
DROP SCHEMA IF EXISTS postgres CASCADE;
DROP OWNED BY reader;
DO $$
DECLARE thing regclass;
  routine regprocedure;
BEGIN
  FOR thing IN SELECT oid FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname NOT IN ('cache_definition', 'cache_value', 'cache_value_logged') LOOP
    EXECUTE format('DROP TABLE %s CASCADE', thing);
  END LOOP;
  DROP TYPE IF EXISTS kind CASCADE;
  FOR routine IN SELECT oid FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND proname NOT LIKE 'cache%' LOOP
    EXECUTE format('DROP FUNCTION %s CASCADE', routine);
  END LOOP;
END$$;
END
	return @answers;
}

my $version = $node->safe_psql('postgres', 'SHOW server_version_num') / 10000;

foreach my $scenario (@scenarios)
{
	my @answers = play($scenario, '');

	is("@answers", join(' ', ('exact') x @answers), "$scenario->{guard}: $scenario->{title}");
	next if int $version > ($scenario->{until} // 99);
	@answers = play($scenario, $scenario->{guard});
	ok((grep { $_ eq 'wrong' } @answers), "$scenario->{guard}: not so without the guard");
}
$_->quit for values %sessions;
$node->stop;
done_testing();
