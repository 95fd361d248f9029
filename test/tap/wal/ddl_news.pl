# Commands of DDL, those of the test "ddl", on a primary that uses no cache: what a
# standby's caches depend on the primary does not know. What they say is what their
# loaders say, and what a command does not concern stays hot.
#
#   DDL_ROWS=regex  only commands that match
#   DDL_FULL=1      all of them; else every tenth, and more of those about rights and names
use strict;
use warnings;
use CacheTest;
use StandbyTest;
use Test::More;

my $only = $ENV{DDL_ROWS} // '';
my $all = $ENV{DDL_FULL} || $only ne '';
my $primary_path = 'ALTER DATABASE postgres SET search_path = ahead, app, public, pg_temp';
my $cluster = new_cluster(
	conf => "cache.memory = 64MB\nmax_locks_per_transaction = 256",
	setup => sub {
		my ($primary) = @_;

		$primary->safe_psql('postgres', 'CREATE DATABASE far');
		$primary->safe_psql('far', 'CREATE EXTENSION cache');
		$primary->safe_psql('postgres', shared_sql('base.sql'));
		$primary->safe_psql('far', shared_sql('far.sql'));
		$primary->safe_psql($_, shared_sql('oracle.sql')) for qw(postgres far);
		$primary->safe_psql('postgres', $primary_path);
	});
my ($primary, $standby) = @$cluster{qw(primary standby)};
my $quiet = 'SET client_min_messages = error;';
my %writer = map { $_ => session($primary, "writer_$_") } qw(postgres far);
my %reader = map { $_ => session($standby, "reader_$_") } qw(postgres far);
foreach my $db (qw(postgres far))
{
	$_->run("\\c $db\n$quiet") for $writer{$db}, $reader{$db};
}
my $has_icu = $primary->safe_psql('postgres', q{SELECT count(*) > 0 FROM pg_collation WHERE collprovider = 'i'}) eq 't';

# Commands: { db, loads, setup, command, cleanup }
my @commands;
my $tag = '';
foreach my $line (grep { /\S/ && !/^\s*#/ } split /\n/, shared_sql('commands.list'))
{
	if ($line =~ /^([A-Z][A-Z ]*?)\s*$/) { $tag = $1; next; }
	my ($loads, $setup, $command, $cleanup) = map { s/^\s+|\s+$//gr } split /\s\|(?=\s|$)/, "$line ";
	next if $loads =~ /\[(since|until)/ || $loads =~ /\[needs=(?!icu|file_fdw)/ || ($loads =~ /\[needs=icu/ && !$has_icu);
	next if "$setup $command" =~ /TABLESPACE \w+ LOCATION|CREATE DATABASE|@(HOST|PORT)@/;
	next if $only ne '' && "$tag: $command" !~ /$only/;
	push @commands, { tag => $tag, db => $loads =~ /\[far\]/ ? 'far' : 'postgres', loads => $loads, setup => $setup,
		command => $command, cleanup => $cleanup // '' };
}
my %close = map { $_ => 1 } 'GRANT', 'REVOKE', 'GRANT ROLE', 'REVOKE ROLE', 'ALTER ROLE', 'CREATE VIEW', 'ALTER TYPE', 'ALTER SCHEMA';
my $count = 0;
@commands = grep { ++$count % 10 == 0 || ($close{ $_->{tag} } && $count % 4 == 0) } @commands if !$all;

my (@problems, @unstored);
my @catalog = qw(catalog lookup absent reg reg_text literal right member viewdef comment type_name schemas visible xml far_shared);

sub run_on
{
	my ($session, $sql) = @_;

	return if $sql eq '';
	$session->run($sql =~ /;$/ ? $sql : "$sql;");
	push @problems, (split /\n/, $session->errors)[0] if $session->errors =~ /(ERROR|FATAL)/;
	return;
}

# look asks all caches of a database on the standby.
sub look
{
	my ($db) = @_;
	my $output = $reader{$db}->run("SELECT lab.look(ARRAY(SELECT cache FROM lab.checks))");
	my %seen = (wrong => [], cold => []);

	push @{ $seen{wrong} }, $reader{$db}->errors if $reader{$db}->errors =~ /ERROR|FATAL/;
	push @{ $seen{wrong} }, $output =~ /^(wrong .*)/mg;
	push @{ $seen{cold} }, $output =~ /^cold (.*)/mg;
	return \%seen;
}

# warm has all caches of a database loaded.
sub warm
{
	my ($db) = @_;
	my $seen = look($db);

	for (my $i = 0; $i < 2 && @{ $seen->{cold} }; $i++) { $seen = look($db); }
	return $seen;
}

my $emptied = 0;
foreach my $c (@commands)
{
	my ($loads, $db) = @$c{qw(loads db)};
	my @dbs = $loads =~ /shared|everywhere|far/ ? qw(postgres far) : qw(postgres);
	my %may = map { $_ => 1 } @catalog, $loads =~ /(?<!\[)\b(\w+)\b(?!\])/g;
	my $prepare = $loads !~ /\[(alone|unprepared)\]/ && ++$count % 2;

	@problems = ();
	run_on($writer{$db}, $c->{setup});
	catch_up($primary, $standby);
	foreach my $at (@dbs)
	{
		push @problems, map { "before: $_" } @{ warm($at)->{wrong} };
	}
	if ($prepare)
	{
		run_on($writer{$db}, 'BEGIN;');
		run_on($writer{$db}, $c->{command});
		run_on($writer{$db}, "PREPARE TRANSACTION 'p';");
		run_on($writer{$db}, "COMMIT PREPARED 'p';");
	}
	else { run_on($writer{$db}, $c->{command}); }
	catch_up($primary, $standby);
	foreach my $at (@dbs)
	{
		my $seen = look($at);

		push @problems, @{ $seen->{wrong} };
		$emptied++ if @{ $seen->{cold} };
		push @problems, 'cold: ' . join ' ', grep { !$may{$_} && !/^(dynamic|named|named_plpgsql|own_path)$/ } @{ $seen->{cold} }
		  if $loads !~ /all|everywhere/ && grep { !$may{$_} && !/^(dynamic|named|named_plpgsql|own_path)$/ } @{ $seen->{cold} };

		# What has been loaded meanwhile is as good.
		push @problems, map { "again: $_" } @{ look($at)->{wrong} };
	}
	run_on($writer{$db}, $c->{cleanup});
	is(join("\n", @problems), '', "$c->{tag}: $c->{command}");
}

is($primary->safe_psql($_, 'SELECT coalesce(sum(loads), 0) FROM cache_stats'), 0, "the primary has loaded nothing in $_") for qw(postgres far);
cmp_ok($emptied, '>', @commands / 4, 'commands have emptied caches');
cmp_ok(hits($standby, $_), '>', 2 * @commands, "the standby uses its caches in $_") for qw(postgres);
is($standby->safe_psql('postgres', 'SELECT state, ddl FROM cache_standby'), 'following|0', 'and follows to the end');
$_->quit for values %writer, values %reader;
$standby->stop;
$primary->stop;
done_testing();
