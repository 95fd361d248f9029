#!/bin/sh
# The extension at work on a scratch server, as a transcript of two psql sessions
# (A and B), pgbench runs, and a restart with Redis behind the cache. Fails where a
# value from the cache differs from what its loader returns; how long anything takes
# is shown and never judged. KEEP=1 leaves the server running (make demo-stop).
set -eu
. "$(dirname "$0")/../lib/scratch.sh"
if [ -z "${SCRATCH-}" ]; then
  sh "$(dirname "$0")/stop.sh"
  [ -z "${KEEP-}" ] || SCRATCH_NOTE=test/demo/.scratch
fi
scratch_enter "$@"

say() { printf '\n-- %s\n' "$*"; }

die() {
  printf '\n%s\n' "$*"
  exit 1
}

# session opens the psql session $1 on file descriptor $2.
session() {
  mkfifo "$SCRATCH/$1.in"
  psql -XqAt -d demo -P null=NULL -P footer=off <"$SCRATCH/$1.in" >>"$SCRATCH/$1.out" 2>&1 &
  eval "exec $2>\"\$SCRATCH/$1.in\"; fd_$1=$2 pid_$1=$!"
}

# ask runs the statement $2 in session $1. Its output is then in the file $out, and the
# milliseconds that it took in $ms. The third argument may ask for a table with
# headings.
ask() {
  said=$SCRATCH/$1.out
  out=$SCRATCH/out
  : >"$said"
  eval "fd=\$fd_$1 pid=\$pid_$1"
  {
    [ "${3-}" != table ] || printf '%s\n' '\pset tuples_only off' '\pset format aligned'
    printf '%s\n' '\timing on' "$2" '\timing off' '\pset tuples_only on' '\pset format unaligned' '\echo @done'
  } >&"$fd"
  until grep -qx '@done' "$said"; do
    kill -0 "$pid" 2>/dev/null || die "the session has ended: $(cat "$said")"
    sleep 0.01
  done
  ms=$(sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' "$said" | tail -n 1)
  sed '/^@done$/d; /^Time: /d; /^$/d' "$said" >"$out"
  ! grep -q 'ERROR:' "$out" || die "$2: $(cat "$out")"
}

# sql shows the statement $2 of session $1 and its output.
sql() {
  printf '%s=> %s\n' "$1" "$2"
  ask "$@"
  sed 's/^/    /' "$out"
}

# get reads the key $3 of cache $2 in session $1, and shows the time as well.
get() {
  printf '%s=> %s\n' "$1" "SELECT cache_get('$2', $3);"
  ask "$1" "SELECT cache_get('$2', $3);"
  awk -v ms="$ms" '{ printf "    %-24s %10s ms\n", $0, ms }' "$out"
}

# exact asks whether the cache and the loader agree on the key $3 of cache $2, in one
# statement of session $1.
exact() {
  ask "$1" "SELECT cache_get('$2', $3) IS NOT DISTINCT FROM to_jsonb($2($3));"
  grep -qx t "$out" || die "the cache $2 is wrong about $3"
  echo "    exact: the loader gives $1 the same"
}

# lib is what the awk scripts share: numbers as people read them.
# shellcheck disable=SC2016
lib='
  function commas(n,  s) {
    s = sprintf("%d", n)
    while (s ~ /[0-9][0-9][0-9][0-9]/)
      s = gensub1(s)
    return s
  }
  function gensub1(s,  at) {
    match(s, /^[0-9]+/)
    at = RLENGTH - 3
    return substr(s, 1, at) "," substr(s, at + 1)
  }
  function number(n) {
    return n >= 100 ? commas(n + 0.5) : n >= 10 ? sprintf("%.0f", n) : n >= 1 ? sprintf("%.1f", n) : sprintf("%.2f", n)
  }'

# tell shows a result, which is said again at the end.
tell() { sed 's/^/\n   /' | tee -a "$SCRATCH/results"; }

# gain says what was gained from $1 to $2 milliseconds, $3 what that is.
gain() {
  awk -v a="$1" -v b="$2" -v what="$3" "$lib"'
    BEGIN { if (b > 0) printf "%s: %s ms, then %s ms: %s times\n", what, number(a), number(b), commas(a / b + 0.5) }' |
    tell
}

# transactions prints the number of transactions of the script $1 in pgbench's
# report, latency the mean time that one took.
transactions() {
  awk -v name="$1" '/^SQL script/ { here = $0 ~ name } here && /^ - [0-9]+ transactions/ { print $2 }' "$SCRATCH/pgbench.log"
}
latency() {
  awk -v name="$1" '/^SQL script/ { here = $0 ~ name } here && /latency average/ { print $(NF - 1) }' "$SCRATCH/pgbench.log"
}

# bench runs pgbench for $1 seconds with these scripts, name@weight each.
bench() {
  seconds=$1
  shift
  scripts=
  for script; do scripts="$scripts -f test/demo/${script%@*}.pgbench@${script#*@}"; done
  # shellcheck disable=SC2086
  run pgbench -n -c 8 -j 2 -T "$seconds" -M prepared $scripts demo \
    >"$SCRATCH/pgbench.log" 2>&1 || die "$(cat "$SCRATCH/pgbench.log")"
}

# ready waits until the query $1 gives t.
ready() {
  tries=0
  until [ "$(psql -XAtq -d demo -c "$1")" = t ]; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || die "waited in vain for: $1"
    sleep 0.1
  done
}

say 'a scratch PostgreSQL with shared_preload_libraries = cache'
server_init main "shared_preload_libraries = 'cache'" \
  'shared_buffers = 256MB' 'max_wal_size = 2GB' 'synchronous_commit = off'
server_start main
createdb demo
psql -X -d demo -Atc 'SELECT version()'

say 'data: pgbench at scale 10 (a million accounts) and 200 instance sizes'
run pgbench -iq -s 10 demo 2>"$SCRATCH/pgbench.log" ||
  die "$(cat "$SCRATCH/pgbench.log")"
run psql -Xq -d demo -v ON_ERROR_STOP=1 -f test/demo/data.sql

say 'two caches, each in front of a loader, and a watch that tells which rows make which key'
sed '/^--/d; /./s/^/    /' test/demo/caches.sql
psql -Xq -d demo -v ON_ERROR_STOP=1 -f test/demo/caches.sql >/dev/null
session A 3
session B 4

say 'a miss runs the loader, here over 100,000 rows; a hit does not'
get A branch_balance 3
miss=$ms
get A branch_balance 3
hit=$ms
get B branch_balance 3
gain "$miss" "$hit" 'a get, with the round trip of psql'
exact B branch_balance 3
get A instance_size "'m5.xlarge'"
get A instance_size "'m5.xlarge'"
exact B instance_size "'m5.xlarge'"
get A instance_size "'no.such.size'"
sql A "SELECT cache_get_as(NULL::bigint, 'branch_balance', 3) + 1 AS typed;"
sql A "SELECT count(cache_get('branch_balance', 3)) FROM generate_series(1, 1000000);"
awk -v ms="$ms" 'BEGIN { printf "a hit without the round trip, a million in %.0f ms: %.2f microseconds\n", ms, ms / 1000 }' | tell

say 'a committed write: the next get has the new value'
sql A 'UPDATE pgbench_accounts SET abalance = abalance + 1000 WHERE aid = 200001;'
get B branch_balance 3
get B branch_balance 3
exact B branch_balance 3
sql B "UPDATE instance_sizes SET spec = spec || '{\"usd_hour\": 0.18}' WHERE name = 'm5.xlarge';"
get A instance_size "'m5.xlarge'"
exact A instance_size "'m5.xlarge'"

say 'a write that is rolled back: seen by its own transaction and by no other'
sql A 'BEGIN;'
sql A 'UPDATE pgbench_accounts SET abalance = abalance + 5000 WHERE aid = 200001;'
get A branch_balance 3
exact A branch_balance 3
get B branch_balance 3
exact B branch_balance 3
sql A 'ROLLBACK;'
get A branch_balance 3
exact A branch_balance 3

say 'an old snapshot keeps seeing its own value while others see the new one'
sql A 'BEGIN ISOLATION LEVEL REPEATABLE READ;'
get A branch_balance 3
sql B 'UPDATE pgbench_accounts SET abalance = abalance - 7000 WHERE aid = 200001;'
get B branch_balance 3
get B branch_balance 3
exact B branch_balance 3
get A branch_balance 3
exact A branch_balance 3
sql A 'COMMIT;'
get A branch_balance 3
exact A branch_balance 3

say 'the same load without the cache and with it: for 5 s, 8 clients read balances of'
echo '-- branches; one transaction in 200 changes an account, and so the sum of its branch'
ask A 'SELECT cache_stats_reset();'
for enabled in off on; do
  PGOPTIONS="-c cache.enabled=$enabled"
  export PGOPTIONS
  bench 5 read_balance@199 change_account@1
  unset PGOPTIONS
  eval "mean_$enabled=$(latency read_balance) n_$enabled=$(transactions read_balance)"
done
# shellcheck disable=SC2154
awk -v off="$mean_off" -v on="$mean_on" -v n_off="$n_off" -v n_on="$n_on" "$lib"'
  BEGIN {
    printf "    cache.enabled = off   %9s reads, mean %9s ms\n", commas(n_off), number(off)
    printf "    cache.enabled = on    %9s reads, mean %9s ms\n", commas(n_on), number(on)
  }'
gain "$mean_off" "$mean_on" 'the mean under this load, misses included'

say 'pgbench for 10 s: 8 clients read, write, roll back and read under old snapshots;'
echo '-- each read compares the cache with the loader, in one statement'
psql -Xq -d demo -v ON_ERROR_STOP=1 -f test/demo/oracle.sql
bench 10 read_sizes@200 write_size@60 read_branch@2 read_old@1 write_account@1 change_account@6
compared=0
for script in read_sizes:2 write_size:3 read_branch:1 read_old:4 write_account:2 change_account:0; do
  n=$(transactions "${script%:*}")
  awk -v name="${script%:*}" -v n="$n" -v each="${script#*:}" "$lib"'
    BEGIN { printf "    %-16s %9s transactions, %d comparisons each\n", name, commas(n), each }'
  compared=$((compared + ${n:-0} * ${script#*:}))
done
ask A 'SELECT count(*) FROM mismatches;'
awk -v n="$compared" -v wrong="$(cat "$out")" "$lib"'
  BEGIN { printf "%s comparisons with the loader, %d mismatches\n", commas(n), wrong }' | tell
grep -qx 0 "$out" || {
  sql A 'SELECT * FROM mismatches LIMIT 10;' table
  die 'the cache was wrong'
}

say 'what the caches have done meanwhile: of all gets, how many were hits'
sql A "SELECT name, hits, misses, loads, invalidations, round(100 * hit_ratio::numeric, 1) || ' %' AS hit_ratio FROM cache_stats ORDER BY name;" table

say 'is all in order? cache_verify loads what is cached again and shows what differs;'
echo '-- cache_check shows what costs speed, and what to do about it'
for cache in branch_balance instance_size; do
  sql A "SELECT count(*) AS wrong FROM cache_verify('$cache');"
  grep -qx 0 "$out" || die "the cache $cache is wrong"
done
sql A "SELECT cache_unwatch('branch_balance', 'pgbench_accounts');"
sql A "SELECT cache_get('branch_balance', 3);"
sql A 'SELECT object, problem FROM cache_check();'
sql A "SELECT cache_watch('branch_balance', 'pgbench_accounts', 'bid');"
sql A 'SELECT count(*) AS problems FROM cache_check();'
exact A branch_balance 3

say 'a cache without a loader keeps what is set, and a set can be rolled back'
sql A "SELECT cache_create('draft', ttl => '1 day');"
sql A "SELECT cache_set('draft', 'user:42', '{\"step\": 1}');"
sql A 'BEGIN;'
sql A "SELECT cache_set('draft', 'user:42', '{\"step\": 2}');"
sql A "SELECT cache_get('draft', 'user:42');"
sql A 'ROLLBACK;'
sql A "SELECT cache_get('draft', 'user:42');"
grep -qx '{"step": 1}' "$out" || die 'the cache draft is wrong'

say 'a rate limit: two a minute, in any minute'
for n in 1 2 3; do
  sql A "SELECT allowed, remaining, retry_after FROM cache_rate_limit('mail:42', 2, '1 minute');"
done

if command -v redis-server >/dev/null 2>&1; then
  say 'Redis behind the cache: what was loaded is still there after a restart'
  mkdir "$SCRATCH/redis"
  # It ends with this script, if it is not to be kept.
  if [ -n "${KEEP-}" ]; then set --; else set -- setpriv --pdeathsig KILL; fi
  "$@" redis-server --port 0 --unixsocket "$SCRATCH/redis/redis.sock" --dir "$SCRATCH/redis" \
    --pidfile "$SCRATCH/redis/redis.pid" --save '' >"$SCRATCH/redis/log" 2>&1 &
  sql A "ALTER SYSTEM SET cache.redis_addr = '$SCRATCH/redis/redis.sock';"
  echo '-- what is in memory would be there again as well: not this time'
  sql A 'ALTER SYSTEM SET cache.warm_restart = 0;'
  sql A 'SELECT pg_reload_conf();'
  ready "SELECT state = 'up' FROM cache_redis"
  sql A "SELECT cache_alter('branch_balance', redis => true);"
  get A branch_balance 3
  loaded=$ms
  ready 'SELECT fills > 0 AND queued = 0 FROM cache_redis'
  exec 3>&- 4>&-
  server_stop main
  server_start main
  echo '    (the server is restarted)'
  ready "SELECT state = 'up' FROM cache_redis"
  session C 3
  get C branch_balance 3
  gain "$loaded" "$ms" 'after a restart, from Redis and not from the loader'
  exact C branch_balance 3
  sql C "SELECT redis_hits, loads FROM cache_stats WHERE name = 'branch_balance';" table
  sql C 'UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = 200001;'
  get C branch_balance 3
  exact C branch_balance 3
  exec 3>&-
else
  say 'no redis-server is installed: what it adds is not shown'
  exec 3>&- 4>&-
fi

say 'in short'
sed '/^$/d' "$SCRATCH/results"

echo
if [ -n "${KEEP-}" ]; then
  echo 'The server is still running. To open psql there:'
  echo "    psql -h $PGHOST -U postgres demo"
  echo 'To remove it: make demo-stop'
else
  echo 'The server is removed now. To have one left running, with psql open to it:'
  echo '    make demo KEEP=1'
fi
