# Several databases in one server do not see each other's entries, and nothing that
# was cached is found again in a database, or by an extension, of the same name.
use strict;
use warnings;
use CacheTest;
use Test::More;

my $keys = 5;
my $node = new_node('databases');
my $fill = 'SELECT count(got) FROM oracle';

sub fill
{
	$node->safe_psql($_, $fill) for @_, @_;
	return;
}

# exact checks that the oracle holds everywhere.
sub exact
{
	my ($title, @databases) = @_;

	is(join('', map { mismatches($node, $_) } @databases), '', $title);
	return;
}

sub stats
{
	my ($db) = @_;

	return $node->safe_psql($db, 'SELECT name, entries, hits > 0 FROM cache_stats ORDER BY name');
}

# Two databases with the same names in them
foreach my $db (qw(one two))
{
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, 'CREATE EXTENSION cache');
	setup_item($node, $keys, $db);
}
$node->safe_psql('two', 'UPDATE item SET price = price + 1000');
fill(qw(one two));
exact('two databases', qw(one two));
is(stats('one'), 'c|' . ($keys + 1) . '|t', 'the entries of one');
is(stats('two'), 'c|' . ($keys + 1) . '|t', 'the entries of the other');
$node->safe_psql('one', 'UPDATE item SET price = 1 WHERE id = 1');
exact('a write in one', qw(one two));
is(stats('two'), 'c|' . ($keys + 1) . '|t', 'leaves the other alone');
$node->safe_psql('one', "SELECT cache_invalidate('c')");
$node->safe_psql('one',
	"CREATE OR REPLACE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT -price FROM item WHERE id = \$1'");
exact('DDL in one', qw(one two));
$node->safe_psql('one', "SELECT cache_drop('c')");
exact('a cache dropped in one', 'two');

# A copy of a database has the same caches, with the same identifiers.
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE two');
fill(qw(two copy));
$node->safe_psql('copy', 'UPDATE item SET price = 7');
fill(qw(two copy));
exact('a copy', qw(two copy));
$node->safe_psql('postgres', 'ALTER DATABASE copy RENAME TO renamed');
exact('a renamed copy', qw(two renamed));

# Dropped, and another one of the same name and content
$node->safe_psql('postgres', 'DROP DATABASE renamed');
$node->safe_psql('postgres', 'CREATE DATABASE renamed TEMPLATE two');
exact('created again', qw(two renamed));
$node->safe_psql('renamed', 'UPDATE item SET price = 8');
exact('and written', qw(two renamed));
$node->safe_psql('postgres', 'DROP DATABASE two');
$node->safe_psql('postgres', 'CREATE DATABASE two');
$node->safe_psql('two', 'CREATE EXTENSION cache');
is(stats('two'), '', 'a new database of an old name has no caches');
setup_item($node, $keys, 'two');
$node->safe_psql('two', 'UPDATE item SET price = 9');
fill('two');
exact('and then its own', qw(two renamed));

# The extension dropped and created again, under a session that has used it
setup_item($node, $keys);
fill('postgres');
my $session = session($node, 'old', $fill);
my $open = session($node, 'open', 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT 1');
$node->safe_psql('postgres', 'SET client_min_messages = error; DROP EXTENSION cache CASCADE');
like(($node->psql('postgres', "SELECT cache_get('c', 1)"))[2], qr/does not exist/, 'no extension, no function');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal'), 0, 'no triggers are left');
$session->run('SELECT cache_get(\'c\', 1)');
like($session->errors, qr/does not exist/, 'neither in a session that has used it');
$node->safe_psql('postgres', 'UPDATE item SET price = price + 500');
$node->safe_psql('postgres', <<'END');
CREATE EXTENSION cache;
SELECT cache_create('c', 'loader(integer)');
SELECT cache_watch('c', 'item', 'id');
CREATE VIEW oracle AS SELECT id, cache_get('c', id) AS got, loader(id) AS want,
  cache_get('c', id) IS NOT DISTINCT FROM to_jsonb(loader(id)) AS exact
  FROM generate_series(1, 6) AS id;
END
is($session->run('SELECT * FROM oracle WHERE NOT exact'), '', 'created again: a session that has used the old one');
is($open->run('SELECT * FROM oracle WHERE NOT exact'), '', 'created again: an old snapshot');
fill('postgres');
exact('created again: a new session', 'postgres');
is(stats('postgres'), 'c|' . ($keys + 1) . '|t', 'created again: it caches');
$open->run('ROLLBACK');

# The same in one transaction that is rolled back
$session->run($_)
  for 'BEGIN', 'SET LOCAL client_min_messages = error', 'DROP EXTENSION cache CASCADE', 'ROLLBACK';
is($session->run('SELECT * FROM oracle WHERE NOT exact'), '', 'a dropped extension comes back');
$node->safe_psql('postgres', 'UPDATE item SET price = price + 1');
exact('and is watched', qw(postgres two renamed));
$_->quit for $session, $open;
$node->stop;
done_testing();
