# Keys as drivers send them: the messages of each driver, as it sends them for the
# call that the README gives for it, and others of its kind.
use strict;
use warnings;
use CacheTest;
use PostgreSQL::Test::Utils;
use Test::More;
use WireTest;

my ($BOOL, $INT8, $INT2, $INT4, $TEXT, $VARCHAR, $DATE, $NUMERIC, $UUID) = (16, 20, 21, 23, 25, 1043, 1082, 1700, 2950);
my ($INT2_ARRAY, $INT4_ARRAY, $TEXT_ARRAY, $INT8_ARRAY) = (1005, 1007, 1009, 1016);
my $ID = '11111111-1111-1111-1111-111111111111';
my ($TEXTUAL, $BINARY) = (0, 1);
my $LEAP_DAY = 8825;    # 2024-02-29

my $node = new_node('drivers');
$node->safe_psql('postgres', <<"END");
CREATE TABLE price (id int, currency text, at date, amount numeric, ref bigint, PRIMARY KEY (id, currency, at));
INSERT INTO price VALUES (42, 'EUR', '2024-02-29', 1.10, 9007199254740993);
CREATE TABLE person (id uuid PRIMARY KEY, name text);
INSERT INTO person VALUES ('$ID', 'Ann');
CREATE FUNCTION one(i int) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT amount FROM price WHERE id = i';
CREATE FUNCTION price_of(i int, c text, d date) RETURNS numeric LANGUAGE sql STABLE
  AS 'SELECT amount FROM price WHERE id = i AND currency = c AND at = d';
CREATE FUNCTION name_of(i uuid) RETURNS text LANGUAGE sql STABLE AS 'SELECT name FROM person WHERE id = i';
CREATE FUNCTION ref(i bigint) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT ref FROM price WHERE id = i';
SELECT cache_create('one', 'one(int)'), cache_create('price', 'price_of(int, text, date)'),
  cache_create('name', 'name_of(uuid)'), cache_create('ref', 'ref(bigint)'), cache_create('draft');
SELECT cache_watch('one', 'price', 'id'), cache_watch('price', 'price', 'id', 'currency', 'at'),
  cache_watch('name', 'person', 'id'), cache_watch('ref', 'price', 'id');
SELECT cache_set('draft', 'a', '{"x": 1}');
END
my $key_type = $node->safe_psql('postgres', "SELECT 'cache_key'::regtype::oid");
my $c = connect_to($node);

# gives checks that a reply has one row, of these values.
sub gives
{
	my ($reply, $want, $label) = @_;

	is_deeply($reply->{error} // $reply->{rows}, [$want], $label) or diag(explain($reply->{error}));
	return;
}

# fails checks that a reply is an error with this SQLSTATE.
sub fails
{
	my ($reply, $sqlstate, $label) = @_;

	is($reply->{error} && $reply->{error}{C}, $sqlstate, $label) or diag(explain($reply));
	return;
}

# The README's calls. A driver may have placeholders of its own, put literals in
# their place (no statement to be parsed), ask for the types first, and send types
# and binary values.
my %readme = slurp_file('README.md') =~ /^### From your driver\n.*?^\|---\|---\|\n(.*?)^$/ms
  ? map { /^\| (.*?) \| (.*?) \|$/ ? ($1 => $2) : () } split(/\n/, $1)
  : ();
my @day = ('42', 'EUR', '2024-02-29');
my $numbered = "SELECT cache_get('price', \$1, \$2, \$3)";
for my $driver (
	[ 'node-postgres', $numbered, send => [ [], \@day ] ],
	[ 'Postgres.js', "SELECT cache_get('price', \${42}, \${'EUR'}, \${'2024-02-29'})", asks => [ \@day ] ],
	[ 'Knex', "SELECT cache_get('price', ?, ?, ?)", send => [ [], \@day ] ],
	[ 'Drizzle', "SELECT cache_get('price', \${42}, \${'EUR'}, \${'2024-02-29'})", send => [ [], \@day ] ],
	[ 'Sequelize', $numbered, send => [ [], \@day ] ],
	[ 'psycopg2, psycopg 3', "SELECT cache_get('price', %s, %s, %s)", query => "SELECT cache_get('price', 42, 'EUR', '2024-02-29'::date)" ],
	[ 'psycopg2, psycopg 3', "SELECT cache_get('price', %s, %s, %s)", send => [ [ $INT2, 0, $DATE ], \@day ] ],
	[ 'asyncpg', $numbered, asks => [ [ int4(42), 'EUR', date($LEAP_DAY) ], formats => [$BINARY], results => [$BINARY] ] ],
	[ 'Django', "'cache_get'", query => q{SELECT cache_get('price', "price"."id", 'EUR', "price"."at") AS price FROM price} ],
	[ 'JDBC', "SELECT cache_get('price', ?, ?, ?)", send => [ [ $INT4, $VARCHAR, 0 ], \@day ] ],
	[ 'JDBC', "SELECT cache_get('price', ?, ?, ?)", send => [ [ $INT8, $VARCHAR, 0 ], [ int8(42), 'EUR', '2024-02-29 +00' ], formats => [ $BINARY, $TEXTUAL, $TEXTUAL ] ] ],
	[ 'pgx', $numbered, asks => [ [ int4(42), 'EUR', date($LEAP_DAY) ], formats => [ $BINARY, $TEXTUAL, $BINARY ], results => [$BINARY] ] ])
{
	my ($name, $call, $how, $sent) = @$driver;
	my $want = $how eq 'asks' && @$sent > 1 ? "\x011.10" : '1.10';    # jsonb in binary

	like($readme{$name} // '', qr/\Q$call\E/, "README: $name");
	gives($c->query($sent), [$want], $name) if $how eq 'query';
	gives($c->params($numbered, @$sent), [$want], $name) if $how eq 'send';
	next if $how ne 'asks';
	is_deeply($c->parse($numbered)->{types}, [ $INT4, $TEXT, $DATE ], "$name asks");
	gives($c->bind('', @$sent), [$want], $name);
}
ok(exists $readme{PgBouncer}, 'README: PgBouncer');

# libpq with no types at all, which is what node-postgres sends, and knex,
# Drizzle and Sequelize (bind) through it
for my $round (1 .. 2)
{
	gives($c->params("SELECT cache_get('one', \$1)", [], ['42']), ['1.10'], 'no types: one key');
	gives($c->params("SELECT cache_get('price', \$1, \$2, \$3)", [], [ '42', 'EUR', '2024-02-29' ]), ['1.10'], 'three keys');
	gives($c->params("SELECT cache_get('price', \$1, \$2, \$3)", [], [ '42', 'EUR', '2024-02-29T00:00:00.000+00:00' ]),
		['1.10'], 'a Date of JavaScript');
	gives($c->params("SELECT cache_get('price', 42, \$1, \$2)", [], [ 'EUR', '2024-02-29' ]), ['1.10'], 'a literal with a type and two keys');
	gives($c->params("SELECT cache_get('price', id, \$1, \$2) FROM price", [], [ 'EUR', '2024-02-29' ]), ['1.10'], 'a column and two keys');
	gives($c->params("SELECT cache_get('price', \$1::int, \$2, \$3)", [], [ '42', 'EUR', '2024-02-29' ]), ['1.10'], 'one with a type');
	gives($c->params("SELECT cache_get_as(NULL::text, 'name', \$1)", [], [$ID]), ['Ann'], 'a text value');
	gives($c->params("SELECT cache_get('name', \$1)", [], [$ID]), ['"Ann"'], 'which is JSON otherwise');
	gives($c->params("SELECT cache_get_as(NULL::bigint, 'ref', \$1)", [], ['42']), ['9007199254740993'], 'a bigint');
	gives($c->params("SELECT cache_get('one', \$1)", [], [undef]), [undef], 'null');
	gives($c->params("SELECT cache_get(\$1, \$2)", [], [ 'one', '42' ]), ['1.10'], 'the name is a parameter');
	gives($c->params("SELECT cache_get('draft', \$1)", [], ['a']), ['{"x": 1}'], 'no loader');
	is_deeply($c->params("SELECT * FROM cache_get_many('one', \$1)", [], ['{"42","43"}'])->{rows},
		[ [ '42', '1.10' ], [ '43', undef ] ], 'many');
	is($c->params("SELECT * FROM cache_get_many('one', \$1::int[])", [], ['{"42","43"}'])->{columns}[0]{type}, $INT4, 'many, with a type');
}
fails($c->params("SELECT cache_get('one', \$1)", [], ['abc']), '22P02', 'what is no number');
fails($c->params("SELECT cache_get('one', \$1)", [], ['99999999999']), '22003', 'what is too large');
fails($c->params("SELECT cache_get('one', \$1, \$2)", [], [ '42', '1' ]), '22023', 'too many keys');
fails($c->params("SELECT cache_get('nothing', \$1)", [], ['42']), '42704', 'no such cache');
gives($c->params("SELECT cache_ttl('one', \$1), cache_invalidate('one', \$1)", [], ['42']), [ undef, '' ], 'the same parameter twice');

# the same in binary, of the types that the server tells: asyncpg, pgx
my $reply = $c->parse("SELECT cache_get('one', \$1), cache_get_as(NULL::text, 'name', \$2)", [], 's1');
is_deeply($reply->{types}, [ $INT4, $UUID ], 'Describe tells the types of keys');
for (1 .. 8)
{
	gives($c->bind('s1', [ int4(42), uuid($ID) ], formats => [$BINARY]), [ '1.10', 'Ann' ], 'which take binary values');
}
gives($c->bind('s1', [ '42', $ID ]), [ '1.10', 'Ann' ], 'and texts');
$reply = $c->parse("SELECT cache_get('price', 42, \$2, \$1)", [], 's2');
is_deeply($reply->{types}, [ $DATE, $TEXT ], 'of some keys among others, too');
gives($c->bind('s2', [ date($LEAP_DAY), 'EUR' ], formats => [ $BINARY, $TEXTUAL ]), ['1.10'], 'in both formats');
is_deeply($c->parse("SELECT cache_get(\$1, \$2)", [], 's3')->{types}, [ $TEXT, $key_type ], 'where the name is a parameter, a text');
gives($c->bind('s3', [ 'one', '42' ], formats => [$BINARY]), ['1.10'], 'in binary as well');
is_deeply($c->parse("SELECT cache_get('draft', \$1)")->{types}, [$TEXT], 'the key of a cache without a loader');
is_deeply($c->parse("SELECT * FROM cache_get_many('one', \$1::int[])", [], 's4')->{types}, [$INT4_ARRAY], 'an array');
is_deeply($c->bind('s4', [ array($INT4, int4(42), int4(43)) ], formats => [$BINARY])->{rows},
	[ [ '42', '1.10' ], [ '43', undef ] ], 'in binary');

# integers of other widths: psycopg 3 sends the narrowest, JDBC's setLong, Go and
# JavaScript's BigInt the widest
for my $case ([ $INT2, int2(42) ], [ $INT4, int4(42) ], [ $INT8, int8(42) ])
{
	gives($c->params("SELECT cache_get('one', \$1), cache_get_as(NULL::bigint, 'ref', \$1)", [ $case->[0] ], [ $case->[1] ], formats => [$BINARY]),
		[ '1.10', '9007199254740993' ], "type $case->[0] for int and bigint");
}
fails($c->params("SELECT cache_get('one', \$1)", [$INT8], [ int8(42_000_000_000) ], formats => [$BINARY]), '22003', 'a bigint that is no int');
gives($c->params("SELECT cache_get('one', \$1)", [$NUMERIC], ['42.00']), ['1.10'], 'numeric for int');
fails($c->params("SELECT cache_get('one', \$1)", [$NUMERIC], ['42.50']), '42804', 'a numeric that is no int');
for my $type ($TEXT, $VARCHAR, $key_type)
{
	gives($c->params("SELECT cache_get('price', \$1, \$2, \$3), cache_get_as(NULL::text, 'name', \$4)", [ ($type) x 4 ], [ '42', 'EUR', '2024-02-29', $ID ]),
		[ '1.10', 'Ann' ], "type $type for all");
}
fails($c->params("SELECT cache_get('one', \$1)", [$BOOL], ['t']), '42804', 'a boolean is no int');
for my $case ([ $INT2_ARRAY, $INT2, \&int2 ], [ $INT8_ARRAY, $INT8, \&int8 ])
{
	my ($array, $type, $make) = @$case;

	$reply = $c->params("SELECT * FROM cache_get_many('one', \$1)", [$array], [ array($type, $make->(42), $make->(43)) ], formats => [$BINARY]);
	is_deeply([ $reply->{columns}[0]{type}, $reply->{rows} ], [ $type, [ [ '42', '1.10' ], [ '43', undef ] ] ], "an array of $type gives keys of it");
}
gives($c->params("SELECT * FROM cache_get_many('name', \$1)", [$TEXT_ARRAY], ["{$ID}"]), [ $ID, '"Ann"' ], 'an array of texts for uuids');
fails($c->params("SELECT * FROM cache_get_many('one', \$1)", [$INT8_ARRAY], ['{42,42000000000}']), '22003', 'an array with what is no int');

# JDBC: dates without a type, strings as varchar; beyond its threshold in binary
gives($c->params("SELECT cache_get('price', \$1, \$2, \$3)", [ $INT4, $VARCHAR, 0 ], [ int4(42), 'EUR', '2024-02-29' ], formats => [ $BINARY, $TEXTUAL, $TEXTUAL ]),
	['1.10'], 'JDBC: some have a type and some have none');
is_deeply($c->parse("SELECT cache_get('price', \$1, \$2, \$3)", [ $INT8, $VARCHAR, 0 ], 'S_1')->{types}, [ $INT8, $VARCHAR, $DATE ], 'a named statement');
gives($c->bind('S_1', [ int8(42), 'EUR', '2024-02-29 +01' ], formats => [ $BINARY, $TEXTUAL, $TEXTUAL ]), ['1.10'], 'a Date of Java');

# named statements go on through writes and DDL, and hear of another loader
my $writer = connect_to($node);
$writer->query('UPDATE price SET amount = 2');
gives($c->bind('s1', [ '42', $ID ]), [ '2', 'Ann' ], 'after a write');
$writer->query('ALTER TABLE price ADD note text');
gives($c->bind('s1', [ '42', $ID ]), [ '2', 'Ann' ], 'after DDL on the table');
gives($c->bind('S_1', [ int8(42), 'EUR', '2024-02-29' ], formats => [ $BINARY, $TEXTUAL, $TEXTUAL ]), ['2'], 'with a type and without');
is_deeply($c->parse("SELECT key FROM cache_get_many('one', \$1)", [], 's5')->{types}, [$key_type], 'many');
$writer->query('ALTER TABLE price DROP note');
gives($c->bind('s5', ['{42}']), ['42'], 'after DDL');
$writer->query("CREATE FUNCTION one(i bigint) RETURNS text LANGUAGE sql STABLE AS 'SELECT ''other '' || i'");
$writer->query("SELECT cache_drop('one'), cache_create('one', 'one(bigint)')");
gives($c->bind('s1', [ '42', $ID ]), [ '"other 42"', 'Ann' ], 'of another loader with wider keys');
gives($c->bind('s3', [ 'one', '42000000000' ]), ['"other 42000000000"'], 'where the name is a parameter, with all of its keys');
$writer->query("SELECT cache_drop('one'), cache_create('one', 'one(int)'), cache_watch('one', 'price', 'id')");

# a pool that gives each transaction another session, each of which prepares the
# statement: PgBouncer
my @pool = map { connect_to($node) } 1 .. 3;
$_->parse("SELECT cache_get('one', \$1)", [], 'P_1') for @pool;
for my $i (1 .. 6)
{
	$writer->query("UPDATE price SET amount = $i");
	gives($pool[ $i % 3 ]->bind('P_1', ['42']), [$i], 'any session of a pool');
}

# in commands that contain a query
like($c->params("EXPLAIN (VERBOSE, COSTS OFF) SELECT cache_get('price', 42, \$1, \$2)", [], [ 'EUR', '2024-02-29' ])->{rows}[1][0],
	qr/cache_get\('price'::text, 42, 'EUR'::text, '2024-02-29'::date\)/, 'EXPLAIN');
$c->params("CREATE TEMP TABLE made AS SELECT cache_get_as(NULL::numeric, 'price', 42, \$1, \$2) AS v", [], [ 'EUR', '2024-02-29' ]);
gives($c->query('SELECT v FROM made'), ['6'], 'CREATE TABLE AS');
$c->query('BEGIN');
$c->params("DECLARE cur CURSOR FOR SELECT cache_get('price', 42, \$1, \$2)", [], [ 'EUR', '2024-02-29' ]);
gives($c->query('FETCH cur'), ['6'], 'DECLARE CURSOR');
$c->query('COMMIT');
$c->query("CREATE PROCEDURE take(INOUT v jsonb) LANGUAGE sql AS 'SELECT v'");
gives($c->params("CALL take(cache_get('price', 42, \$1, \$2))", [], [ 'EUR', '2024-02-29' ]), ['6'], 'CALL');
SKIP:
{
	skip('before PostgreSQL 16', 1) if $node->pg_version < 16;
	like($c->query("EXPLAIN (GENERIC_PLAN) SELECT cache_get('price', 42, \$1, \$2)")->{rows}[0][0], qr/Result/, 'EXPLAIN (GENERIC_PLAN)');
}

done_testing();
