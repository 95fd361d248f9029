-- Statements of all kinds, of which pg_stat_statements counts, and auto_explain
-- logs, as much with the library preloaded as without it: see core.sh.
SET client_min_messages = warning;
CREATE EXTENSION pg_stat_statements;
SET pg_stat_statements.track = 'all';
SET pg_stat_statements.track_planning = on;
SET auto_explain.log_nested_statements = on;
SET auto_explain.log_analyze = on;
SET auto_explain.log_timing = off;
SET auto_explain.log_verbose = on;
SELECT pg_stat_statements_reset();
SET auto_explain.log_min_duration = 0;

CREATE TABLE item (id int PRIMARY KEY, value text);
INSERT INTO item SELECT i, 'v' || i FROM generate_series(1, 100) i;
UPDATE item SET value = 'w' WHERE id = 1;
SELECT value FROM item WHERE id = 1;
PREPARE lookup (int) AS SELECT value FROM item WHERE id = $1;
EXECUTE lookup (2);
EXECUTE lookup (3);
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM item ORDER BY id;
FETCH 2 FROM c;
SAVEPOINT s;
DELETE FROM item WHERE id = 4;
ROLLBACK TO s;
COMMIT;

-- Functions in both languages, one that is inlined among them
CREATE FUNCTION item_sql(int) RETURNS text LANGUAGE sql STABLE AS
'SELECT value FROM item WHERE id = $1';
CREATE FUNCTION item_volatile(int) RETURNS text LANGUAGE sql VOLATILE AS
'SELECT value FROM item WHERE id = $1';
CREATE FUNCTION item_plpgsql(int) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RETURN (SELECT value FROM item WHERE id = $1); END $$;
SELECT item_sql(5), item_volatile(6), item_plpgsql(7);
SELECT item_sql(5), item_volatile(6), item_plpgsql(7);

-- Triggers, foreign keys, partitions
CREATE TABLE part (id int REFERENCES item ON DELETE CASCADE, day int) PARTITION BY RANGE (day);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO (10);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (10) TO (20);
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER noted BEFORE INSERT ON part FOR EACH ROW EXECUTE FUNCTION noted();
INSERT INTO part SELECT i, i FROM generate_series(1, 19) i;
UPDATE part SET day = day + 1 WHERE day = 9;
DELETE FROM item WHERE id = 12;
SELECT count(*) FROM part;
ALTER TABLE part DETACH PARTITION part_1;
DROP TABLE part_1;

-- Commands
CREATE TEMP TABLE scratch AS SELECT * FROM item;
COPY scratch TO '/dev/null';
COPY scratch FROM '/dev/null';
ANALYZE scratch;
TRUNCATE scratch;
DO $$ BEGIN PERFORM item_sql(1); END $$;
EXPLAIN (COSTS OFF) SELECT * FROM item WHERE id = 1;
COMMENT ON TABLE item IS 'items';
GRANT SELECT ON item TO PUBLIC;
ALTER TABLE item RENAME TO items;
VACUUM items;
SELECT 1 / 0;

SET auto_explain.log_min_duration = -1;
SELECT calls, plans, rows, toplevel, query FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY query COLLATE "C", toplevel, calls;
