# The README's first steps and recipes: the SQL that stands there is run, and does
# what is said of it, in several sessions.
use strict;
use warnings;
use CacheTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('recipes');
my $readme = slurp_file('README.md');

# sql gives the SQL of a section.
sub sql
{
	my ($title) = @_;
	my ($section) = $readme =~ /^##+ \Q$title\E\n(.*?)(?=^##)/ms;
	my @blocks = ($section // '') =~ /^```sql\n(.*?)^```$/msg;

	BAIL_OUT("the README has no SQL in a section \"$title\"") unless @blocks;
	return CORE::join("\n", @blocks);
}

# try_out runs the SQL of a section and gives what it prints.
sub try_out
{
	my ($title, $db) = @_;
	my ($status, $out, $err) = $node->psql($db // 'postgres', sql($title), on_error_stop => 1);

	is($status, 0, "$title: runs") or diag($err);
	$out =~ s/^\n+//mg;
	return $out;
}

# hits gives what a cache has answered from memory since it was last asked.
sub hits
{
	my ($cache) = @_;

	return $node->safe_psql('postgres',
		"SELECT hits FROM cache_stats WHERE name = '$cache'; SELECT cache_stats_reset('$cache')") + 0;
}

# Getting started, where there is no extension yet
$node->safe_psql('postgres', 'CREATE DATABASE started');
is(try_out('Getting started', 'started'), qq({"dark": true}\n{"dark": true}\n{"dark": false}), 'Getting started: answers');
is($node->safe_psql('started', 'SELECT hits, loads FROM cache_stats'), '1|2', 'Getting started: one hit');

is(try_out('Get many keys at once', 'started'), qq(theme|{"dark": false}\nlanguage|\ntheme|{"dark": false}), 'Get many keys');
like(try_out('Keep values without a loader'), qr/^\{"step": 1\}\|00:59:5/m, 'Keep values without a loader');
is(try_out('Call it in views and functions', 'started'), qq({"dark": false}), 'A get in a view');

# Migrations: what is made is made once, and handed over
$node->safe_psql('started', <<'END');
CREATE ROLE leaver;
CREATE ROLE team;
SELECT cache_create('old_config', 'load_config(text)'), cache_alter('old_config', owner => 'leaver');
SET check_function_bodies = off;
CREATE SCHEMA store;
CREATE TABLE store.item (id integer PRIMARY KEY, price integer);
INSERT INTO store.item VALUES (1, 10);
CREATE FUNCTION store.load_price(item integer) RETURNS integer LANGUAGE sql STABLE
	AS 'SELECT price FROM item WHERE id = $1';
CREATE SCHEMA store_new;
CREATE TABLE store_new.item (id integer PRIMARY KEY, price integer);
INSERT INTO store_new.item VALUES (1, 20);
CREATE FUNCTION store_new.load_price(item integer) RETURNS integer LANGUAGE sql STABLE
	AS 'SELECT price FROM item WHERE id = $1';
SET search_path = store, public;
SELECT cache_create('price', 'load_price(integer)'), cache_watch('price', 'item', 'id'), cache_get('price', 1);
END
like(try_out('Write migrations', 'started'), qr/^config\|config\|\{name\}\|\|enabled\|\d+$/m, 'migrations: the watch that there is');
is($node->safe_psql('started', "SELECT name, owner, loader_name FROM cache_definition ORDER BY 1; SELECT cache_get('config', 'theme')"),
	qq(config|postgres|load_config2\nprice|postgres|load_price\n"{\\"dark\\": false}"), 'migrations: another loader');
is($node->safe_psql('started', "SELECT cache_get('price', 1); UPDATE store.item SET price = 30; SELECT cache_get('price', 1)"),
	"20\n30", 'migrations: swapped schemas');
$node->safe_psql('started', 'DROP ROLE leaver');

my ($a, $b, $old) = map { session($node, $_) } qw(a b old);

# Configuration
is(try_out('Hot configuration rows'), 'false|10', 'configuration: a value and a fallback');
my $asked = "SELECT setting('maintenance'), setting('max_upload', '10')";
$b->run($asked) for 1 .. 2;
hits('setting');
is($b->run($asked), 'false|10', 'configuration: in another session');
is(hits('setting'), 2, 'configuration: from memory, also what is not there');
$old->run('BEGIN ISOLATION LEVEL REPEATABLE READ');
$old->run('SELECT 1');
$a->run('BEGIN');
$a->run("UPDATE setting SET value = 'true'; INSERT INTO setting VALUES ('max_upload', '20')");
is($a->run($asked), 'true|20', 'configuration: who writes sees it');
is($b->run($asked), 'false|10', 'configuration: nobody else does');
$a->run('COMMIT');
is($b->run($asked), 'true|20', 'configuration: until it is committed');
is($old->run($asked), 'false|10', 'configuration: an old snapshot stays as it is');
$old->run('COMMIT');
is($old->run($asked), 'true|20', 'configuration: as long as it lasts');

# The aggregate
my $turnover = try_out('An expensive aggregate over a join');
like($turnover, qr/^\{"tea": [\d.]+, "cups": [\d.]+\}$/, 'aggregate: an answer');
my $exact = "SELECT bool_and(cache_get('turnover', i) IS NOT DISTINCT FROM load_turnover(i)) FROM generate_series(-1, 10) i";
$b->run($exact);
hits('turnover');
is($b->run($exact), 't', 'aggregate: exact');
is(hits('turnover'), 12, 'aggregate: from memory');
$a->run('INSERT INTO sale VALUES (1, 3, 100)');
is($b->run($exact), 't', 'aggregate: exact after a sale');
is(hits('turnover'), 11, 'aggregate: other branches are not concerned');
$a->run('UPDATE sale SET branch = 2 WHERE branch = 1 AND quantity = 100');
is($b->run($exact), 't', 'aggregate: exact when a sale is moved');
is(hits('turnover'), 10, 'aggregate: two branches are');
$a->run("UPDATE product SET price = 10 WHERE category = 'cups'");
is($b->run($exact), 't', 'aggregate: exact after a change of price');
is(hits('turnover'), 0, 'aggregate: all branches are concerned');
is($b->run("SELECT count(*) FROM cache_verify('turnover')"), '0', 'aggregate: the watches are right');

# Sessions
try_out('Sessions that can be revoked at once');
my @tokens = split /\n/, $node->safe_psql('postgres', 'INSERT INTO session (account) VALUES (7), (7), (8) RETURNING token');
my @backends = map { session($node, "backend $_") } 1 .. 4;
my $known = 'SELECT ' . CORE::join(', ', map { "session_of('$_') ->> 'account'" } @tokens);
$_->run($known) for @backends;
hits('session');
is(CORE::join(' ', map { $_->run($known) } @backends), '7|7|8 7|7|8 7|7|8 7|7|8', 'sessions: known everywhere');
is(hits('session'), 12, 'sessions: from memory');
$a->run('BEGIN');
$a->run('SELECT revoke_sessions(7)');
is($a->run($known), '||8', 'sessions: who revokes them sees it');
is(CORE::join(' ', map { $_->run($known) } @backends), '7|7|8 7|7|8 7|7|8 7|7|8', 'sessions: not yet committed');
$a->run('COMMIT');
is(CORE::join(' ', map { $_->run($known) } @backends), '||8 ||8 ||8 ||8', 'sessions: over everywhere at once');
is($b->run("SELECT session_of('$tokens[0]') IS NULL"), 't', 'sessions: an unknown token gives NULL');
$a->run("UPDATE session SET data = '{\"cart\": [1]}' WHERE token = '$tokens[2]'");
is(CORE::join(' ', map { $_->run("SELECT session_of('$tokens[2]') #>> '{data,cart,0}'") } @backends), '1 1 1 1', 'sessions: data');
$a->run("UPDATE session SET expires = now() - interval '1 second' WHERE token = '$tokens[2]'");
is(CORE::join(' ', map { $_->run($known) } @backends), '|| || || ||', 'sessions: one that has expired');

# Tenants
is(try_out('The tenant in the key'), '"light"', 'tenants: in the key');
$_->run("SET app.tenant = '" . ($_ == $a ? 'blue' : 'green') . "'") for $a, $b;
is(CORE::join(' ', map { $_->run("SELECT tenant_setting('theme')") } $a, $b, $a, $b), '"dark" "light" "dark" "light"', 'tenants: each has its own');
is(hits('tenant_setting'), 3, 'tenants: from memory');
$a->run("UPDATE tenant_setting SET value = '1' WHERE tenant = 'blue'");
is(CORE::join(' ', map { $_->run("SELECT tenant_setting('theme')") } $a, $b), '1 "light"', 'tenants: exact');
is(hits('tenant_setting'), 1, 'tenants: one is not concerned by what another one writes');

like(try_out('A schema for each tenant'), qr{^"light"$}m, 'tenants: by schema');
$_->run('SET search_path = ' . ($_ == $a ? 'blue' : 'green') . ', public') for $a, $b;
is(CORE::join(' ', map { $_->run("SELECT tenant_config('theme')") } $a, $b, $a, $b), '"dark" "light" "dark" "light"', 'tenants: each has its schema');
is($a->errors . $b->errors, '', 'tenants: nothing to be said');
is(hits('blue.config') . hits('green.config'), '12', 'tenants: from memory');
$a->run("UPDATE config SET value = '1'");
is(CORE::join(' ', map { $_->run("SELECT tenant_config('theme')") } $a, $b), '1 "light"', 'tenants: exact');
$node->safe_psql('postgres', 'SELECT add_tenant($$o\'clock "sharp"$$)');
is($node->safe_psql('postgres', <<'END'), '"12"|t', 'tenants: any name');
INSERT INTO "o'clock ""sharp""".config VALUES ('theme', '"12"');
SET search_path = "o'clock ""sharp""", public;
SELECT tenant_config('theme'), tenant_config('theme') IS NOT DISTINCT FROM load_config('theme');
END
is($a->run("SELECT count(*) FROM cache_check()"), '0', 'tenants: nothing is wrong');
$b->run('RESET search_path; RESET app.tenant');

# Behind a pooler: another client's session, and what comes in between
$a->run('DISCARD ALL');
is($a->run("SELECT setting('maintenance')"), 'true', 'a connection that is used again');
hits('setting');
$a->run("DISCARD ALL");
$a->run("SELECT setting('maintenance')");
is(hits('setting'), 1, 'from memory');

# Logging in. Time stands still.
$_->quit for $a, $b, $old;
$node->safe_psql('postgres', 'ALTER DATABASE postgres SET cache.rate_limit_clock = 1000000000');
($a, $b) = map { session($node, $_) } qw(a b);
my $token = try_out('Rate-limited login');
is($b->run("SELECT session_of('$token') ->> 'account'"), '1', 'login: a session');

# attempt logs in and gives the account, or what was complained of.
sub attempt
{
	my ($session, $name, $secret, $address) = @_;
	my $token = $session->run("SELECT log_in('$name', '$secret', '$address')");

	return "$1: " . ($session->errors =~ /HINT:\s+(.*)/)[0] if $session->errors =~ /ERROR:\s+(.*)/;
	return $token && $session->run("SELECT session_of('$token') ->> 'account'");
}

is(attempt($b, 'ann', "guess $_", '192.0.2.2'), '', "login: guess $_") for 1 .. 4;
is(attempt($a, 'ann', 'guess 5', '192.0.2.3'), 'too many attempts to log in: Try again in 00:01:00.', 'login: the next one is too many');
is(attempt($b, 'ann', 'secret', '192.0.2.2'), 'too many attempts to log in: Try again in 00:01:00.', 'login: even with the password');
is(attempt($b, 'bob', "guess $_", '192.0.2.9'), '', "login: another name, guess $_") for 1 .. 5;
is(attempt($b, "name $_", 'guess', '192.0.2.9'), '', "login: many names, guess $_") for 6 .. 30;
is(attempt($b, 'name 31', 'guess', '192.0.2.9'), 'too many attempts to log in: Try again in 00:01:00.', 'login: too many from one address');
$_->run('SET cache.rate_limit_clock = 1060000000') for $a, $b;
is(attempt($b, 'ann', 'secret', '192.0.2.9'), '1', 'login: a minute later');
$_->quit for $a, $b, @backends;
$node->stop;
done_testing();
