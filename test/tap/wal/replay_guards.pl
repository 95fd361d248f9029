# Races between what the replay of WAL does on a standby and the sessions there; and
# each guard of it, without which some answer is wrong.
use strict;
use warnings;
use CacheTest;
use StandbyTest;
use Test::More;

my $keys = 5;
my $cluster = new_cluster(
	conf => 'max_worker_processes = 12',
	standby_conf => "cache.stop_points = 'replay_publish, replay_commit, replay_committed'\nautovacuum = off",
	setup => sub {
		my ($primary) = @_;

		setup_item($primary, $keys);
		$primary->safe_psql('postgres', <<'END');
CREATE FUNCTION cache_devel_hold_messages(text) RETURNS void LANGUAGE c AS 'cache';
CREATE TABLE orders (id integer PRIMARY KEY, customer integer);
CREATE TABLE lines (id integer, order_id integer, amount integer);
INSERT INTO orders VALUES (1, 1), (2, 2);
INSERT INTO lines VALUES (1, 1, 10), (2, 2, 20);
CREATE FUNCTION aside() RETURNS integer LANGUAGE sql STABLE AS 'SELECT 1';
CREATE FUNCTION who(orders) RETURNS integer LANGUAGE sql STABLE AS 'SELECT $1.customer';
CREATE FUNCTION spent(integer) RETURNS bigint LANGUAGE sql STABLE
  AS 'SELECT sum(amount) FROM lines l JOIN orders o ON o.id = l.order_id WHERE who(o) = $1';
CREATE FUNCTION customer_of(l lines) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT who(orders) FROM orders WHERE id = l.order_id';
SELECT cache_create('spent', 'spent(integer)'), cache_watch('spent', 'lines', keys => 'customer_of(lines)'),
  cache_watch('spent', 'orders', keys => 'who(orders)');
CREATE FUNCTION helper(integer) RETURNS integer LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION helped(a integer) RETURNS integer LANGUAGE plpgsql STABLE AS 'BEGIN RETURN helper(a) + a; END';
SELECT cache_create('helped', 'helped(integer)');
CREATE TABLE beside (id integer PRIMARY KEY, v integer, note integer);
INSERT INTO beside SELECT i, nullif(i, 1), i FROM generate_series(1, 5) i;
CREATE FUNCTION noted(i integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$
DECLARE p integer;
BEGIN
  SELECT v INTO p FROM beside WHERE id = i;
  RETURN coalesce(p, (SELECT note FROM beside WHERE id = i));
END $$;
SELECT cache_create('noted', 'noted(integer)'), cache_watch('noted', 'beside', 'id');
CREATE VIEW shown AS SELECT id, note FROM beside;
CREATE FUNCTION shown(i integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT note FROM shown WHERE id = i';
SELECT cache_create('shown', 'shown(integer)'), cache_watch('shown', 'beside', 'id');
END
	});
my ($primary, $standby) = @$cluster{qw(primary standby)};
my (%s, $w);

# connect has new sessions on the standby, of which h holds stop points.
sub connect_again
{
	%s = map { $_ => session($standby, $_) } qw(h r f old);
	return;
}

sub disconnect
{
	eval { $_->quit } for values %s;
	return;
}

# restart_standby takes guards out, by their names, in all processes of it.
sub restart_standby
{
	my ($removed) = @_;

	# It begins behind all that there has been.
	$primary->safe_psql('postgres', 'CHECKPOINT');
	catch_up($primary, $standby);
	$standby->safe_psql('postgres', 'CHECKPOINT');
	disconnect();
	$standby->append_conf('postgresql.conf', "cache.removed_guard = '$removed'");
	$standby->stop;
	$primary->safe_psql('postgres', 'CHECKPOINT');
	$standby->start;
	following($standby);
	connect_again();
	return;
}

# remove takes guards out while it runs.
sub remove
{
	my ($removed) = @_;

	$standby->append_conf('postgresql.conf', "cache.removed_guard = '$removed'");
	$standby->reload;
	$standby->poll_query_until('postgres', "SELECT current_setting('cache.removed_guard') = '$removed'") or die;
	wait_until($s{$_}, "SELECT current_setting('cache.removed_guard') = '$removed'") for qw(r f);
	return;
}

my %oracle = (
	c => "SELECT bool_and(cache_get('c', k) IS NOT DISTINCT FROM to_jsonb(loader(k))) FROM generate_series(1, $keys) k",
	spent => "SELECT bool_and(cache_get('spent', k) IS NOT DISTINCT FROM to_jsonb(spent(k))) FROM generate_series(1, 6) k",
	helped => "SELECT bool_and(cache_get('helped', k) IS NOT DISTINCT FROM to_jsonb(helped(k))) FROM generate_series(1, 5) k",
	shown => "SELECT bool_and(cache_get('shown', k) IS NOT DISTINCT FROM to_jsonb(shown(k))) FROM generate_series(1, 5) k",
	noted => "SELECT bool_and(cache_get('noted', k) IS NOT DISTINCT FROM to_jsonb(noted(k))) FROM generate_series(1, 5) k");

# exact asks a session of the standby by an oracle.
sub exact
{
	my ($who, $cache) = @_;
	my $answer = $s{$who}->run("$oracle{$cache};");

	die $s{$who}->errors if $s{$who}->errors =~ /ERROR|FATAL/;
	return $answer eq 't';
}

my $number = 100;
sub helper { $number++; return "CREATE OR REPLACE FUNCTION helper(integer) RETURNS integer LANGUAGE plpgsql STABLE AS 'BEGIN RETURN $number; END'"; }

# stopped returns when the standby has got WAL and does not replay it.
sub stopped
{
	my $lsn = $primary->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');

	$standby->poll_query_until('postgres', "SELECT pg_last_wal_receive_lsn() >= '$lsn'") or die;
	$standby->poll_query_until('postgres', "SELECT pg_last_wal_replay_lsn() < '$lsn'") or die;
	return;
}

# wait_until asks a session again and again: while no messages can be sent, no session
# can begin.
sub wait_until
{
	my ($session, $condition) = @_;

	$session->run(<<"END");
DO \$\$BEGIN
  FOR i IN 1 .. 200 * $PostgreSQL::Test::Utils::timeout_default LOOP
    IF ($condition) THEN
      RETURN;
    END IF;
    PERFORM pg_sleep(0.005);
  END LOOP;
  RAISE EXCEPTION 'not so: %', '@{[$condition =~ s/'/''/gr]}';
END\$\$;
END
	die $session->errors if $session->errors =~ /ERROR/;
	return;
}

# commit_unheard has the primary run something that commits: what is visible then on
# the standby its sessions have not been told of. Meanwhile f loads.
sub commit_unheard
{
	my ($sql) = @_;

	exact($_, 'helped') for qw(r f);
	$primary->safe_psql('postgres', "SELECT cache_invalidate('helped')");
	catch_up($primary, $standby);
	hold($s{h}, 'held');
	$s{old}->run("SET cache.stop_points = 'held'");
	$s{old}->start("SELECT pg_advisory_lock_shared(4711), cache_devel_hold_messages('held'), pg_advisory_unlock_shared(4711)");
	wait_until($s{r}, 'SELECT count(*) = 1 FROM pg_locks WHERE objid = 4711');
	$primary->safe_psql('postgres', $sql);
	wait_until($s{r}, "SELECT prosrc ~ '$number' FROM pg_proc WHERE proname = 'helper'");
	$s{f}->run("SELECT cache_get('helped', k) FROM generate_series(1, 5) k;");
	release($s{h}, 'held');
	$s{old}->join;
	catch_up($primary, $standby);
	return exact('r', 'helped'), exact('f', 'helped');
}

# Each race gives what was exact; it is played with its guard in place and without.
my %races;

# A commit is visible whose messages have not been sent.
$races{'standby_settle'} = sub { return commit_unheard(helper()); };

# The same of one that has published before the standby has begun to follow.
$races{'standby_settle_early'} = sub {
	$primary->safe_psql('postgres', 'BEGIN; ' . helper() . "; PREPARE TRANSACTION 'early'");
	restart_standby($_[0]);
	return commit_unheard("COMMIT PREPARED 'early'");
};

# What was published before that is committed afterwards.
$races{'standby_floor'} = sub {
	my @exact;

	$primary->safe_psql('postgres', "BEGIN; UPDATE item SET price = price + 1; PREPARE TRANSACTION 'before'");
	restart_standby($_[0]);
	push @exact, exact('r', 'c');
	$primary->safe_psql('postgres', "COMMIT PREPARED 'before'");
	catch_up($primary, $standby);
	push @exact, exact('r', 'c');
	return @exact;
};

# The primary writes without the library, and then with it.
$races{'standby_pause'} = sub {
	my ($removed) = @_;
	my @exact = (exact('r', 'c'));

	$primary->append_conf('postgresql.conf', "shared_preload_libraries = ''");
	$primary->restart;
	$primary->safe_psql('postgres', 'UPDATE item SET price = price + 1');
	catch_up($primary, $standby);
	push @exact, exact('r', 'c');
	$primary->append_conf('postgresql.conf', "shared_preload_libraries = 'cache'");
	$primary->restart;
	$w = session($primary, 'w');
	following($standby) if $removed ne 'standby_pause';
	catch_up($primary, $standby);
	push @exact, exact('r', 'c');
	return @exact;
};
$races{'standby_missed'} = $races{'standby_pause'};
$races{'standby_ready'} = $races{'standby_pause'};

# The primary publishes, and the standby stops there.
$races{'publish_before_commit'} = sub {
	my ($removed) = @_;
	my @exact = (exact('r', 'c'));

	hold($s{h}, 'replay_publish');
	$primary->safe_psql('postgres', "SET cache.removed_guard = '$removed'; UPDATE item SET price = price + 1");
	$primary->safe_psql('postgres', "SELECT pg_logical_emit_message(true, 'test', '')");
	stopped();
	push @exact, exact('r', 'c');
	release($s{h}, 'replay_publish');
	catch_up($primary, $standby);
	push @exact, exact('r', 'c');
	return @exact;
};

# What the primary's own loads have not noted.
$races{'news_test'} = sub {
	my @exact = (exact('r', 'helped'));

	$primary->safe_psql('postgres', helper());
	catch_up($primary, $standby);
	push @exact, exact('r', 'helped');
	return @exact;
};
$races{'news_relations'} = sub {
	my @exact = (exact('r', 'shown'));

	$number++;
	$primary->safe_psql('postgres', "CREATE OR REPLACE VIEW shown AS SELECT id, note + $number AS note FROM beside");
	catch_up($primary, $standby);
	push @exact, exact('r', 'shown');
	return @exact;
};

# A column that a load of the standby has read, and none of the primary's.
$races{'when_published'} = sub {
	my @exact;

	$primary->safe_psql('postgres', "SELECT cache_get('noted', k) FROM generate_series(2, 3) k");
	push @exact, exact('r', 'noted');
	$primary->safe_psql('postgres', 'UPDATE beside SET note = note + 1 WHERE id = 1');
	catch_up($primary, $standby);
	push @exact, exact('r', 'noted');
	return @exact;
};

# A line is written while its order moves; one who sees the move, but not the line, has
# loaded.
$races{'news_others'} = sub {
	my @exact;

	$primary->safe_psql('postgres', 'TRUNCATE orders, lines; INSERT INTO orders VALUES (1, 1), (2, 2); INSERT INTO lines VALUES (1, 1, 10), (2, 2, 20)');
	catch_up($primary, $standby);
	exact('r', 'spent');
	$w->run("BEGIN; INSERT INTO lines VALUES (3, 1, 100); PREPARE TRANSACTION 'line';");
	$primary->safe_psql('postgres', 'UPDATE orders SET customer = 3 WHERE id = 1');
	catch_up($primary, $standby);
	push @exact, exact('f', 'spent');
	$primary->safe_psql('postgres', "COMMIT PREPARED 'line'");
	catch_up($primary, $standby);
	push @exact, exact('r', 'spent');
	return @exact;
};

# The same while what tells customers is replaced.
$races{'news_ddl_others'} = sub {
	my @exact;

	$primary->safe_psql('postgres', 'TRUNCATE orders, lines; INSERT INTO orders VALUES (1, 1), (2, 2); INSERT INTO lines VALUES (1, 1, 10), (2, 2, 20);' .
		q{CREATE OR REPLACE FUNCTION who(orders) RETURNS integer LANGUAGE sql STABLE AS 'SELECT $1.customer'});
	catch_up($primary, $standby);
	exact('r', 'spent');
	$w->run("BEGIN; INSERT INTO lines VALUES (3, 1, 100); PREPARE TRANSACTION 'line';");
	$primary->safe_psql('postgres', q{CREATE OR REPLACE FUNCTION who(orders) RETURNS integer LANGUAGE sql STABLE AS 'SELECT $1.customer + 2'});
	catch_up($primary, $standby);
	push @exact, exact('f', 'spent');
	$primary->safe_psql('postgres', "COMMIT PREPARED 'line'");
	catch_up($primary, $standby);
	push @exact, exact('r', 'spent');
	return @exact;
};

# The line's key has been told before, and is published while it is decided what depends
# on the new function.
$races{'news_others_late'} = sub {
	my ($removed) = @_;
	my $h = session($primary, 'h_primary');
	my $d = session($primary, 'd', "SET cache.stop_points = 'asked'", "SET cache.removed_guard = '$removed'");
	my @exact;

	$primary->safe_psql('postgres', 'TRUNCATE orders, lines; INSERT INTO orders VALUES (1, 1), (2, 2); INSERT INTO lines VALUES (1, 1, 10), (2, 2, 20);' .
		q{CREATE OR REPLACE FUNCTION who(orders) RETURNS integer LANGUAGE sql STABLE AS 'SELECT $1.customer'});
	catch_up($primary, $standby);
	exact('r', 'spent');
	$w->run('BEGIN; INSERT INTO lines VALUES (3, 1, 100);');
	hold($h, 'asked');
	$d->run(q{BEGIN; CREATE OR REPLACE FUNCTION aside() RETURNS integer LANGUAGE sql STABLE AS 'SELECT 2';
CREATE OR REPLACE FUNCTION who(orders) RETURNS integer LANGUAGE sql STABLE AS 'SELECT $1.customer + 2';});
	$d->park('COMMIT');
	$w->run("PREPARE TRANSACTION 'line';");
	die $w->errors if $w->errors =~ /ERROR/;
	release($h, 'asked');
	$d->join;
	catch_up($primary, $standby);
	push @exact, exact('f', 'spent');
	$primary->safe_psql('postgres', "COMMIT PREPARED 'line'");
	catch_up($primary, $standby);
	push @exact, exact('r', 'spent');
	$_->quit for $h, $d;
	return @exact;
};

connect_again();
$w = session($primary, 'w');

# What happens at each point of the replay of a commit
foreach my $point (qw(replay_publish replay_commit replay_committed))
{
	exact('r', 'c');
	hold($s{h}, $point);
	$primary->safe_psql('postgres', 'UPDATE item SET price = price + 1');
	stopped();
	ok(exact($_, 'c'), "$point: exact in session $_") for qw(r f r);
	release($s{h}, $point);
	catch_up($primary, $standby);
	ok(exact($_, 'c'), "$point: exact afterwards in session $_") for qw(r f);
}

my %restarts = map { $_ => 1 } qw(standby_floor standby_settle_early);
foreach my $race (split ' ', $ENV{RACES} // join ' ', sort keys %races)
{
	my @exact = $races{$race}->('');

	is(scalar(grep { !$_ } @exact), 0, "$race: exact");
	remove($race) if !$restarts{$race};
	@exact = $races{$race}->($race);
	isnt(scalar(grep { !$_ } @exact), 0, "$race: not so without the guard");
	if ($restarts{$race} || $race eq 'standby_pause')
	{
		restart_standby('');
		next;
	}
	remove('');
	$primary->safe_psql('postgres', 'SELECT cache_invalidate(name) FROM cache_definition');
	catch_up($primary, $standby);
}

disconnect();
$w->quit;
$standby->stop;
$primary->stop;
done_testing();
