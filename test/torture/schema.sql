-- The tables, loaders and caches of the torture run.
--
-- A check compares cache_get with the loader in one statement. Some writes are
-- not bound by that statement's snapshot: TRUNCATE and a table rewrite empty the
-- table for older snapshots too, and a replaced function is replaced for all. They
-- wait for whoever has read the table, and a get from the cache counts as that.

CREATE EXTENSION cache;

CREATE TABLE branches (bid int PRIMARY KEY, name text NOT NULL, seen int DEFAULT 0);
CREATE TABLE accounts (
  id int PRIMARY KEY,
  bid int NOT NULL,
  balance int NOT NULL,
  owner text NOT NULL,
  seen int DEFAULT 0
);
CREATE TABLE prices (k numeric PRIMARY KEY, v numeric);
CREATE TABLE pairs (a int, b text, v text, PRIMARY KEY (a, b));
CREATE TABLE settings (name text PRIMARY KEY, value jsonb);
CREATE TABLE docs (name text PRIMARY KEY, body text);

INSERT INTO branches SELECT i, 'branch ' || i FROM generate_series(1, 8) i;
INSERT INTO accounts
  SELECT i, i % 8 + 1, i * 10, 'owner ' || i FROM generate_series(1, 200) i;
INSERT INTO prices SELECT i, i * 1.5 FROM generate_series(1, 40) i;
INSERT INTO pairs
  SELECT a, chr(96 + b), a || '/' || b FROM generate_series(1, 8) a, generate_series(1, 8) b;
INSERT INTO settings
  SELECT (ARRAY['ui', 'db', 'net'])[i % 3 + 1] || '.' || i, to_jsonb(i) FROM generate_series(1, 24) i;
INSERT INTO docs SELECT 'doc ' || i, repeat(md5(i::text), 1 + i % 60) FROM generate_series(1, 400) i;
ANALYZE;

-- Loaders in two languages, and results of several types.
CREATE FUNCTION account(id int) RETURNS jsonb STABLE LANGUAGE sql AS
  $$ SELECT jsonb_build_object('bid', bid, 'balance', balance, 'owner', owner)
     FROM accounts a WHERE a.id = $1 $$;
CREATE FUNCTION branch(bid int) RETURNS bigint STABLE LANGUAGE plpgsql AS
  $$ BEGIN RETURN (SELECT sum(balance) FROM accounts a WHERE a.bid = $1); END $$;
CREATE FUNCTION label(id int) RETURNS text STABLE LANGUAGE sql AS
  $$ SELECT a.owner || ' of ' || b.name
     FROM accounts a JOIN branches b USING (bid) WHERE a.id = $1 $$;
-- Which columns are read depends on the row: for most rows not those that are
-- written most.
CREATE FUNCTION visit(id int) RETURNS text STABLE LANGUAGE plpgsql AS
  $$ DECLARE r record;
     BEGIN
       SELECT balance, bid INTO r FROM accounts a WHERE a.id = $1;
       CASE (r.balance + $1) % 61
         WHEN 0 THEN RETURN 'account ' || (SELECT seen FROM accounts a WHERE a.id = $1);
         WHEN 30 THEN RETURN 'branch ' || (SELECT seen FROM branches b WHERE b.bid = r.bid);
         ELSE RETURN r.balance || (SELECT name FROM branches b WHERE b.bid = r.bid);
       END CASE;
     END $$;
CREATE FUNCTION price(k numeric) RETURNS numeric STABLE LANGUAGE sql AS
  $$ SELECT v + 0 FROM prices p WHERE p.k = $1 $$;
CREATE FUNCTION pair(a int, b text) RETURNS text STABLE LANGUAGE plpgsql AS
  $$ BEGIN RETURN (SELECT v FROM pairs p WHERE p.a = $1 AND p.b = $2); END $$;
CREATE FUNCTION conf(part text) RETURNS jsonb STABLE LANGUAGE sql AS
  $$ SELECT jsonb_object_agg(name, value) FROM settings WHERE name LIKE $1 || '.%' $$;
CREATE FUNCTION doc(name text) RETURNS text STABLE LANGUAGE sql AS
  $$ SELECT body FROM docs d WHERE d.name = $1 $$;
CREATE FUNCTION nested(bid int) RETURNS jsonb STABLE LANGUAGE sql AS
  $$ SELECT jsonb_build_object('bid', $1, 'sum', cache_get('branch', $1)) $$;

SELECT cache_create('account', 'account(int)', redis => true),
       cache_watch('account', 'accounts', 'id'),
       cache_create('branch', 'branch(int)', redis => true),
       cache_watch('branch', 'accounts', 'bid'),
       cache_create('label', 'label(int)', redis => true),
       cache_watch('label', 'accounts', 'id'),
       cache_watch('label', 'branches'),
       cache_create('visit', 'visit(int)', redis => true),
       cache_watch('visit', 'accounts', 'id'),
       cache_watch('visit', 'branches'),
       cache_create('price', 'price(numeric)', redis => true),
       cache_watch('price', 'prices', 'k'),
       cache_create('pair', 'pair(int, text)', redis => true),
       cache_watch('pair', 'pairs', 'a', 'b'),
       cache_create('conf', 'conf(text)', ttl => '1 second', redis => true),
       cache_watch('conf', 'settings'),
       cache_create('doc', 'doc(text)', max_cost => 100000, redis => true),
       cache_watch('doc', 'docs', 'name'),
       cache_create('nested', 'nested(int)', redis => true),
       cache_watch('nested', 'accounts', 'bid');

-- The oracle for server-side code. It raises where a driver's check would print.
CREATE FUNCTION check_account(k int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE cached text; loaded text;
BEGIN
  SELECT cache_get('account', k), to_jsonb(account(k)) INTO cached, loaded;
  IF cached IS DISTINCT FROM loaded THEN
    RAISE SQLSTATE 'CM001' USING MESSAGE = format('account|%s|%s|%s|t', k, cached, loaded);
  END IF;
END $$;
CREATE FUNCTION check_branch(k int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE cached text; loaded text;
BEGIN
  SELECT cache_get('branch', k), to_jsonb(branch(k)) INTO cached, loaded;
  IF cached IS DISTINCT FROM loaded THEN
    RAISE SQLSTATE 'CM001' USING MESSAGE = format('branch|%s|%s|%s|t', k, cached, loaded);
  END IF;
END $$;

-- User triggers that read the cache in the middle of a statement, before and
-- after each row and under names that sort first and last, at some of the rows;
-- and one that changes a watched column of the row that is being written.
CREATE FUNCTION check_rows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE r accounts := coalesce(NEW, OLD);
BEGIN
  IF (r.id + r.balance) % 5 = 0 THEN
    PERFORM check_account(r.id), check_account(r.id % 200 + 1), check_branch(r.bid),
            check_branch(r.bid % 8 + 1);
  END IF;
  RETURN r;
END $$;
CREATE FUNCTION move_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.balance % 17 = 0 THEN
    NEW.bid := NEW.bid % 8 + 1;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER aaa_check BEFORE INSERT OR UPDATE OR DELETE ON accounts
  FOR EACH ROW EXECUTE FUNCTION check_rows();
CREATE TRIGGER zzz_check BEFORE INSERT OR UPDATE OR DELETE ON accounts
  FOR EACH ROW EXECUTE FUNCTION check_rows();
CREATE TRIGGER aaa_check_after AFTER INSERT OR UPDATE OR DELETE ON accounts
  FOR EACH ROW EXECUTE FUNCTION check_rows();
CREATE TRIGGER zzz_move BEFORE UPDATE ON accounts
  FOR EACH ROW EXECUTE FUNCTION move_row();

-- Writes from inside a query, in a subtransaction that fails when told to.
CREATE FUNCTION touch(k int, fail boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    UPDATE accounts SET balance = balance + 1 WHERE id = k;
    PERFORM check_account(k);
    IF fail THEN
      RAISE 'undo';
    END IF;
  EXCEPTION WHEN raise_exception THEN
    NULL;
  END;
  PERFORM check_account(k);
END $$;
