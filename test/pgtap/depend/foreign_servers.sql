-- Loaders that ask another server, as README says: stored with a ttl, and not
-- without.
\ir ../exact.psql
SET client_min_messages = error;
SELECT plan(10);
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION dblink;
CREATE SCHEMA there;
CREATE TABLE there.rate (currency text, rate numeric);
INSERT INTO there.rate VALUES ('EUR', 1.5), ('GBP', 1.25);
SELECT format('host %L, port %L, dbname %L', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database()) AS options \gset
CREATE SERVER bank FOREIGN DATA WRAPPER postgres_fdw OPTIONS (:options);
CREATE USER MAPPING FOR PUBLIC SERVER bank OPTIONS (user 'postgres');
CREATE FOREIGN TABLE rate (currency text, rate numeric) SERVER bank OPTIONS (schema_name 'there');
CREATE FUNCTION remote_rate(wanted text) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT rate FROM rate WHERE currency = wanted';
CREATE FUNCTION remote_rate2(wanted text) RETURNS numeric LANGUAGE sql STABLE AS $$
  SELECT rate FROM dblink('bank', format('SELECT rate FROM there.rate WHERE currency = %L', wanted)) AS t (rate numeric)
$$;
SELECT cache_create('rates', 'remote_rate(text)', ttl => '5 minutes'), cache_create('rates2', 'remote_rate2(text)', ttl => '5 minutes');
SELECT exact('rates', '''EUR''', 'remote_rate', 'a foreign table');
SELECT exact('rates2', '''EUR''', 'remote_rate2', 'dblink');
UPDATE there.rate SET rate = rate + 1;
SELECT is(cache_get('rates', 'EUR'), '1.5', 'for a while it is as it was');
SELECT is(cache_get('rates2', 'EUR'), '1.5', 'for both');
SELECT cache_invalidate('rates', 'EUR'), cache_invalidate('rates2', 'EUR');
SELECT is(cache_get('rates', 'EUR'), '2.5', 'unless somebody says so');
SELECT is(cache_get('rates2', 'EUR'), '2.5', 'to both');
SELECT cache_alter('rates', ttl => '0'), cache_alter('rates2', ttl => '0');
SELECT is(array[hits('rates', 'SELECT cache_get(''rates'', ''EUR''), cache_get(''rates'', ''EUR'')'), hits('rates2', 'SELECT cache_get(''rates2'', ''EUR''), cache_get(''rates2'', ''EUR'')')],
          '{0,0}'::bigint[], 'without a ttl nothing is stored');
SELECT is((SELECT array_agg(reason || coalesce(' ' || object, '') ORDER BY cache) FROM cache_unstored), '{"unwatched table public.rate","volatile function dblink(text,text)"}'::text[], 'and the reasons are told');
UPDATE there.rate SET rate = rate + 1;
SELECT is(cache_get('rates', 'EUR'), '3.5', 'so that it is exact');
SELECT is(cache_get('rates2', 'EUR'), '3.5', 'both are');
SELECT * FROM finish();
