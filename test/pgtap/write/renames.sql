-- Caches and watches follow renames of what they name: schemas of the recorded
-- search_path, text search configurations, functions that are trusted, columns
-- by way of types and parents.
\ir ../exact.psql
SET client_min_messages = error;
SELECT * FROM no_plan();

-- path_of gives the search_path that is recorded with a cache, setting another setting.
CREATE FUNCTION setting(cache text, setting text) RETURNS text LANGUAGE sql AS
  'SELECT substr(s, length($2) + 2) FROM cache_definition, unnest(settings) s WHERE name = $1 AND s LIKE $2 || ''=%''';
CREATE FUNCTION path_of(cache text) RETURNS text LANGUAGE sql AS 'SELECT setting($1, ''search_path'')';

-- Loaders and tables that are found by search_path.
CREATE SCHEMA shop;
CREATE SCHEMA "Odd, ""$user""";
SET search_path = shop, "Odd, ""$user""", public;
CREATE TABLE cfg (k int PRIMARY KEY, v int);
CREATE TABLE "Odd, ""$user""".other (k int PRIMARY KEY, v int);
INSERT INTO cfg VALUES (1, 10), (2, 20);
INSERT INTO other VALUES (1, 1), (2, 2);
CREATE FUNCTION load_cfg(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT c.v + o.v FROM cfg c JOIN other o USING (k) WHERE c.k = a';
CREATE FUNCTION public.load_plpgsql(a int) RETURNS int LANGUAGE plpgsql STABLE AS
  'BEGIN RETURN (SELECT c.v + o.v FROM cfg c JOIN other o USING (k) WHERE c.k = a); END';
SELECT cache_create('cfg', 'load_cfg(int)'), cache_watch('cfg', 'cfg', 'k'), cache_watch('cfg', 'other', 'k'),
  cache_create('plpgsql', 'load_plpgsql(int)'), cache_watch('plpgsql', 'cfg', 'k'), cache_watch('plpgsql', 'other', 'k');
SELECT cache_create('kept');
SELECT is(path_of('cfg'), 'shop, "Odd, ""$user""", public, pg_temp', 'as it was recorded');
SELECT exact('cfg', '1', 'load_cfg', 'before');

ALTER SCHEMA shop RENAME TO store;
SET search_path = store, "Odd, ""$user""", public;
SELECT is(path_of('cfg'), 'store, "Odd, ""$user""", public, pg_temp', 'a schema is renamed');
SELECT exact('cfg', '1', 'load_cfg', 'SQL: a schema is renamed');
SELECT exact('plpgsql', '1', 'load_plpgsql', 'PL/pgSQL: a schema is renamed');
UPDATE cfg SET v = 11 WHERE k = 1;
SELECT exact('cfg', '1', 'load_cfg', 'SQL: and written');
SELECT exact('plpgsql', '1', 'load_plpgsql', 'PL/pgSQL: and written');
SELECT is(hits('cfg', 'SELECT cache_get(''cfg'', 1)'), 1::bigint, 'hot');
ALTER SCHEMA "Odd, ""$user""" RENAME TO "Select";
SET search_path = store, "Select", public;
SELECT is(path_of('cfg'), 'store, "Select", public, pg_temp', 'from and to names that need quotes');
SELECT exact('cfg', '1', 'load_cfg', 'names that need quotes');
ALTER SCHEMA "Select" RENAME TO "ü "", '\";
SET search_path = store, "ü "", '\", public;
SELECT is(path_of('cfg'), 'store, "ü "", ''\", public, pg_temp', 'quotes in names');
SELECT exact('cfg', '1', 'load_cfg', 'quotes in names');
ALTER SCHEMA "ü "", '\" RENAME TO extra;
SET search_path = store, extra, public;
SELECT is(path_of('plpgsql'), 'store, extra, public, pg_temp', 'and back');

-- Rolled back, in part or in whole; swapped; prepared; in functions.
BEGIN;
SAVEPOINT s;
ALTER SCHEMA store RENAME TO one;
SELECT is(path_of('cfg'), 'one, extra, public, pg_temp', 'seen within the transaction');
SET LOCAL search_path = one, extra, public;
SELECT is(cache_get('cfg', 1), to_jsonb(load_cfg(1)), 'exact within the transaction');
ROLLBACK TO s;
SELECT is(path_of('cfg'), 'store, extra, public, pg_temp', 'ROLLBACK TO SAVEPOINT');
ALTER SCHEMA extra RENAME TO two;
COMMIT;
SELECT is(path_of('cfg'), 'store, two, public, pg_temp', 'the rest is committed');
SET search_path = store, two, public;
SELECT exact('cfg', '1', 'load_cfg', 'a savepoint');
BEGIN; ALTER SCHEMA store RENAME TO three; ROLLBACK;
SELECT is(path_of('cfg'), 'store, two, public, pg_temp', 'ROLLBACK');
SELECT exact('cfg', '2', 'load_cfg', 'ROLLBACK');
BEGIN; ALTER SCHEMA store RENAME TO aside; ALTER SCHEMA two RENAME TO store; ALTER SCHEMA aside RENAME TO two; COMMIT;
SELECT is(path_of('cfg'), 'two, store, public, pg_temp', 'the schemas swap names');
SET search_path = two, store, public;
SELECT exact('cfg', '1', 'load_cfg', 'swapped');
UPDATE other SET v = v + 5;
SELECT exact('cfg', '1', 'load_cfg', 'swapped and written');
BEGIN; ALTER SCHEMA two RENAME TO prepared; PREPARE TRANSACTION 'renames';
SELECT is(path_of('cfg'), 'two, store, public, pg_temp', 'PREPARE TRANSACTION');
COMMIT PREPARED 'renames';
SELECT is(path_of('cfg'), 'prepared, store, public, pg_temp', 'COMMIT PREPARED');
SET search_path = prepared, store, public;
SELECT exact('cfg', '1', 'load_cfg', 'COMMIT PREPARED');
DO $$ BEGIN EXECUTE 'ALTER SCHEMA prepared RENAME TO shop'; END $$;
SET search_path = shop, store, public;
SELECT is(path_of('cfg'), 'shop, store, public, pg_temp', 'in DO');
SELECT exact('cfg', '1', 'load_cfg', 'in DO');

-- A schema that is dropped keeps its place, for one that gets its name; cache_check
-- says so, and what it says is true.
CREATE SCHEMA spare;
SET search_path = shop, store, spare, public;
SELECT cache_create('gone', 'load_cfg(int)'), cache_watch('gone', 'cfg', 'k'), cache_watch('gone', 'other', 'k');
SET search_path = shop, store, public;
DROP SCHEMA spare;
SELECT is(path_of('gone'), 'shop, store, spare, public, pg_temp', 'DROP SCHEMA');
SELECT exact('gone', '1', 'load_cfg', 'DROP SCHEMA');
SELECT results_eq('SELECT object, problem, hint FROM cache_check()', $$VALUES ('shop.load_cfg(integer)',
  'the search_path recorded with the cache, by which the loader finds names, has schema spare, which does not exist',
  'Set search_path to what the loader needs, and record it: SELECT cache_alter(''gone'', loader => ''shop.load_cfg(integer)'').')$$, 'cache_check');
SELECT cache_alter('gone', loader => 'shop.load_cfg(integer)');
SELECT is_empty('SELECT * FROM cache_check()', 'the hint works');
SELECT is(path_of('gone'), 'shop, store, public, pg_temp', 'and has recorded the present path');
ALTER SCHEMA store RENAME TO stock;
CREATE SCHEMA store;
SELECT is(path_of('gone'), 'shop, stock, public, pg_temp', 'the name of before is another''s');
DROP SCHEMA store;
SET search_path = shop, stock, public;
SELECT cache_drop('gone');

-- Functions that name the schema do not follow, as ever.
ALTER FUNCTION public.load_plpgsql(int) SET search_path = shop, stock, pg_temp;
SELECT agrees('plpgsql', '2', 'load_plpgsql', 'a loader with a search_path of its own');
ALTER SCHEMA stock RENAME TO store;
SELECT agrees('plpgsql', '2', 'load_plpgsql', 'a get fails like a direct call where that does not follow');
ALTER FUNCTION public.load_plpgsql(int) SET search_path = shop, store, pg_temp;
SET search_path = shop, store, public;
SELECT agrees('plpgsql', '2', 'load_plpgsql', 'until it is altered');

-- The name of the role stands for a schema.
CREATE ROLE regress_cache_user;
GRANT CREATE ON DATABASE :"DBNAME" TO regress_cache_user;
CREATE SCHEMA regress_cache_user AUTHORIZATION regress_cache_user;
GRANT USAGE ON SCHEMA shop, store TO regress_cache_user;
GRANT ALL ON ALL TABLES IN SCHEMA shop, store TO regress_cache_user;
SET ROLE regress_cache_user;
SET search_path = "$user", shop;
CREATE TABLE own (k int, v int);
INSERT INTO own VALUES (1, 1);
CREATE FUNCTION load_own(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM own WHERE k = a';
SELECT public.cache_create('own', 'load_own(int)'), public.cache_watch('own', 'own', 'k');
RESET ROLE;
SET search_path = public, shop;
SELECT is(path_of('own'), 'regress_cache_user, shop, pg_temp', 'the schema of a role');
ALTER ROLE regress_cache_user RENAME TO regress_cache_renamed;
SET search_path = regress_cache_user, public;
SELECT exact('own', '1', 'load_own', 'the role is renamed');
SET ROLE regress_cache_renamed;
ALTER SCHEMA regress_cache_user RENAME TO regress_cache_renamed;
RESET ROLE;
SET search_path = regress_cache_renamed, public;
SELECT is(path_of('own'), 'regress_cache_renamed, shop, pg_temp', 'and the schema, by its owner');
SELECT exact('own', '1', 'load_own', 'and the schema, by its owner');
UPDATE own SET v = 2;
SELECT exact('own', '1', 'load_own', 'and written');
SET search_path = shop, store, public;
DROP OWNED BY regress_cache_renamed CASCADE;
DROP ROLE regress_cache_renamed;

-- Text search configurations.
CREATE TEXT SEARCH CONFIGURATION shop.words (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION shop.words ALTER MAPPING FOR asciiword WITH english_stem;
CREATE FUNCTION lexemes(t text) RETURNS text LANGUAGE sql STABLE AS 'SELECT to_tsvector(t)::text';
SET default_text_search_config = words;
SELECT cache_create('lexemes', 'lexemes(text)');
SELECT is(setting('lexemes', 'default_text_search_config'), 'shop.words', 'as it was recorded');
SELECT exact('lexemes', '''walking''::text', 'lexemes', 'before');
ALTER TEXT SEARCH CONFIGURATION shop.words RENAME TO "Terms";
SET default_text_search_config = '"Terms"';
SELECT is(setting('lexemes', 'default_text_search_config'), 'shop."Terms"', 'a configuration is renamed');
SELECT exact('lexemes', '''walking''::text', 'lexemes', 'a configuration is renamed');
ALTER TEXT SEARCH CONFIGURATION shop."Terms" SET SCHEMA store;
SET default_text_search_config = '"Terms"';
SELECT is(setting('lexemes', 'default_text_search_config'), 'store."Terms"', 'in another schema');
SELECT exact('lexemes', '''walking''::text', 'lexemes', 'in another schema');
ALTER SCHEMA store RENAME TO stock;
SET search_path = shop, stock, public;
SET default_text_search_config = '"Terms"';
SELECT is(setting('lexemes', 'default_text_search_config'), 'stock."Terms"', 'its schema is renamed');
SELECT is(path_of('lexemes'), 'shop, stock, public, pg_temp', 'of which the search_path hears as well');
SELECT exact('lexemes', '''walking''::text', 'lexemes', 'its schema is renamed');
SELECT is(setting('cfg', 'default_text_search_config') LIKE 'pg_catalog.%', true, 'others keep what they have');
RESET default_text_search_config;
DROP TEXT SEARCH CONFIGURATION stock."Terms";
SELECT is(cache_get('lexemes', 'walking'), to_jsonb(lexemes('walking')), 'dropped');
SELECT results_eq('SELECT problem, hint FROM cache_check() WHERE cache = ''lexemes''', $$VALUES
  ('results are not stored, because a setting that is recorded with the cache cannot be set any more',
   'Record the present ones: SELECT cache_alter(''lexemes'', loader => ''shop.lexemes(pg_catalog.text)'').')$$, 'cache_check');
SELECT cache_alter('lexemes', loader => 'shop.lexemes(pg_catalog.text)');
SELECT exact('lexemes', '''walking''::text', 'lexemes', 'the hint works');
SELECT is_empty('SELECT * FROM cache_check() WHERE cache = ''lexemes''', 'and cache_check is content');

-- What signatures are made of: types, domains, row types, their schemas; functions
-- that are trusted, those too that are gone.
CREATE TYPE shop.pair AS (a int, b int);
CREATE DOMAIN shop.number AS int;
CREATE FUNCTION helper(p pair) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT v FROM shop.cfg WHERE k = p.a); END';
CREATE FUNCTION absent(n number) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION load_pair(p pair, n number, r other) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN p.a + n + r.v; END';
SELECT cache_create('pair', 'load_pair(pair, number, other)', trust => 'helper(pair), absent(number)');
DROP FUNCTION absent(number);
ALTER TYPE shop.pair RENAME TO "Pair";
ALTER DOMAIN shop.number SET SCHEMA stock;
ALTER TABLE other RENAME TO others;
ALTER SCHEMA shop RENAME TO market;
SET search_path = market, stock, public;
SELECT is((SELECT ROW(loader_schema, loader_args, trust)::text FROM cache_definition WHERE name = 'pair'),
  ROW('market'::text, '{"market.\"Pair\"",stock.number,stock.others}'::text[], '{"market.helper(market.\"Pair\")","shop.absent(shop.number)"}'::text[])::text, 'types, domains and tables in signatures');
SELECT exact('pair', 'ROW(1, 2)::"Pair", 3::number, ROW(1, 1)::others', 'load_pair', 'types, domains and tables in signatures');
ALTER TABLE others RENAME TO other;
SELECT cache_drop('pair');

-- A loader that cannot be one keeps its settings up to date meanwhile.
ALTER FUNCTION load_cfg(int) VOLATILE;
ALTER SCHEMA stock RENAME TO store;
SET search_path = market, store, public;
ALTER FUNCTION load_cfg(int) STABLE;
SELECT exact('cfg', '1', 'load_cfg', 'renamed while the loader was volatile');

-- Columns, by way of a type, of parents and of partitions; generated ones.
CREATE TYPE rowtype AS (k int, v int, w int);
CREATE TABLE typed OF rowtype;
CREATE TABLE typed2 OF rowtype;
CREATE TABLE untyped (k int, v int);
INSERT INTO typed VALUES (1, 1), (2, 2);
INSERT INTO typed2 VALUES (1, 10), (2, 20);
CREATE FUNCTION load_typed(a int) RETURNS int LANGUAGE sql STABLE
  BEGIN ATOMIC SELECT sum(v) FROM (SELECT k, v FROM typed UNION ALL SELECT k, v FROM typed2) t WHERE k = a; END;
SELECT cache_create('typed', 'load_typed(int)'), cache_watch('typed', 'typed', 'k'), cache_watch('typed', 'typed2', 'k'), cache_watch('typed', 'untyped', 'k');
CREATE FUNCTION columns(cache text) RETURNS text LANGUAGE sql AS
  $$ SELECT string_agg(relation || ': ' || array_to_string(key_columns, ','), '; ' ORDER BY relation::text COLLATE "C") FROM cache_watches w WHERE w.cache = $1 $$;
ALTER TYPE rowtype RENAME ATTRIBUTE k TO "K K" CASCADE;
SELECT is(columns('typed'), 'typed: K K; typed2: K K; untyped: k', 'an attribute is renamed');
SELECT is_empty('SELECT * FROM cache_check() WHERE cache = ''typed''', 'an attribute is renamed: cache_check');
SELECT exact('typed', '1', 'load_typed', 'an attribute is renamed');
SELECT cache_get('typed', 2);
UPDATE typed SET v = v + 1 WHERE "K K" = 1;
SELECT is(hits('typed', 'SELECT cache_get(''typed'', 2)'), 1::bigint, 'a write of one key leaves the others');
SELECT exact('typed', '1', 'load_typed', 'and written');
DO $$ BEGIN ALTER TYPE rowtype RENAME ATTRIBUTE "K K" TO tmp CASCADE; ALTER TYPE rowtype RENAME ATTRIBUTE w TO "K K" CASCADE; ALTER TYPE rowtype RENAME ATTRIBUTE tmp TO w CASCADE; END $$;
SELECT is(columns('typed'), 'typed: w; typed2: w; untyped: k', 'two attributes swap names');
SELECT cache_get('typed', 2);
UPDATE typed2 SET v = v + 1 WHERE w = 1;
SELECT is(hits('typed', 'SELECT cache_get(''typed'', 2)'), 1::bigint, 'swapped: a write of one key leaves the others');
SELECT exact('typed', '1', 'load_typed', 'swapped');
ALTER TYPE rowtype ADD ATTRIBUTE x int CASCADE;
ALTER TYPE rowtype DROP ATTRIBUTE "K K" CASCADE;
SELECT exact('typed', '1', 'load_typed', 'attributes come and go');
UPDATE typed2 SET v = v + 1 WHERE w = 1;
SELECT exact('typed', '1', 'load_typed', 'and written');

CREATE TABLE parent (k int, v int, g int GENERATED ALWAYS AS (k + 1) STORED) PARTITION BY LIST (k);
CREATE TABLE middle PARTITION OF parent FOR VALUES IN (1, 2) PARTITION BY LIST (k);
CREATE TABLE leaf PARTITION OF middle FOR VALUES IN (1);
CREATE TABLE leaf2 PARTITION OF middle DEFAULT;
CREATE TABLE ancestor (k int, v int);
CREATE TABLE child () INHERITS (ancestor);
INSERT INTO parent VALUES (1, 1), (2, 2);
INSERT INTO child VALUES (2, 1), (3, 2);
CREATE FUNCTION load_parts(a int) RETURNS int LANGUAGE sql STABLE
  BEGIN ATOMIC SELECT sum(v) FROM (SELECT g, v FROM parent UNION ALL SELECT k, v FROM ancestor) t WHERE g = a; END;
SELECT cache_create('parts', 'load_parts(int)'), cache_watch('parts', 'parent', 'g'), cache_watch('parts', 'ancestor', 'k'), cache_watch('parts', 'child', 'k');
ALTER TABLE parent RENAME g TO h;
ALTER TABLE ancestor RENAME k TO kk;
SELECT is(columns('parts'), 'ancestor: kk; child: kk; parent: h', 'columns of parents');
SELECT is((SELECT string_agg(DISTINCT encode(tgargs, 'escape'), ' ') FROM pg_trigger WHERE tgrelid IN ('leaf'::regclass, 'leaf2'::regclass, 'middle'::regclass)), 'parts\000h\000', 'columns of partitions');
SELECT exact('parts', '2', 'load_parts', 'columns of parents');
SELECT cache_get('parts', 3);
UPDATE leaf SET v = v + 1;
UPDATE child SET v = v + 1 WHERE kk = 2;
SELECT is(hits('parts', 'SELECT cache_get(''parts'', 3)'), 1::bigint, 'parents: a write of one key leaves the others');
SELECT exact('parts', '2', 'load_parts', 'and written');
SELECT is_empty('SELECT * FROM cache_check() WHERE cache = ''parts''', 'cache_check of parents');

-- A key column is dropped: each write invalidates the cache, and cache_check says so.
ALTER TABLE ancestor ADD kept int;
UPDATE ancestor SET kept = kk;
SELECT throws_like('ALTER TABLE ancestor DROP kk', '%depend%', 'a loader that is bound keeps its columns');
CREATE TABLE loose (k int, v int, kept int);
INSERT INTO loose VALUES (1, 1, 1), (2, 2, 2);
CREATE FUNCTION load_loose(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT v FROM loose WHERE kept = a';
SELECT cache_create('loose', 'load_loose(int)'), cache_watch('loose', 'loose', 'k');
ALTER TABLE loose DROP k;
SELECT exact('loose', '1', 'load_loose', 'a key column is dropped');
UPDATE loose SET v = 5 WHERE kept = 1;
SELECT exact('loose', '1', 'load_loose', 'and written');
SELECT results_eq('SELECT problem, hint FROM cache_check() WHERE cache = ''loose''', $$VALUES
  ('the watch''s columns are gone or do not fit, so that each write invalidates the whole cache', 'Call cache_unwatch() and cache_watch() again.')$$, 'cache_check');
SELECT cache_unwatch('loose', 'loose'), cache_watch('loose', 'loose', 'kept');
SELECT is_empty('SELECT * FROM cache_check() WHERE cache = ''loose''', 'the hint works');
SELECT cache_get('loose', 2);
UPDATE loose SET v = 6 WHERE kept = 1;
SELECT is(hits('loose', 'SELECT cache_get(''loose'', 2)'), 1::bigint, 'and keys are told again');

-- Schemas are swapped, as README has it; and tables.
RESET search_path;
SET check_function_bodies = off;
CREATE SCHEMA store_new;
CREATE TABLE store_new.item (id int PRIMARY KEY, price int);
INSERT INTO store_new.item VALUES (1, 200);
CREATE FUNCTION store_new.load_price(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT price FROM item WHERE id = a';
CREATE TABLE store.item (id int PRIMARY KEY, price int);
INSERT INTO store.item VALUES (1, 100);
CREATE FUNCTION store.load_price(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT price FROM item WHERE id = a';
SET search_path = store, public;
SELECT cache_create('price', 'load_price(int)'), cache_watch('price', 'item', 'id');
SELECT exact('price', '1', 'load_price', 'before the swap');
BEGIN;
ALTER SCHEMA store RENAME TO store_old;
ALTER SCHEMA store_new RENAME TO store;
SELECT is(path_of('price'), 'store_old, public, pg_temp', 'the cache follows the schema that it was made of');
SAVEPOINT s;
SET LOCAL search_path = store_old, public;
SELECT is(cache_get('price', 1), to_jsonb(load_price(1)), 'and its loader and table');
ROLLBACK TO s;
SET LOCAL search_path = store, public;
SELECT cache_alter('price', loader => 'store.load_price(int)');
SELECT cache_watch('price', 'store.item', 'id');
SELECT is(cache_get('price', 1), '200', 'the new schema, before the commit');
COMMIT;
SELECT exact('price', '1', 'load_price', 'the new schema');
SELECT is(cache_get('price', 1), '200', 'with the new value');
UPDATE item SET price = 201;
SELECT exact('price', '1', 'load_price', 'and written');
DROP SCHEMA store_old CASCADE;
SELECT exact('price', '1', 'load_price', 'without the old one');
SELECT is_empty('SELECT * FROM cache_check() WHERE cache = ''price''', 'cache_check of the swap');
CREATE TABLE item_new (id int PRIMARY KEY, price int);
INSERT INTO item_new VALUES (1, 300);
BEGIN;
ALTER TABLE item RENAME TO item_old;
ALTER TABLE item_new RENAME TO item;
SELECT cache_watch('price', 'item', 'id');
COMMIT;
SELECT exact('price', '1', 'load_price', 'a table is swapped');
SELECT is(cache_get('price', 1), '300', 'with the new value');
UPDATE item SET price = 301;
SELECT exact('price', '1', 'load_price', 'a table is swapped and written');
DROP TABLE item_old;
SELECT is(hits('price', 'SELECT cache_get(''price'', 1)'), 1::bigint, 'hot, though the old table is gone');
SELECT is(cache_get('price', 1), to_jsonb(load_price(1)), 'and exact');
SELECT is_empty('SELECT * FROM cache_check() WHERE cache = ''price''', 'cache_check of the swapped table');

SELECT * FROM finish();
