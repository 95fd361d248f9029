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

# Partitions of another layout than on the publisher, and rows whose keys are told
# by a function.
my $more = <<'END';
CREATE TABLE parted (k integer PRIMARY KEY, v integer) PARTITION BY RANGE (k);
CREATE TABLE parted1 PARTITION OF parted FOR VALUES FROM (0) TO (5);
CREATE TABLE parted2 PARTITION OF parted DEFAULT;
CREATE TABLE header (id integer PRIMARY KEY, k integer);
CREATE TABLE detail (header integer, v integer);
ALTER TABLE detail REPLICA IDENTITY FULL;
CREATE FUNCTION total(a integer) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT concat_ws('/', (SELECT sum(v) FROM parted WHERE k = a), (SELECT sum(v) FROM detail JOIN header ON id = header WHERE k = a)) $$;
END
$publisher->safe_psql('postgres', $more);
$publisher->safe_psql('postgres', <<'END');
INSERT INTO parted SELECT i, i FROM generate_series(1, 8) i;
INSERT INTO header SELECT i, i FROM generate_series(1, 5) i;
INSERT INTO detail SELECT i, i FROM generate_series(1, 5) i;
END
$subscriber->safe_psql('postgres', $more =~ s/PARTITION OF parted DEFAULT/PARTITION OF parted FOR VALUES FROM (5) TO (1000)/r);
$subscriber->safe_psql('postgres', <<'END');
CREATE FUNCTION key_of(d detail) RETURNS integer LANGUAGE sql STABLE AS 'SELECT k FROM header WHERE id = d.header';
SELECT cache_create('more', 'total(integer)'), cache_watch('more', 'parted', 'k'), cache_watch('more', 'header', 'k'),
  cache_watch('more', 'detail', keys => 'key_of(detail)');
CREATE VIEW more AS SELECT k, cache_get('more', k) AS got, to_jsonb(total(k)) AS want FROM generate_series(1, 12) k;
SELECT count(got) FROM more;
END

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

$publisher->safe_psql('postgres', 'CREATE PUBLICATION p FOR TABLE item, parted, header, detail');
$subscriber->safe_psql('postgres',
	"CREATE SUBSCRIPTION s CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION p WITH (two_phase = on)");
$subscriber->wait_for_subscription_sync($publisher, 's');
is(mismatches($subscriber), '', 'after the initial copy');
is($subscriber->safe_psql('postgres', "SELECT cache_get('c', 1)"), 10, 'which is there');

# applied writes on the publisher, waits until they are applied, and checks.
sub applied
{
	my ($title, $sql) = @_;

	$subscriber->safe_psql('postgres', "$fill; SELECT count(got) FROM more") for 1 .. 2;
	$publisher->safe_psql('postgres', $sql);
	$publisher->wait_for_catchup('s');
	is(mismatches($subscriber), '', $title);
	is($subscriber->safe_psql('postgres', 'SELECT * FROM more WHERE got IS DISTINCT FROM want'), '', "$title: the other cache");
	is( $subscriber->safe_psql('postgres', 'SELECT want FROM more ORDER BY k'),
		$publisher->safe_psql('postgres', 'SELECT to_jsonb(total(k)) FROM generate_series(1, 12) k ORDER BY k'),
		"$title: the other cache, applied");
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
applied('partitions', 'UPDATE parted SET v = v + 1; DELETE FROM parted WHERE k = 8; INSERT INTO parted VALUES (9, 9)');
applied('rows that move between partitions', 'UPDATE parted SET k = 10 WHERE k = 1; UPDATE parted SET k = 1 WHERE k = 7');
applied('TRUNCATE of a partition', 'TRUNCATE parted1');
applied('keys by a function', 'UPDATE detail SET v = v + 1; INSERT INTO detail VALUES (1, 5), (2, 5); DELETE FROM detail WHERE header = 3');
applied('what the function reads', 'UPDATE header SET k = 6 WHERE id = 1');
applied('both', 'BEGIN; UPDATE detail SET header = 4 WHERE header = 2; UPDATE header SET k = 2 WHERE id = 4; INSERT INTO detail VALUES (1, 9); COMMIT');
applied('a prepared transaction',
	"BEGIN; UPDATE item SET price = 5; UPDATE parted SET v = 0; INSERT INTO detail VALUES (1, 1); PREPARE TRANSACTION 'x'");
applied('committed', "COMMIT PREPARED 'x'");
applied('another prepared transaction',
	"BEGIN; UPDATE item SET price = 6; UPDATE header SET k = 3; INSERT INTO detail VALUES (5, 1); PREPARE TRANSACTION 'x'");
applied('rolled back', "ROLLBACK PREPARED 'x'");
is($subscriber->safe_psql('postgres', 'SELECT * FROM cache_check()'), '', 'cache_check() has nothing to say');
is($subscriber->safe_psql('postgres', 'SELECT * FROM wrong'), '', 'in the triggers of the subscriber');
is($subscriber->safe_psql('postgres', "SELECT hits > 0 FROM cache_stats WHERE name = 'c'"),
	't', 'and it caches');
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION s');
$_->stop for $subscriber, $publisher;
done_testing();
