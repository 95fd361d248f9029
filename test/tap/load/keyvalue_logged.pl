# Caches without a loader that are logged survive crashes, are dumped and restored, and can
# be read on a standby; beside each is one that is not.
use strict;
use warnings;
use CacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('logged', allows_streaming => 1);
my $dir = PostgreSQL::Test::Utils::tempdir;
my ($out, $err);

# values gives what is in both caches, twice: the second time from memory, where there is any.
sub values_of
{
	my ($server, $db) = @_;
	my $sql = q{SELECT string_agg(concat(kept.key, kept.value, '/', lost.value), ' ' ORDER BY kept.key)
		FROM cache_get_many('kept', '{a,b,p,t}'::text[]) kept JOIN cache_get_many('lost', '{a,b,p,t}'::text[]) lost USING (key)};
	my $first = $server->safe_psql($db // 'postgres', $sql);

	is($server->safe_psql($db // 'postgres', $sql), $first, 'and again');
	return $first;
}

my $set = sub { my ($key, $value) = @_; "SELECT cache_set('kept', '$key', '$value'), cache_set('lost', '$key', '$value')" };

$node->safe_psql('postgres', "SELECT cache_create('kept', logged => true), cache_create('lost');"
	  . $set->('a', 1) . ';' . $set->('b', 2));

# Crashes
is(values_of($node), 'a1/1 b2/2 p/ t/', 'both have values');
$node->safe_psql('postgres', 'BEGIN; ' . $set->('p', 3) . "; PREPARE TRANSACTION 'p'");
my $open = session($node, 'open', 'BEGIN', $set->('b', 9));
$node->stop('immediate');
eval { $open->quit };
$node->start;
is(values_of($node), 'a1/ b2/ p/ t/', 'a crash: what is logged is there, and nothing that was not committed');
$node->safe_psql('postgres', "COMMIT PREPARED 'p'");
is(values_of($node), 'a1/ b2/ p3/ t/', 'and what was prepared');
$node->safe_psql('postgres', $set->('a', 1) . ';' . $set->('b', 2) . "; SELECT cache_alter('lost', logged => true), cache_alter('kept', logged => false)");
$node->stop('immediate');
$node->start;
is(values_of($node), 'a/1 b/2 p/ t/', 'a crash after they have changed places');
$node->safe_psql('postgres', $set->('a', 1) . ';' . $set->('b', 2) . "; BEGIN; SELECT cache_alter('lost', logged => false), cache_alter('kept', logged => true); PREPARE TRANSACTION 'back'");
is(values_of($node), 'a1/1 b2/2 p/ t/', 'the way back is prepared');
$node->stop('immediate');
$node->start;
is(values_of($node), 'a/1 b/2 p/ t/', 'a crash: not resolved yet');
$node->safe_psql('postgres', "COMMIT PREPARED 'back'");
is(values_of($node), 'a1/ b2/ p/ t/', 'and now it is');

# A standby
$node->safe_psql('postgres', $set->('a', 1) . ';' . $set->('b', 2));
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is(values_of($standby), 'a1/ b2/ p/ t/', 'a standby has what is logged');
my $old = session($standby, 'old', 'BEGIN ISOLATION LEVEL REPEATABLE READ');
is($old->run("SELECT cache_get('kept', 'a')"), 1, 'an old snapshot');

# On the primary: a savepoint that is rolled back, a prepared transaction, an expiry
$node->safe_psql('postgres', "BEGIN; SELECT cache_set('kept', 'a', '5'); SAVEPOINT s; SELECT cache_set('kept', 'b', '6'); ROLLBACK TO s; COMMIT");
$node->safe_psql('postgres', "BEGIN; SELECT cache_set('kept', 'p', '7'); PREPARE TRANSACTION 'p'");
$node->safe_psql('postgres', "SELECT cache_set('kept', 't', '8', ttl => '1 hour'), cache_set('kept', 'x', '8', ttl => '1 microsecond')");
$node->wait_for_catchup($standby);
is(values_of($standby), 'a5/ b2/ p/ t8/', 'what the primary has committed');
is($standby->safe_psql('postgres', "SELECT cache_ttl('kept', 't') BETWEEN '59 minutes' AND '1 hour', cache_ttl('kept', 'a') IS NULL, cache_get('kept', 'x') IS NULL"),
	't|t|t', 'and its times');
is($old->run("SELECT cache_get('kept', 'a')"), 1, 'the old snapshot does not see it');
$old->quit;
$node->safe_psql('postgres', "COMMIT PREPARED 'p'; SELECT cache_invalidate('kept', 'b')");
$node->wait_for_catchup($standby);
is(values_of($standby), 'a5/ b/ p7/ t8/', 'what was prepared, without what was removed');

# It is said why a cache is empty: once a session, and by cache_check()
(undef, $out, $err) = $standby->psql('postgres', "SELECT cache_get('lost', 'a'); SELECT cache_get('lost', 'b'); SELECT cache_get('kept', 'a')");
is(() = $err =~ /WARNING: +cache "lost" is empty on a standby\nDETAIL:.*\nHINT:.*cache_alter\('lost', logged => true\)/g, 1, 'a warning once a session');
unlike($err, qr/"kept"/, 'of the cache that is empty');
is($standby->safe_psql('postgres', 'SELECT cache, problem FROM cache_check()'), 'lost|the cache is empty on a standby, because it is not logged', 'cache_check()');
is($node->safe_psql('postgres', 'SELECT cache, problem FROM cache_check()'), '', 'on the primary all is well');

# Whatever writes is an error
foreach my $call ("cache_set('kept', 'a', '1')", "cache_set('lost', 'a', '1')", "cache_invalidate('kept')", "cache_invalidate('kept', 'a')",
	"cache_create('c')", "cache_alter('kept', logged => false)", "cache_drop('kept')")
{
	my ($name) = $call =~ /(\w+)/;

	(undef, undef, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\nSELECT $call");
	like($err, qr/25006: cannot execute $name\(\) during recovery/, "$call on a standby");
}

# A change of the cache itself arrives; old snapshots there find their values
$old = session($standby, 'old', 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT 1');
$node->safe_psql('postgres', $set->('a', 1) . "; SELECT cache_alter('kept', logged => false), cache_alter('lost', logged => true)");
$node->wait_for_catchup($standby);
is(values_of($standby), 'a/1 b/2 p/ t/', 'they have changed places');
is($old->run("SELECT cache_get('kept', 'a')"), 5, 'an old snapshot sees what there was');
$old->quit;
$node->safe_psql('postgres', "SELECT cache_alter('kept', logged => true), cache_alter('lost', logged => false)");
$node->wait_for_catchup($standby);
is(values_of($standby), 'a1/ b/ p7/ t8/', 'and back');
$standby->promote;
is(values_of($standby), 'a1/ b/ p7/ t8/', 'promoted');
$standby->safe_psql('postgres', $set->('b', 4));
is(values_of($standby), 'a1/ b4/4 p7/ t8/', 'and in use');
$standby->stop;

# Dumps, restored at once, in parallel, in either order, without definitions
my $all = 'a1/ b/ p7/ t8/';
my $dump = "$dir/dump";
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, 'postgres' ], 'pg_dump');
my @items = grep { !/^;/ } split /^/, `pg_restore -l $dump`;
append_to_file("$dir/values_first", join('', grep { !/TABLE DATA public cache_definition/ } @items));
append_to_file("$dir/definitions_last", join('', grep { /TABLE DATA public cache_definition/ } @items));
my $n = 0;
foreach my $steps (
	[ [] ], [ ['-1'] ], [ [ '-j', '2' ] ],
	[ ['--section=pre-data'], [ '-1', '--data-only' ] ],
	[ [ '-L', "$dir/values_first" ], [ '-L', "$dir/definitions_last" ] ])
{
	my $db = 'restored' . $n++;

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->command_ok([ 'pg_restore', '-e', @$_, '-d', $db, $dump ], "pg_restore @$_") foreach @$steps;
	is(values_of($node, $db), $all, "$db: values");
	is($node->safe_psql($db, 'SELECT name, logged FROM cache_definition ORDER BY name'), "kept|t\nlost|f", "$db: definitions");
}

# Data alone into caches that are there, also such as have other ids
$node->safe_psql('restored0', "SELECT cache_invalidate('kept', 'a'), cache_set('kept', 'b', '9'), cache_drop('lost')");
is($node->safe_psql('restored0', "SELECT cache_get('kept', 'a'), cache_get('kept', 'b')"), '|9', 'changed since');
$node->command_ok([ 'pg_restore', '-e', '--data-only', '-d', 'restored0', $dump ], 'data alone');
is(values_of($node, 'restored0'), 'a1/ b9/ p7/ t8/', 'what is missing is restored, what is there stays');
$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', "CREATE EXTENSION cache; SELECT cache_create('lost'), cache_create('kept', logged => true, ttl => '1 day'), cache_get('kept', 'a')");
$node->command_ok([ 'pg_restore', '-e', '-j', '2', '--data-only', '-d', 'fresh', $dump ], 'data alone into other caches');
is(values_of($node, 'fresh'), $all, 'found by their names');
$node->safe_psql('fresh', "SELECT cache_drop('kept')");
is($node->safe_psql('fresh', 'SELECT count(*) FROM cache_value_logged'), 0, 'dropped with the cache');
$node->safe_psql('fresh', 'DROP EXTENSION cache');

# By the owner of a database, who is no superuser
$node->safe_psql('postgres', 'CREATE ROLE dbo LOGIN; CREATE DATABASE owned OWNER dbo; CREATE DATABASE second OWNER dbo');
$node->safe_psql($_, 'CREATE EXTENSION cache') for qw(owned second);
$node->command_ok([ 'pg_restore', '-e', '-1', '-U', 'dbo', '--no-owner', '--no-comments', '-d', 'owned', $dump ], 'pg_restore by the owner');
is(values_of($node, 'owned'), $all, 'by the owner: values');
$node->command_ok([ 'pg_dump', '-U', 'dbo', '-Fc', '--no-comments', '-f', "$dir/owned", 'owned' ], 'pg_dump by the owner');
$node->command_ok([ 'pg_restore', '-e', '-1', '-U', 'dbo', '-d', 'second', "$dir/owned" ], 'and pg_restore again');
is(values_of($node, 'second'), $all, 'again');
$node->safe_psql('owned', "SELECT cache_create('theirs', logged => true), cache_set('theirs', 'a', '1')");
(undef, $err) = run_command([ 'pg_dump', '-U', 'dbo', '-f', "$dir/refused", '-d', $node->connstr('owned') ]);
like($err, qr/permission denied for table cache_value_logged.*--exclude-table-data/s, 'not what is of others');
$node->command_ok([ 'pg_dump', '-U', 'dbo', '--exclude-table-data=cache_value_logged', '-f', "$dir/without", 'owned' ], 'which can be left out');

# Where the library is not preloaded
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
$node->safe_psql('postgres', 'CREATE DATABASE bare');
$node->command_ok([ 'pg_restore', '-e', '-d', 'bare', $dump ], 'without the library');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'cache'");
$node->restart;
is(values_of($node, 'bare'), $all, 'and with it');
$node->stop;

done_testing();
