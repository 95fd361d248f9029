# After a commit, what it has invalidated is published in Redis: in order, and only
# what has committed. The subscriber here is a real one.
use strict;
use warnings;
use CacheTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use RedisTest;
use Test::More;

my $redis = start_redis('redis');
my $node = redis_node('broadcast', $redis, conf => 'cache.redis_timeout = 200ms');
my $channel = 'cache:invalidate';
my $file = $redis->subscribe($channel);
my $marks = 0;
my $read = 0;
my $json = JSON::PP->new->utf8->canonical;

sub sql
{
	return $node->safe_psql('postgres', @_);
}

# heard gives the messages since the last call, up to a mark that is sent now.
sub heard
{
	my $mark = 'mark ' . ++$marks;
	my @messages;

	sql("INSERT INTO mark VALUES ('$mark')");
	poll('the mark', sub { slurp_file($file, $read) =~ /\["\Q$mark\E"\].*\n/ });
	@messages = map { $json->decode($_) } grep { /^\{/ } split /\n/, slurp_file($file, $read);
	$read = -s $file;
	is($messages[-1]{key}[0], $mark, 'nothing comes after the mark');
	pop @messages;
	return @messages;
}

# keys_of writes messages short.
sub keys_of
{
	return join ' ', map { ($_->{cache} // '*') . ':' . ($_->{key} ? $json->encode($_->{key}) : '*') } @_;
}

sql(<<'END');
CREATE TABLE mark (name text);
CREATE FUNCTION load_mark(text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM mark WHERE name = $1';
CREATE TABLE config (name text, value text);
CREATE FUNCTION load_config(text) RETURNS text LANGUAGE sql STABLE
  AS 'SELECT string_agg(value, '','' ORDER BY value) FROM config WHERE name IS NOT DISTINCT FROM $1';
CREATE TABLE price (id integer, currency text, day date, price numeric);
CREATE FUNCTION load_price(integer, text, date) RETURNS numeric LANGUAGE sql STABLE
  AS 'SELECT sum(price) FROM price WHERE id = $1 AND currency = $2 AND day = $3';
SELECT cache_create('mark', 'load_mark(text)', redis => true),
  cache_create('config', 'load_config(text)', redis => true),
  cache_create('price', 'load_price(integer, text, date)', redis => true),
  cache_create('silent', 'load_config(text)');
SELECT cache_watch('mark', 'mark', 'name'), cache_watch('config', 'config', 'name'),
  cache_watch('price', 'price', 'id', 'currency', 'day'), cache_watch('silent', 'config', 'name');
END
heard();

# One commit, one message
my $xid = sql("BEGIN; INSERT INTO config VALUES ('theme', 'dark'); SELECT pg_current_xact_id(); COMMIT");
is_deeply([ heard() ],
	[ { database => 'postgres', cache => 'config', key => ['theme'], xid => $xid } ],
	'a commit, and what it tells');
like(slurp_file($file), qr/^\{"database":"postgres","cache":"config","key":\["theme"\],"xid":$xid\}$/m,
	'the bytes of a message');

# Commits of one session, in order
sql(join '', map { "INSERT INTO config VALUES ('k$_', '');\n" } 1 .. 200);
is(keys_of(heard()), join(' ', map { "config:[\"k$_\"]" } 1 .. 200), 'many commits, in order');

# Sessions at the same time: each in its own order
$node->pgbench(
	'--client=4 --jobs=2 --transactions=50 --no-vacuum --define=n=0',
	0, [qr{processed: 200/200}], [qr{^$}],
	'four sessions',
	{
		'redis_broadcast' => <<'END'
\set n :n + 1
INSERT INTO config VALUES ('s' || :client_id || '.' || :n, '');
END
	});
my %orders;
/^s(\d)\.(\d+)$/ && push @{ $orders{$1} }, $2 foreach map { $_->{key}[0] } heard();
is_deeply(\%orders, { map { $_ => [ 1 .. 50 ] } 0 .. 3 }, 'many sessions, each in order');

# Both keys of a row that moves; a key once, however often it is written
sql("BEGIN; UPDATE config SET name = 'light' WHERE name = 'theme'; UPDATE config SET value = 'x' WHERE name = 'light'; COMMIT");
is(join(' ', sort split / /, keys_of(heard())), 'config:["light"] config:["theme"]', 'old key and new key, once');

# What is rolled back is not told.
sql(<<'END');
BEGIN;
INSERT INTO config VALUES ('rolled back', '');
ROLLBACK;
BEGIN;
INSERT INTO config VALUES ('before', '');
SAVEPOINT a;
INSERT INTO config VALUES ('rolled back to', '');
SAVEPOINT b;
INSERT INTO config VALUES ('and released before', '');
RELEASE b;
ROLLBACK TO a;
SAVEPOINT c;
INSERT INTO config VALUES ('released', '');
RELEASE c;
COMMIT;
END
is(keys_of(heard()), 'config:["before"] config:["released"]', 'rollbacks and savepoints');
sql("BEGIN;\n" . "SAVEPOINT a; INSERT INTO config SELECT repeat('x', 1900) || i FROM generate_series(1, 100) i; ROLLBACK TO a;\n" x 8
	  . "INSERT INTO config VALUES ('at last', ''); COMMIT");
is(keys_of(heard()), 'config:["at last"]', 'what is rolled back takes no room from what is not');

# Another library writes at the very end of a transaction, when this one has published,
# and somebody else has moved what it writes to.
sql(<<'END');
CREATE TABLE orders (id integer PRIMARY KEY, customer integer);
CREATE TABLE lines (order_id integer, amount integer);
INSERT INTO orders VALUES (1, 1), (2, 2);
CREATE FUNCTION spent(integer) RETURNS bigint LANGUAGE sql STABLE
  AS 'SELECT sum(amount) FROM lines l JOIN orders o ON o.id = order_id WHERE customer = $1';
CREATE FUNCTION customer_of(l lines) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT customer FROM orders WHERE id = l.order_id';
SELECT cache_create('spent', 'spent(integer)', redis => true);
SELECT cache_watch('spent', 'lines', keys => 'customer_of(lines)'), cache_watch('spent', 'orders', 'customer');
END
heard();
my ($writer, $holder) = map { session($node, $_) } qw(writer holder);
$holder->run('SELECT pg_advisory_lock(1)');
$writer->park('BEGIN; INSERT INTO lines VALUES (2, 7);'
	  . " SET LOCAL cache.late_command = 'SELECT pg_advisory_xact_lock(1); INSERT INTO lines VALUES (1, 5)'; COMMIT");
sql('UPDATE orders SET customer = 3 WHERE id = 1');
is(keys_of(heard()), 'spent:["1"] spent:["3"]', 'a row moves');
$holder->run('SELECT pg_advisory_unlock(1)');
$writer->join;
is(keys_of(heard()), 'spent:["2"] spent:["3"] spent:*', 'who writes it at the very end tells of the key, and of what has been moved');
$_->quit for $writer, $holder;
sql("SELECT cache_drop('spent'); DROP TABLE orders, lines CASCADE");
heard();
$node->psql('postgres', "INSERT INTO config VALUES ('fails', ''), ('fails', (1 / (random() * 0))::text)");
is(keys_of(heard()), '', 'a statement that fails');
sql("SELECT cache_invalidate('config', 'a'); BEGIN; SELECT cache_invalidate('config', 'b'); ROLLBACK");
is(keys_of(heard()), 'config:["a"]', 'cache_invalidate()');

# Prepared transactions: when they have committed
$xid = sql("BEGIN; INSERT INTO config VALUES ('prepared', ''); SELECT pg_current_xact_id(); PREPARE TRANSACTION 'p'");
sql("INSERT INTO config VALUES ('meanwhile', '')");
is(keys_of(heard()), 'config:["meanwhile"]', 'a prepared transaction is not told');
sql("COMMIT PREPARED 'p'");
wait_for($node, "NOT EXISTS (SELECT FROM pg_prepared_xacts)");
poll('COMMIT PREPARED', sub { slurp_file($file, $read) =~ /"prepared"/ });
is_deeply([ heard() ],
	[ { database => 'postgres', cache => 'config', key => ['prepared'], xid => $xid } ],
	'COMMIT PREPARED is');
sql("BEGIN; INSERT INTO config VALUES ('never', ''); PREPARE TRANSACTION 'p'");
sql("ROLLBACK PREPARED 'p'");
is(keys_of(heard()), '', 'ROLLBACK PREPARED is not');
sql("INSERT INTO config VALUES ('later', '')");
is(keys_of(heard()), 'config:["later"]', 'neither later');

# Whole caches, and all caches
sql('TRUNCATE config');
is(keys_of(heard()), 'config:*', 'TRUNCATE');
sql("SELECT cache_invalidate('config')");
is(keys_of(heard()), 'config:*', 'cache_invalidate() of a cache');
sql('CREATE FUNCTION unused() RETURNS void LANGUAGE sql RETURN NULL; CREATE ROLE somebody');
is(keys_of(heard()), '', 'DDL on what nothing depends on');
sql('CREATE ROLE team; GRANT SELECT ON config TO team; CREATE ROLE reader');
heard();
sql('GRANT team TO reader');
is(keys_of(heard()), '', 'a membership of a role that has loaded nothing');
sql("SET ROLE reader; SELECT cache_get('config', 'later')");
sql("ALTER ROLE reader VALID UNTIL '2040-01-01'");
is(keys_of(heard()), '', 'what changes no right of one that has');
sql('REVOKE team FROM reader');
my @of_role = heard();
is(keys_of(@of_role), '*:*', 'what does');
is($of_role[0]{database}, 'postgres', 'where it has');
sql('ALTER TABLE config ADD extra integer');
is(keys_of(heard()), 'config:*', 'DDL on what one depends on');
sql('CREATE CAST (config AS integer) WITH INOUT');
my @messages = heard();
is(keys_of(@messages), '*:*', 'DDL on what any may depend on');
is($messages[0]{database}, 'postgres', 'of one database');
sql('GRANT SET ON PARAMETER log_duration TO somebody');
@messages = heard();
is(keys_of(@messages), '*:*', 'DDL of the cluster');
is($messages[0]{database}, undef, 'of all databases');
sql("BEGIN; INSERT INTO config SELECT 'many' || i, '' FROM generate_series(1, 20000) AS i; COMMIT");
@messages = heard();
is((grep { $_->{cache} eq 'config' && !$_->{key} } @messages), 1, 'more keys than a transaction remembers');
sql("SELECT cache_drop('config')");
is((grep { !defined $_->{key} } heard()) > 0, 1, 'a dropped cache');
sql("SELECT cache_create('config', 'load_config(text)', redis => true); SELECT cache_watch('config', 'config', 'name')");
heard();

# Keys of all kinds
my @odd = ("it's", '"', '\\', "a\nb\tc", "\x{fc}\x{20ac}\x{1f600}", '', ' ', '{}', 'null', '$1', '%s', "\x7f", 'x' x 2000);
foreach my $key (@odd)
{
	my $bytes = $key;

	utf8::encode($bytes);
	sql("INSERT INTO config VALUES (\$odd\$$bytes\$odd\$, '')");
}
is_deeply([ map { $_->{key} } heard() ], [ map { [$_] } @odd ], 'keys that have to be quoted');
sql("INSERT INTO config VALUES (NULL, '')");
is_deeply([ map { $_->{key} } heard() ], [ [undef] ], 'a NULL');
sql("SET DateStyle = 'SQL, DMY'; INSERT INTO price VALUES (42, 'EUR', '2024-02-29', 1), (NULL, NULL, NULL, 2)");
is(keys_of(heard()), 'price:["42","EUR","2024-02-29"] price:[null,null,null]', 'keys of several columns');

# A name with quotes, in another database
$node->safe_psql('postgres', 'CREATE DATABASE "a ""b"""');
$node->safe_psql('a "b"', <<'END');
CREATE EXTENSION cache;
CREATE TABLE config (name text, value text);
CREATE FUNCTION load_config(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT min(value) FROM config WHERE name = $1';
SELECT cache_create('it''s "it"', 'load_config(text)', redis => true);
SELECT cache_watch('it''s "it"', 'config', 'name');
INSERT INTO config VALUES ('k', 'v');
END
@messages = grep { $_->{key} } heard();
is_deeply([ @{ $messages[0] }{qw(database cache key)} ], [ 'a "b"', q{it's "it"}, ['k'] ], 'names that have to be quoted');

# What cannot be sent is not lost without a word.
sub lost
{
	my ($title, $begin, $end) = @_;

	$begin->();
	sql("INSERT INTO config SELECT 'lost' || i || repeat('x', 1000), '' FROM generate_series(1, 1000) AS i") for 1 .. 5;
	$end->();
	wait_state($node, 'up');
	sql("INSERT INTO mark VALUES ('end of $title')");
	poll('the mark', sub { slurp_file($file, $read) =~ /"end of $title"/ });
	like(slurp_file($file, $read), qr/^\{"database":null,"cache":null,"key":null,"xid":null\}$/m, $title);
	$read = -s $file;
	return;
}
my $worker = worker_pid($node);
my $dropped = redis_row($node, 'messages_dropped');
lost('messages for which there is no room', sub { kill 'STOP', $worker }, sub { kill 'CONT', $worker });
cmp_ok(redis_row($node, 'messages_dropped'), '>', $dropped, 'they are counted');
lost('messages that came while Redis hung',
	sub {
		$redis->pause;
		sql("INSERT INTO config VALUES ('one', '')");
		wait_state($node, 'down');
	},
	sub { $redis->resume; });

# An application that keeps copies of its own. It listens first, then reads; whatever
# it hears of it drops, and all when a message says so or the connection is lost.
my $listener = $redis->connection;
my %copies;

$listener->command('SUBSCRIBE', $channel);

sub config
{
	my ($name) = @_;

	while ($listener->pending)
	{
		my $message = $json->decode($listener->receive->[2]);

		next if defined $message->{database} && $message->{database} ne 'postgres';
		next if defined $message->{cache} && $message->{cache} ne 'config';
		if ($message->{key})
		{
			delete $copies{ $message->{key}[0] };
		}
		else
		{
			%copies = ();
		}
	}
	return $copies{$name} //= sql("SELECT cache_get('config', '$name')");
}
sql("TRUNCATE config; INSERT INTO config VALUES ('theme', 'dark'), ('size', 'small')");
is(config('theme'), '"dark"', 'an application reads');
is(config('size'), '"small"', 'and reads');
sql("UPDATE config SET value = 'light' WHERE name = 'theme'");
poll('the new value', sub { config('theme') eq '"light"' });
is($copies{size}, '"small"', 'it has dropped what has changed, and no more');
sql('TRUNCATE config');
poll('nothing', sub { config('size') eq '' });
is_deeply(\%copies, { size => '' }, 'and then all');
$node->stop;
done_testing();
