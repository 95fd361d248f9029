# Helpers for the TAP tests: servers that preload the library, and sessions that
# run in step with one another.
#
#   my $node = new_node('name', allows_streaming => 1);
#   my $r = session($node, 'r', 'SET ...');   # a session, named r
#   $r->run($sql);                            # its output, errors ignored
#   $r->park($sql);                           # returns when it is blocked
#   $r->join;                                 # its end, and its output
#   hold($h, 'loaded'); release($h, 'loaded');  # stop points
package CacheTest;

use strict;
use warnings;
use Exporter qw(import);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(new_node session hold release setup_table setup_item mismatches);

# new_node makes and starts a server with the extension in database postgres.
sub new_node
{
	my ($name, %options) = @_;
	my $conf = delete $options{conf} // '';
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%options);
	$node->append_conf('postgresql.conf', <<"END");
shared_preload_libraries = 'cache'
cache.memory = 16MB
max_connections = 80
max_prepared_transactions = 10
log_statement = none
$conf
END
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION cache');
	return $node;
}

# setup_table makes a table of prices, and a loader that reads it.
sub setup_table
{
	my ($node, $rows, $db) = @_;

	$node->safe_psql($db // 'postgres', <<"END");
CREATE TABLE item (id integer PRIMARY KEY, price integer);
INSERT INTO item SELECT i, 10 * i FROM generate_series(1, $rows) AS i;
CREATE FUNCTION loader(integer) RETURNS integer LANGUAGE sql STABLE
  AS 'SELECT price FROM item WHERE id = \$1';
END
	return;
}

# setup_item adds a cache "c", and a view that compares it with the loader.
sub setup_item
{
	my ($node, $rows, $db) = @_;

	setup_table($node, $rows, $db);
	$node->safe_psql($db // 'postgres', <<"END");
SELECT cache_create('c', 'loader(integer)');
SELECT cache_watch('c', 'item', 'id');
CREATE VIEW oracle AS SELECT id, cache_get('c', id) AS got, loader(id) AS want,
  cache_get('c', id) IS NOT DISTINCT FROM to_jsonb(loader(id)) AS exact
  FROM generate_series(1, $rows + 1) AS id;
END
	return;
}

# mismatches lists the keys whose cached and loaded values differ: none, ever.
sub mismatches
{
	my ($node, $db) = @_;

	return $node->safe_psql($db // 'postgres', 'SELECT * FROM oracle WHERE NOT exact');
}

sub session
{
	my ($node, $name, @sql) = @_;
	my $psql = $node->background_psql('postgres', on_error_stop => 0);
	my $self = bless { psql => $psql, name => $name, node => $node }, __PACKAGE__;

	$self->run($_) for "SET application_name = '$name'", @sql;
	return $self;
}

sub run
{
	my ($self, $sql) = @_;
	my $output = $self->{psql}->query($sql);

	$self->{errors} = $self->{psql}{stderr};
	$self->{psql}{stderr} = '';
	return $output;
}

# park starts a command, and returns when it waits for a lock.
sub park
{
	my ($self, $sql) = @_;

	$self->{psql}->query_until(qr/started\n/, "\\echo started\n$sql;\n");
	$self->{node}->safe_psql('postgres', <<"END");
DO \$\$BEGIN
  WHILE NOT EXISTS (SELECT FROM pg_stat_activity
                    WHERE application_name = '$self->{name}' AND wait_event_type = 'Lock') LOOP
    PERFORM pg_stat_clear_snapshot(), pg_sleep(0.01);
  END LOOP;
END\$\$
END
	return;
}

# join waits for the end of a command that was parked.
sub join
{
	my ($self) = @_;

	return $self->run('');
}

# errors gives what the last command, or the one that was joined, complained of.
sub errors
{
	my ($self) = @_;

	return $self->{errors};
}

sub quit
{
	my ($self) = @_;

	return $self->{psql}->quit;
}

# hold makes all sessions that have the stop point stop there.
sub hold
{
	my ($session, $point) = @_;

	$session->run("SELECT pg_advisory_lock(hashtext('cache'), hashtext('$point'))");
	return;
}

sub release
{
	my ($session, $point) = @_;

	$session->run("SELECT pg_advisory_unlock(hashtext('cache'), hashtext('$point'))");
	return;
}

1;
