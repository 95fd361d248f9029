-- Another hash for a type of keys is known to all sessions at once: else what one of
-- them changes would be another key to the others.
SET client_min_messages = warning;
CREATE EXTENSION dblink;
RESET client_min_messages;
SELECT plan(3);
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE item (mood mood PRIMARY KEY, price int);
INSERT INTO item VALUES ('sad', 1), ('happy', 2);
CREATE FUNCTION loader(mood) RETURNS int LANGUAGE sql STABLE AS 'SELECT price FROM item WHERE mood = $1';
SELECT cache_create('c', 'loader(mood)');
SELECT cache_watch('c', 'item', 'mood');

CREATE FUNCTION there() RETURNS int LANGUAGE sql AS
  $$ SELECT got FROM dblink('other', 'SELECT cache_get(''c'', ''sad''::mood)') AS d (got int) $$;
SELECT format('dbname=%I host=%s port=%s user=%I', current_database(),
  split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_user) AS conninfo \gset
SELECT dblink_connect('other', :'conninfo');
SELECT is(there(), 1, 'a session that knows the cache');

CREATE FUNCTION mood_hash(mood) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT ascii($1::text)';
CREATE FUNCTION mood_hash(mood, bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT ascii($1::text) + $2';
CREATE FUNCTION same_mood(mood, mood) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1::text = $2::text';
CREATE OPERATOR === (LEFTARG = mood, RIGHTARG = mood, FUNCTION = same_mood);
CREATE OPERATOR CLASS mood_ops DEFAULT FOR TYPE mood USING hash AS
  OPERATOR 1 ===, FUNCTION 1 mood_hash(mood), FUNCTION 2 mood_hash(mood, bigint);
SELECT is(there(), 1, 'it fills again');

-- A session that has not used the cache before has only the new hash.
SELECT dblink_connect('new', :'conninfo');
SELECT dblink_exec('new', 'UPDATE item SET price = 10 WHERE mood = ''sad''');
SELECT is(there(), 10, 'and hears of a write by the new hash');
SELECT dblink_disconnect(name) FROM unnest('{other,new}'::text[]) AS name;
SELECT * FROM finish();
