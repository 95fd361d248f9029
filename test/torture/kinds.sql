-- Tables, loaders and caches of the kinds of load in Kinds.pm.
--
-- Where what a loader gives depends on the settings that are recorded with its
-- cache, or on what PL/pgSQL has compiled, a direct call is no oracle: its
-- session may have other settings, and may have compiled the loader under yet
-- others. Then a copy of its own is (NAME_oracle), with the recorded settings.

-- gate keeps those who compare from those who replace functions or change what
-- is read without a snapshot: these are changed for all at once, also between
-- the two sides of a comparison. Writers do not pass it.
CREATE TABLE gate ();

-- ---------------------------------------------------------------------------
-- settings: three schemas with tables, types and functions of the same names;
-- one loader, cached three times; literals that depend on TimeZone and DateStyle.

CREATE SCHEMA one;
CREATE SCHEMA two;
CREATE TABLE item (k int PRIMARY KEY, v numeric NOT NULL, at timestamptz NOT NULL);
INSERT INTO item
  SELECT k, k * 1.111, timestamptz '2020-01-01 00:00Z' + (k % 30 - 15) * interval '1 hour'
  FROM generate_series(1, 40) k;
CREATE TABLE one.item (LIKE item INCLUDING ALL);
INSERT INTO one.item SELECT k, v + 100, at FROM item;
CREATE TABLE two.item (LIKE item INCLUDING ALL);
INSERT INTO two.item SELECT k, v + 200, at FROM item;
CREATE DOMAIN amount AS numeric(12, 1);
CREATE DOMAIN one.amount AS numeric(12, 2);
CREATE DOMAIN two.amount AS numeric(12, 0);
CREATE FUNCTION rate() RETURNS numeric IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 1.5; END $$;
CREATE FUNCTION one.rate() RETURNS numeric IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 1.75; END $$;
CREATE FUNCTION two.rate() RETURNS numeric IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 1.9; END $$;

-- make_item makes the loaders, or oracles for them with these settings; make_since
-- a helper of theirs, whose types and literals are the caller's, too.
CREATE FUNCTION make_item(name text, settings text) RETURNS void LANGUAGE plpgsql AS $make$
BEGIN
  EXECUTE format($f$
    CREATE FUNCTION public.%1$s(k int) RETURNS text STABLE LANGUAGE plpgsql %3$s AS $$
    DECLARE
      x amount;
      r item%%ROWTYPE;
    BEGIN
      SELECT * INTO r FROM item i WHERE i.k = $1;
      x := r.v * rate();
      RETURN concat_ws(' ', x, (r.v / 3)::amount, r.at, public.%4$s(r.at),
                       r.at < timestamptz '2020-01-01 02:00', date '02/03/2020' - date '2020-01-01');
    END $$;
    CREATE FUNCTION public.%2$s(k int) RETURNS text STABLE LANGUAGE sql %3$s AS $$
      SELECT concat_ws(' ', (i.v * rate())::amount, i.at, i.at < timestamptz '2020-01-01 02:00',
                       to_char(date '02/03/2020', 'DD Mon'))
      FROM item i WHERE i.k = $1 $$ $f$,
    'item' || name, 'stamp' || name, settings, 'since' || name);
END $make$;
CREATE FUNCTION make_since(name text, settings text) RETURNS void LANGUAGE plpgsql AS $make$
BEGIN
  EXECUTE format($f$
    CREATE FUNCTION public.since%s(at timestamptz) RETURNS text STABLE LANGUAGE plpgsql %s AS $$
    DECLARE x amount := 0.444;
    BEGIN
      IF at < timestamptz '2020-01-01 00:00' THEN RETURN 'before ' || x; END IF;
      RETURN 'after ' || x;
    END $$ $f$, name, settings);
END $make$;
SELECT make_since('', ''), make_item('', ''),
       make_since('0_oracle', $$SET search_path = public, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO, MDY'$$),
       make_item('0_oracle', $$SET search_path = public, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO, MDY'$$),
       make_since('1_oracle', $$SET search_path = one, public, pg_temp SET TimeZone = 'Asia/Tokyo' SET DateStyle = 'German'$$),
       make_item('1_oracle', $$SET search_path = one, public, pg_temp SET TimeZone = 'Asia/Tokyo' SET DateStyle = 'German'$$),
       make_since('2_oracle', $$SET search_path = two, public, pg_temp SET TimeZone = 'America/New_York' SET DateStyle = 'SQL, DMY'$$),
       make_item('2_oracle', $$SET search_path = two, public, pg_temp SET TimeZone = 'America/New_York' SET DateStyle = 'SQL, DMY'$$);

SET search_path = public;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';
SELECT cache_create('item0', 'item(int)', redis => true), cache_watch('item0', 'item', 'k'),
       cache_create('stamp0', 'stamp(int)', redis => true), cache_watch('stamp0', 'item', 'k');
SET search_path = one, public;
SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'German';
SELECT cache_create('item1', 'item(int)', redis => true), cache_watch('item1', 'one.item', 'k'),
       cache_create('stamp1', 'stamp(int)', redis => true), cache_watch('stamp1', 'one.item', 'k');
SET search_path = two, public;
SET TimeZone = 'America/New_York';
SET DateStyle = 'SQL, DMY';
SELECT cache_create('item2', 'item(int)', redis => true), cache_watch('item2', 'two.item', 'k'),
       cache_create('stamp2', 'stamp(int)', redis => true), cache_watch('stamp2', 'two.item', 'k');
RESET search_path;
RESET TimeZone;
RESET DateStyle;

-- A path of the loader's own has pg_temp in front; a key that is read as text is
-- read under the caller's TimeZone.
CREATE FUNCTION pathed(k int) RETURNS text STABLE LANGUAGE sql SET search_path = one, public AS
  $$ SELECT i.v::text FROM item i WHERE i.k = $1 $$;
CREATE FUNCTION earlier(at timestamptz) RETURNS bigint STABLE LANGUAGE sql AS
  $$ SELECT count(*) FROM public.item i WHERE i.at < $1 $$;
SELECT cache_create('pathed', 'pathed(int)', redis => true), cache_watch('pathed', 'one.item', 'k'),
       cache_create('earlier', 'earlier(timestamptz)', redis => true), cache_watch('earlier', 'item');

-- ---------------------------------------------------------------------------
-- tenants: what a session has set decides; never stored. app.fixed is set once a
-- session, so that what is folded into plans is right for it.

CREATE TABLE tenants (tenant text, k int, v int NOT NULL, PRIMARY KEY (tenant, k));
INSERT INTO tenants SELECT t, k, ascii(t) * 1000 + k FROM unnest('{a,b,c}'::text[]) t, generate_series(1, 40) k;
CREATE FUNCTION tenant() RETURNS text STABLE LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('app.tenant', true) IN ('a', 'b') THEN
    RETURN current_setting('app.tenant');
  END IF;
  RETURN 'c';
END $$;
CREATE FUNCTION own(k int) RETURNS int STABLE LANGUAGE plpgsql AS
  $$ BEGIN RETURN (SELECT v FROM tenants t WHERE t.tenant = tenant() AND t.k = $1); END $$;
CREATE FUNCTION shown(k int) RETURNS int STABLE LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('app.tenant', true) = 'a' THEN
    RETURN (SELECT v FROM tenants t WHERE t.tenant = 'a' AND t.k = $1);
  END IF;
  RETURN (SELECT v FROM tenants t WHERE t.tenant = 'c' AND t.k = $1);
END $$;
CREATE FUNCTION fixed() RETURNS text IMMUTABLE LANGUAGE plpgsql AS
  $$ BEGIN RETURN coalesce(current_setting('app.fixed', true), 'c'); END $$;
CREATE FUNCTION folded(k int) RETURNS int STABLE LANGUAGE plpgsql AS
  $$ BEGIN RETURN (SELECT v FROM tenants t WHERE t.tenant = fixed() AND t.k = $1); END $$;
CREATE FUNCTION inlined(k int) RETURNS int STABLE LANGUAGE sql AS
  $$ SELECT v FROM tenants t WHERE t.tenant = fixed() AND t.k = $1 $$;
SELECT cache_create(name, (name || '(int)')::regprocedure, redis => true), cache_watch(name, 'tenants', 'k')
FROM unnest('{own,shown,folded,inlined}'::text[]) name;

-- A recorded setting, read by a helper that is declared not to.
CREATE FUNCTION zone() RETURNS text IMMUTABLE LANGUAGE plpgsql AS
  $$ BEGIN RETURN current_setting('TimeZone'); END $$;
CREATE FUNCTION zoned(k int) RETURNS text STABLE LANGUAGE plpgsql AS
  $$ BEGIN RETURN (SELECT v || zone() FROM tenants t WHERE t.tenant = 'a' AND t.k = $1) || zone(); END $$;
CREATE FUNCTION zoned1_oracle(k int) RETURNS text STABLE LANGUAGE sql AS
  $$ SELECT v || 'Asia/TokyoAsia/Tokyo' FROM tenants t WHERE t.tenant = 'a' AND t.k = $1 $$;
CREATE FUNCTION zoned2_oracle(k int) RETURNS text STABLE LANGUAGE sql AS
  $$ SELECT v || 'America/New_YorkAmerica/New_York' FROM tenants t WHERE t.tenant = 'a' AND t.k = $1 $$;
SET TimeZone = 'Asia/Tokyo';
SELECT cache_create('zoned1', 'zoned(int)', redis => true), cache_watch('zoned1', 'tenants', 'k');
SET TimeZone = 'America/New_York';
SELECT cache_create('zoned2', 'zoned(int)', redis => true), cache_watch('zoned2', 'tenants', 'k');
RESET TimeZone;

-- ---------------------------------------------------------------------------
-- caught: loaders and a key function that catch errors.

CREATE TABLE slow (k int PRIMARY KEY, v int NOT NULL);
INSERT INTO slow SELECT k, k % 7 FROM generate_series(1, 40) k;
CREATE FUNCTION safe(k int) RETURNS text STABLE LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT v FROM slow s WHERE s.k = $1);
EXCEPTION WHEN lock_not_available OR query_canceled THEN
  RETURN 'n/a';
END $$;
CREATE FUNCTION safe_inside(k int) RETURNS text STABLE LANGUAGE sql AS
  $$ SELECT 'inside ' || safe($1) $$;
CREATE FUNCTION divided(k int) RETURNS text STABLE LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT 100 / v FROM slow s WHERE s.k = $1);
EXCEPTION
  WHEN division_by_zero THEN RETURN 'none';
  WHEN lock_not_available THEN RETURN 'n/a';
END $$;
SELECT cache_create(name, (name || '(int)')::regprocedure, redis => true), cache_watch(name, 'slow', 'k')
FROM unnest('{safe,safe_inside,divided}'::text[]) name;

CREATE TABLE orders (id int PRIMARY KEY, customer int, payer int);
INSERT INTO orders SELECT i, i % 12 + 1, (i + 5) % 12 + 1 FROM generate_series(1, 60) i;
CREATE TABLE lines (ord int, n int, amount int NOT NULL, PRIMARY KEY (ord, n));
INSERT INTO lines SELECT i, n, i * n FROM generate_series(1, 60) i, generate_series(1, 3) n;
CREATE FUNCTION spent(customer int) RETURNS bigint STABLE LANGUAGE sql AS
  $$ SELECT sum(amount) FROM lines l JOIN orders o ON o.id = l.ord WHERE o.customer = $1 $$;
CREATE FUNCTION customer_of(l lines) RETURNS int STABLE LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT customer FROM orders WHERE id = l.ord);
EXCEPTION WHEN lock_not_available OR query_canceled THEN
  RETURN NULL;
END $$;
SELECT cache_create('spent', 'spent(int)', redis => true),
       cache_watch('spent', 'lines', keys => 'customer_of(lines)'),
       cache_watch('spent', 'orders', 'customer');

-- ---------------------------------------------------------------------------
-- replaced: functions that say whose a row is, helpers, loaders, types.

CREATE FUNCTION who(orders) RETURNS int STABLE LANGUAGE sql AS $$ SELECT $1.customer $$;
CREATE FUNCTION owed(k int) RETURNS bigint STABLE LANGUAGE sql AS
  $$ SELECT sum(amount) FROM lines l JOIN orders o ON o.id = l.ord WHERE who(o) = $1 $$;
CREATE FUNCTION owing(k int) RETURNS bigint STABLE LANGUAGE plpgsql AS
  $$ BEGIN RETURN (SELECT sum(amount) FROM lines l JOIN orders o ON o.id = l.ord WHERE who(o) = $1); END $$;
CREATE FUNCTION whose_line(l lines) RETURNS SETOF int STABLE LANGUAGE sql AS
  $$ SELECT who(o) FROM orders o WHERE id = l.ord $$;
CREATE FUNCTION whose_order(o orders) RETURNS int STABLE LANGUAGE sql AS $$ SELECT who(o) $$;
SELECT cache_create(name, (name || '(int)')::regprocedure, redis => true),
       cache_watch(name, 'lines', keys => 'whose_line(lines)'),
       cache_watch(name, 'orders', keys => 'whose_order(orders)')
FROM unnest('{owed,owing}'::text[]) name;

CREATE TABLE scales (k int PRIMARY KEY, v int NOT NULL);
INSERT INTO scales SELECT k, k FROM generate_series(1, 40) k;
CREATE FUNCTION factor() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 2; END $$;
CREATE FUNCTION offset_of(k int) RETURNS int STABLE LANGUAGE sql AS $$ SELECT 5 $$;
CREATE FUNCTION scaled(k int) RETURNS int STABLE LANGUAGE plpgsql AS $$
DECLARE f int := factor();
BEGIN
  RETURN (SELECT v * factor() + offset_of($1) FROM scales s WHERE s.k = $1) + f * 1000;
END $$;
CREATE FUNCTION scaled_oracle(k int) RETURNS int STABLE LANGUAGE plpgsql AS $$
DECLARE x int;
BEGIN
  EXECUTE 'SELECT v * factor() + offset_of($1) + factor() * 1000 FROM scales s WHERE s.k = $1' INTO x USING $1;
  RETURN x;
END $$;
CREATE FUNCTION plus(k int) RETURNS int STABLE LANGUAGE plpgsql AS
  $$ BEGIN RETURN (SELECT v + 1 FROM scales s WHERE s.k = $1); END $$;
SELECT cache_create(name, (name || '(int)')::regprocedure, redis => true), cache_watch(name, 'scales', 'k')
FROM unnest('{scaled,plus}'::text[]) name;

-- A variable of a column's type. What direct calls have compiled keeps the type
-- of before.
CREATE TABLE typed (k int PRIMARY KEY, v numeric(12, 2) NOT NULL);
INSERT INTO typed SELECT k, k * 1.37 FROM generate_series(1, 40) k;
CREATE FUNCTION typed(k int) RETURNS text STABLE LANGUAGE plpgsql AS $$
DECLARE x typed.v%TYPE;
BEGIN
  SELECT v INTO x FROM typed t WHERE t.k = $1;
  RETURN x;
END $$;
CREATE FUNCTION typed_oracle(k int) RETURNS text STABLE LANGUAGE plpgsql AS $$
DECLARE x text;
BEGIN
  EXECUTE 'SELECT v::text FROM typed t WHERE t.k = $1' INTO x USING $1;
  RETURN x;
END $$;
SELECT cache_create('typed', 'typed(int)', redis => true), cache_watch('typed', 'typed', 'k');

-- A type of keys whose hash function is a user's.
CREATE TYPE code AS (a int);
CREATE FUNCTION code_hash(code) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT ($1).a $$;
CREATE FUNCTION code_eq(code, code) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT ($1).a = ($2).a $$;
CREATE OPERATOR === (LEFTARG = code, RIGHTARG = code, FUNCTION = code_eq);
CREATE OPERATOR CLASS code_ops DEFAULT FOR TYPE code USING hash AS
  OPERATOR 1 ===, FUNCTION 1 code_hash(code);
CREATE TABLE codes (k code, v int NOT NULL);
INSERT INTO codes SELECT row(k)::code, k FROM generate_series(1, 20) k;
CREATE FUNCTION coded(k code) RETURNS bigint STABLE LANGUAGE sql AS
  $$ SELECT sum(v) FROM codes c WHERE c.k === $1 $$;
SELECT cache_create('coded', 'coded(code)', redis => true), cache_watch('coded', 'codes', 'k');

-- ---------------------------------------------------------------------------
-- partitions, in two levels

CREATE TABLE parts (k int NOT NULL, v int NOT NULL) PARTITION BY RANGE (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (20) TO (40) PARTITION BY RANGE (k);
CREATE TABLE parts_31 PARTITION OF parts_3 FOR VALUES FROM (20) TO (30);
CREATE TABLE parts_32 PARTITION OF parts_3 FOR VALUES FROM (30) TO (40);
INSERT INTO parts SELECT k, k * 10 + i FROM generate_series(1, 39) k, generate_series(1, 2) i;
CREATE FUNCTION part(k int) RETURNS bigint STABLE LANGUAGE sql AS
  $$ SELECT sum(v) FROM parts p WHERE p.k = $1 $$;
CREATE FUNCTION part_plan(k int) RETURNS bigint STABLE LANGUAGE plpgsql AS
  $$ BEGIN RETURN (SELECT sum(v) FROM parts p WHERE p.k = $1); END $$;
SELECT cache_create(name, (name || '(int)')::regprocedure, redis => true), cache_watch(name, 'parts', 'k')
FROM unnest('{part,part_plan}'::text[]) name;

-- ---------------------------------------------------------------------------
-- elsewhere: catalogs that all databases share

CREATE FUNCTION may(k int) RETURNS boolean STABLE LANGUAGE sql AS
  $$ SELECT has_database_privilege('torture_role', current_database(), 'CREATE') $$;
CREATE FUNCTION about(k int) RETURNS text STABLE LANGUAGE sql AS $$
  SELECT CASE WHEN $1 = 1 THEN shobj_description('torture_role'::regrole, 'pg_authid')
    ELSE (SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()) END $$;
CREATE FUNCTION role_of(k int) RETURNS text STABLE LANGUAGE sql AS
  $$ SELECT concat_ws(' ', rolcreatedb, rolconnlimit, rolvaliduntil) FROM pg_roles WHERE rolname = 'torture_role' $$;
CREATE FUNCTION set_for(k int) RETURNS text STABLE LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT string_agg(setconfig::text, ' ' ORDER BY setconfig) FROM pg_db_role_setting
          WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
             OR setrole = 'torture_role'::regrole);
END $$;
SELECT cache_create(name, (name || '(int)')::regprocedure, redis => true)
FROM unnest('{may,about,role_of,set_for}'::text[]) name;

-- again replaces a function by itself.
CREATE FUNCTION again(f regprocedure) RETURNS void LANGUAGE plpgsql SET check_function_bodies = off AS
  $$ BEGIN EXECUTE pg_get_functiondef(f); END $$;
