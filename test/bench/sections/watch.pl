# What a watch costs those who write: the same table with and without one.
use strict;
use warnings;

use Bench;

my $watch_file = "$ENV{SCRATCH}/tmp/rows";

my %watch_work = (
	single => sub
	{
		my ($session, $table, $clients) = @_;
		return pgbench(clients => $clients, seconds => 1,
			scripts => [ "\\set k random(1, 100000)\nUPDATE $table SET n = n + 1 WHERE id = :k" ])->{tps};
	},
	bulk => sub
	{
		my ($session, $table) = @_;
		my $took = milliseconds($session, "UPDATE $table SET n = n + 1");
		query($session, "VACUUM $table");
		return $took;
	},
	copy => sub
	{
		my ($session, $table) = @_;
		query($session, "TRUNCATE $table");
		return milliseconds($session, "COPY $table FROM '$watch_file'");
	});

sub section_watch
{
	my $session = session();
	query($session, q{
		CREATE TABLE plain (id int PRIMARY KEY, n int, pad text);
		CREATE TABLE triggered (LIKE plain INCLUDING ALL);
		CREATE TRIGGER nothing AFTER INSERT OR UPDATE OR DELETE ON triggered
		FOR EACH ROW EXECUTE FUNCTION naive_trigger();
		CREATE TABLE watched (LIKE plain INCLUDING ALL);
		CREATE FUNCTION watched_load(int) RETURNS int LANGUAGE plpgsql STABLE AS
		$$ BEGIN RETURN (SELECT n FROM watched WHERE id = $1); END $$;
		SELECT cache_create('watched', 'watched_load(int)');
		SELECT cache_watch('watched', 'watched', 'id')});
	query($session, "INSERT INTO $_ SELECT i, 0, repeat('x', 84) FROM generate_series(1, 100000) i; VACUUM ANALYZE $_")
	  for qw(plain triggered watched);
	query($session, "COPY plain TO '$watch_file'");

	my @kinds = (
		[ 'UPDATE of a row, 1 client', 'transactions a second', 'single', 1 ],
		[ 'UPDATE of a row, 8 clients', 'transactions a second', 'single', 8 ],
		[ 'UPDATE of 100,000 rows', 'ms', 'bulk' ],
		[ 'COPY of 100,000 rows', 'ms', 'copy' ]);
	my @rows;
	for my $kind (@kinds)
	{
		my ($name, $unit, $work, $clients) = @$kind;
		my $took = rounds(map {
			my $table = $_;
			$table => sub
			{
				query($session, "SELECT count(cache_get('watched', id)) FROM watched")
				  if $table eq 'watched' && $work ne 'copy';
				return $watch_work{$work}->($session, $table, $clients);
			}
		} qw(plain triggered watched));
		my $times = versus($took->{watched}, $took->{plain});
		push @rows, [ $name, $unit, (map { spread($took->{$_}) } qw(plain triggered watched)),
			spread(versus($took->{triggered}, $took->{plain})), spread($times),
			$work eq 'single' ? aim($times, '>=', 0.95) : aim($times, '<=', 1.15) ];
	}
	table('What a watch costs a writer', [ 'write', 'in', 'table alone', 'a trigger that does nothing', 'a watch',
			'the trigger, times the table alone', 'the watch, times the table alone', 'aim' ], @rows);
	query($session, "SELECT cache_drop('watched'); DROP TABLE plain, triggered, watched CASCADE");
	return;
}

1;
