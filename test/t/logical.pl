# A subscriber of logical replication that watches a table: the changes that the
# apply worker makes, and the initial copy, count like any other writes.
use strict;
use warnings;
use CacheTest;
use Test::More;

my $keys = 10;
my $publisher = new_node('publisher', allows_streaming => 'logical');
my $subscriber = new_node('subscriber', allows_streaming => 'logical');
my $fill = 'SELECT count(got) FROM oracle';
my $old;

setup_item($_, $keys) for $publisher, $subscriber;
$subscriber->safe_psql('postgres', 'DELETE FROM item');
$subscriber->safe_psql('postgres', $fill);

# A trigger of the subscriber's own, which fires for what is applied and reads the
# cache for the row and for another one; what is not exact there is noted.
$subscriber->safe_psql('postgres', <<'END');
CREATE TABLE wrong (id integer, name text, got text, want text);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
DECLARE changed item := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
  INSERT INTO wrong SELECT id, TG_NAME, got, want FROM oracle
    WHERE id IN (changed.id, changed.id % 10 + 1) AND NOT exact;
  RETURN changed;
END$$;
CREATE TRIGGER " before" BEFORE INSERT OR UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION look();
CREATE TRIGGER "~before" BEFORE INSERT OR UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION look();
CREATE TRIGGER " after" AFTER INSERT OR UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION look();
CREATE TRIGGER "~after" AFTER INSERT OR UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION look();
ALTER TABLE item ENABLE ALWAYS TRIGGER " before";
ALTER TABLE item ENABLE ALWAYS TRIGGER "~before";
ALTER TABLE item ENABLE ALWAYS TRIGGER " after";
ALTER TABLE item ENABLE ALWAYS TRIGGER "~after";
END

$publisher->safe_psql('postgres', 'CREATE PUBLICATION p FOR TABLE item');
$subscriber->safe_psql('postgres',
	"CREATE SUBSCRIPTION s CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION p");
$subscriber->wait_for_subscription_sync($publisher, 's');
is(mismatches($subscriber), '', 'after the initial copy');
is($subscriber->safe_psql('postgres', "SELECT cache_get('c', 1)"), 10, 'which is there');

# applied writes on the publisher, waits until they are applied, and checks.
sub applied
{
	my ($title, $sql) = @_;

	$subscriber->safe_psql('postgres', $fill) for 1 .. 2;
	$publisher->safe_psql('postgres', $sql);
	$publisher->wait_for_catchup('s');
	is(mismatches($subscriber), '', $title);
	is( $subscriber->safe_psql('postgres', 'SELECT id, want FROM oracle ORDER BY id'),
		$publisher->safe_psql('postgres', 'SELECT id, loader(id) FROM generate_series(1, 11) AS id ORDER BY id'),
		"$title: applied");
	return;
}

applied('UPDATE', 'UPDATE item SET price = price + 1');
applied('DELETE', 'DELETE FROM item WHERE id = 2');
applied('INSERT', 'INSERT INTO item VALUES (2, 222), (11, 111)');
applied('a key that moves', 'UPDATE item SET id = 12 WHERE id = 11');
applied('a savepoint',
	'BEGIN; UPDATE item SET price = 1; SAVEPOINT a; DELETE FROM item; ROLLBACK TO a; COMMIT');
$old = session($subscriber, 'old', 'BEGIN ISOLATION LEVEL REPEATABLE READ', $fill);
applied('under an old snapshot', 'UPDATE item SET price = price + 1');
is($old->run('SELECT * FROM oracle WHERE NOT exact'), '', 'the old snapshot');
$old->quit;
applied('TRUNCATE', 'TRUNCATE item');
applied('COPY', "COPY item FROM PROGRAM 'seq -f %g,70 1 9' WITH (DELIMITER ',')");
is($subscriber->safe_psql('postgres', 'SELECT * FROM wrong'), '', 'in the triggers of the subscriber');
is($subscriber->safe_psql('postgres', "SELECT hits > 0 FROM cache_stats WHERE name = 'c'"),
	't', 'and it caches');
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION s');
$_->stop for $subscriber, $publisher;
done_testing();
