# TLS for connections to Redis: whom it trusts and whom it does not, that nothing is
# sent before, and that nobody waits for it too long. Where hiredis has no TLS: that
# nobody can believe to have it.
use strict;
use warnings;
use CacheTest;
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisTest;
use Socket qw(IPPROTO_TCP SO_RCVBUF TCP_NODELAY);
use Test::More;
use Time::HiRes qw(usleep);

my $has_tls = run_log([ 'sh', '-c', <<'END' ]);
printf '#include <%s>\n' hiredis/hiredis.h hiredis/hiredis_ssl.h openssl/ssl.h |
  cc -fsyntax-only -x c - 2>/dev/null
END

if (!$has_tls)
{
	my $node = new_node('without');
	my ($status, $out, $error) = $node->psql('postgres', 'ALTER SYSTEM SET cache.redis_tls = on');

	isnt($status, 0, 'hiredis has no TLS: it cannot be on');
	like($error, qr/invalid value for parameter "cache\.redis_tls".*hiredis 0\.\S+, which has no TLS/s,
		'and the reason is given');
	$node->append_conf('postgresql.conf', 'cache.redis_tls = on');
	$node->stop;
	is($node->start(fail_ok => 1), 0, 'a server that is to use TLS does not start without');
	like(
		slurp_file($node->logfile),
		qr/which has no TLS.*FATAL:\s+cannot set parameter "cache\.redis_tls" to "on"/s,
		'and says why');
	note('the rest is skipped: the hiredis that is installed has no TLS');
	done_testing();
	exit;
}

#
# Certificates
#
my $dir = PostgreSQL::Test::Utils::tempdir();

sub openssl
{
	my (@command) = @_;
	my ($out, $err) = run_command([ 'openssl', @command ]);

	die "openssl @command: $err" if $?;
	return;
}

# request makes a key, and a request for a certificate of it.
sub request
{
	my ($name, @options) = @_;

	openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
		'-keyout', "$dir/$name.key", '-subj', "/CN=$name", @options);
	return;
}

# authority makes one that can sign certificates.
sub authority
{
	my ($name) = @_;

	request($name, '-x509', '-days', '7', '-out', "$dir/$name.crt");
	return;
}

# certificate has one signed, for these hosts.
sub certificate
{
	my ($name, $hosts) = @_;

	request($name, '-out', "$dir/$name.csr");
	append_to_file("$dir/$name.ext",
		"basicConstraints = CA:FALSE\n" . ($hosts ? "subjectAltName = $hosts\n" : ''));
	openssl('x509', '-req', '-in', "$dir/$name.csr", '-CA', "$dir/ca.crt", '-CAkey', "$dir/ca.key",
		'-CAcreateserial', '-days', '7', '-extfile', "$dir/$name.ext", '-out', "$dir/$name.crt");
	return;
}

authority('ca');
authority('another_ca');
certificate('all', 'DNS:localhost, IP:127.0.0.1');
certificate('by_name', 'DNS:localhost');
certificate('by_address', 'IP:127.0.0.1');
certificate('other', 'DNS:redis.example, IP:192.0.2.1');
certificate('client');
append_to_file("$dir/both.pem", slurp_file("$dir/client.crt") . slurp_file("$dir/client.key"));
openssl('pkey', '-in', "$dir/client.key", '-aes256', '-passout', 'pass:secret', '-out', "$dir/locked.key");

#
# Servers
#
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $redis = start_redis('tls', "tls-port $port", "tls-cert-file $dir/all.crt",
	"tls-key-file $dir/all.key", "tls-ca-cert-file $dir/ca.crt", 'tls-auth-clients no');
my $by_name = "localhost:$port";
my $by_address = "127.0.0.1:$port";
my $node = redis_node('tls', $by_name, conf => <<"END");
cache.redis_timeout = '2s'
cache.redis_tls = on
cache.redis_tls_ca = '$dir/ca.crt'
END
my $get = "SELECT cache_get('d', 1)";
my $large = "SELECT md5(cache_get('large', 1)::text) = md5(to_jsonb(load_large(1))::text)";

# forward starts a process that connects its port with another one, and passes on what
# it gets in pieces: the beginning of a record, and a little later the rest.
sub forward
{
	my ($to) = @_;
	my $listener = IO::Socket::INET->new(
		Listen => 10,
		LocalAddr => '127.0.0.1',
		Sockopts => [ [ SO_RCVBUF, pack('i', 4096) ] ]) or die "listen: $!";
	my $pid = fork // die "fork: $!";
	my (%peers, $select);

	return ($pid, $listener->sockport) if $pid;
	$SIG{PIPE} = 'IGNORE';
	$select = IO::Select->new($listener);
	for (;;)
	{
		foreach my $socket ($select->can_read)
		{
			my $piece;

			if ($socket == $listener)
			{
				my $client = $listener->accept or next;
				my $server = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$to") or next;

				$_->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1) for $client, $server;
				$select->add($client, $server);
				@peers{ $client, $server } = ($server, $client);
			}
			elsif (!$peers{$socket})
			{
				next;
			}
			elsif (sysread $socket, $piece, 16384)
			{
				syswrite $peers{$socket}, $piece, 3;
				usleep(1000);
				syswrite $peers{$socket}, $piece, length($piece) - 3, 3 if length($piece) > 3;
			}
			else
			{
				my @both = ($socket, $peers{$socket});

				delete @peers{@both};
				$select->remove(@both);
				close $_ for @both;
			}
		}
	}
}

sub sql
{
	return $node->safe_psql('postgres', @_);
}

# works looks whether Redis is used, by the worker and by new sessions.
sub works
{
	my ($title, %settings) = @_;
	my $hits;

	configure($node, %settings) if %settings;
	wait_state($node, 'up');
	$redis->command('FLUSHALL');
	is(sql($get), 10, $title);
	$redis->wait_entries(1);
	$hits = redis_row($node, 'hits');
	is(sql($get), 10, "$title: a value from Redis");
	is(redis_row($node, 'hits'), $hits + 1, "$title: it is");
	return;
}

# refuses looks whether Redis is left alone after some failures, for this reason.
sub refuses
{
	my ($title, $reason, %settings) = @_;

	configure($node, %settings) if %settings;
	sql($get) for 1 .. 3;
	wait_for($node, "state = 'down' AND last_error ~* '$reason' FROM cache_redis");
	is(mismatches($node), '', "$title: Redis is not used, queries go on");
	return;
}

# shows has Redis show another certificate, to whoever connects from now on.
sub shows
{
	my ($name) = @_;

	$redis->command('CONFIG', 'SET', 'tls-cert-file', "$dir/$name.crt", 'tls-key-file', "$dir/$name.key");
	$redis->command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
	return;
}

wait_state($node, 'up');
setup_redis($node, 10);
works('a valid certificate');
is(mismatches($node), '', 'the oracle');
like($redis->command('CLIENT', 'LIST'), qr/ laddr=\S+:$port /, 'by the port that has TLS');

# A value of many records
sql(<<'END');
CREATE FUNCTION load_large(integer) RETURNS text LANGUAGE sql STABLE AS
  $$SELECT string_agg(md5(i::text), '') FROM generate_series(1, 20000) AS i$$;
SELECT cache_create('large', 'load_large(integer)', redis => true, max_cost => 1);
END
$redis->command('FLUSHALL');
is(sql($large), 't', 'a large value');
$redis->wait_entries(1);
is(sql($large), 't', 'a large value from Redis');
is(sql("SELECT redis_hits, loads FROM cache_stats WHERE name = 'large'"), '1|1', 'it is');

# Records that arrive in pieces, and buffers that are full
my ($forwarder, $forwarder_port) = forward($port);

works('records in pieces', 'cache.redis_addr' => "127.0.0.1:$forwarder_port");
$redis->command('FLUSHALL');
is(sql($large), 't', 'a large value, in pieces');
$redis->wait_entries(1);
is(sql($large), 't', 'a large value from Redis, in pieces');
is(sql("SELECT redis_hits, loads FROM cache_stats WHERE name = 'large'"), '2|2', 'it is');

# What others leave in OpenSSL's queue of errors is not taken for one of TLS.
SKIP:
{
	skip('pgcrypto is not installed', 3)
	  unless sql("SELECT count(*) FROM pg_available_extensions WHERE name = 'pgcrypto'");
	sql('CREATE EXTENSION pgcrypto');

	my $session = session($node, 'session', $large);
	my $before = redis_row($node, 'failures', 'reconnects');

	$session->run("SELECT decrypt('\\x00112233445566778899aabbccddeeff', 'key', 'aes')");
	like($session->errors, qr/decrypt/, 'something else that uses OpenSSL fails');
	is($session->run($large), 't', 'a large value');
	is(redis_row($node, 'failures', 'reconnects'), $before, 'without a failure');
	$session->quit;
}
works('whole records', 'cache.redis_addr' => $by_name);

# A connection that Redis has closed is made anew.
my $session = session($node, 'session', $get);
$redis->command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
my $failures = redis_row($node, 'failures');
is($session->run($get), 10, 'after Redis has closed the connection');
is(redis_row($node, 'failures', 'reconnects > 0'), "$failures|t", 'without a failure');
$session->quit;

# The name or the address that is set must be one of the certificate's.
works('by address', 'cache.redis_addr' => $by_address);
shows('by_name');
refuses('a certificate for the name, by address', 'verify failed: .*address mismatch');
works('by name', 'cache.redis_addr' => $by_name);
shows('by_address');
refuses('a certificate for the address, by name', 'verify failed: .*hostname mismatch');
works('by address, the one for it', 'cache.redis_addr' => $by_address);
shows('other');
refuses('a certificate of another host', 'verify failed: .*address mismatch');
refuses('and by name', 'verify failed: .*hostname mismatch', 'cache.redis_addr' => $by_name);
works('it is not verified', 'cache.redis_tls_verify' => 'off');
refuses('it is again', 'verify failed', 'cache.redis_tls_verify' => 'on');
shows('all');
works('the right one');

# The authority
refuses(
	'an unknown authority', 'verify failed: .*(local issuer|self.signed)',
	'cache.redis_tls_ca' => "$dir/another_ca.crt");
refuses('one that the system does not know', 'verify failed', 'cache.redis_tls_ca' => '');
works('which does not matter', 'cache.redis_tls_verify' => 'off');
refuses(
	'a file that is not there', 'cache.redis_tls_ca: No such file',
	'cache.redis_tls_ca' => "$dir/nothing",
	'cache.redis_tls_verify' => 'on');
append_to_file("$dir/changing", slurp_file("$dir/another_ca.crt"));
refuses('a file that has the wrong one', 'verify failed', 'cache.redis_tls_ca' => "$dir/changing");
append_to_file("$dir/changing", slurp_file("$dir/ca.crt"));
$node->reload;
works('files are read again when the settings are');

# Certificates of clients
$redis->command('CONFIG', 'SET', 'tls-auth-clients', 'yes');
$redis->command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
refuses('Redis wants a certificate', 'certificate required|handshake failure');
works(
	'it gets one',
	'cache.redis_tls_cert' => "$dir/client.crt",
	'cache.redis_tls_key' => "$dir/client.key");
refuses('the key of another', 'cache.redis_tls_key: ', 'cache.redis_tls_key' => "$dir/all.key");
refuses('one that is locked', 'cache.redis_tls_key: .* passphrase', 'cache.redis_tls_key' => "$dir/locked.key");
refuses('no key', 'cache.redis_tls_key: ', 'cache.redis_tls_key' => '');
works('it is with the certificate', 'cache.redis_tls_cert' => "$dir/both.pem");
refuses(
	'a key without certificate', 'cache.redis_tls_cert: ',
	'cache.redis_tls_cert' => '',
	'cache.redis_tls_key' => "$dir/client.key");
configure($node, 'cache.redis_tls_key' => '');
$redis->command('CONFIG', 'SET', 'tls-auth-clients', 'no');
works('it wants none');

# Both sides must have TLS, but for sockets of this machine.
refuses('only Redis has TLS', '.', 'cache.redis_tls' => 'off');
refuses(
	'only this side has', '.',
	'cache.redis_timeout' => '200ms',
	'cache.redis_tls' => 'on',
	'cache.redis_addr' => $redis->addr);
works('none is needed by a socket', 'cache.redis_addr' => $redis->socket_path);

# Somebody who never answers, and gets to see nothing
my $listener = IO::Socket::INET->new(Listen => 10, LocalAddr => '127.0.0.1') or die "listen: $!";
my $bytes = '';

refuses(
	'nobody answers', 'timeout',
	'cache.redis_password' => 'a secret',
	'cache.redis_addr' => '127.0.0.1:' . $listener->sockport);
my $caller = $listener->accept;
sysread $caller, $bytes, 100_000;
like($bytes, qr/^\x16\x03/, 'what is sent is a handshake');
unlike($bytes, qr/a secret|AUTH/, 'and no password');
close $caller;
close $listener;
works(
	'all is well again',
	'cache.redis_password' => '',
	'cache.redis_timeout' => '2s',
	'cache.redis_addr' => $by_name);

# Who waits in a handshake can be interrupted.
configure($node, 'cache.redis_timeout' => '30s');
works('a long timeout');
$redis->pause;
like(
	($node->psql('postgres', "SET statement_timeout = '500ms'; SELECT cache_get('d', 2)"))[2],
	qr/canceling statement due to statement timeout/,
	'a handshake that is interrupted');
$redis->resume;
configure($node, 'cache.redis_timeout' => '2s');
works('nothing is left of it');
$node->stop;
done_testing();

END
{
	my $status = $?;

	kill 'KILL', $forwarder if $forwarder;
	$? = $status;
}
