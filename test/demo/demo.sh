#!/bin/sh
# The extension at work on a scratch server, as a transcript of two psql sessions
# (A and B) and a pgbench run. Fails where a value from the cache differs from
# what its loader returns. KEEP=1 leaves the server running (make demo-stop).
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

# sql runs the statement $2 in session $1 and shows both it and its output. The
# third argument may ask for the time, or for a table with headings.
sql() {
  out=$SCRATCH/$1.out
  : >"$out"
  eval "fd=\$fd_$1 pid=\$pid_$1"
  printf '%s=> %s\n' "$1" "$2"
  {
    case ${3-} in
      time) printf '%s\n' '\timing on' ;;
      table) printf '%s\n' '\pset tuples_only off' '\pset format aligned' ;;
    esac
    printf '%s\n' "$2" '\timing off' '\echo @done'
  } >&"$fd"
  until grep -qx '@done' "$out"; do
    kill -0 "$pid" || die "the session has ended: $(cat "$out")"
    sleep 0.01
  done
  sed '/^@done$/d; /^$/d; s/^/    /' "$out"
  ! grep -q '^ERROR' "$out" || die 'this should not have failed'
}

# get reads the key $3 of cache $2 in session $1, with its time.
get() { sql "$1" "SELECT cache_get('$2', $3);" time; }

# exact asks whether the cache and the loader agree on the key $2 of cache $1,
# the loader's call being $3, in session $1.
exact() {
  sql "$1" "SELECT cache_get('$2', $3) IS NOT DISTINCT FROM to_jsonb($2($3)) AS exact;"
  grep -qx t "$out" || die "the cache $2 is wrong about $3"
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

say 'two caches, each over a loader, and a watch that maps rows to keys'
sed '/^--/d; /./s/^/    /' test/demo/caches.sql
psql -Xq -d demo -v ON_ERROR_STOP=1 -f test/demo/caches.sql >/dev/null
session A 3
session B 4

say 'a miss runs the loader, a hit does not'
get A branch_balance 3
get A branch_balance 3
get B branch_balance 3
sql A "SELECT cache_get_as(NULL::bigint, 'branch_balance', 3) + 1 AS plus_one;"
get A instance_size "'m5.xlarge'"
get A instance_size "'m5.xlarge'"
get A instance_size "'no.such.size'"
exact A branch_balance 3
exact B instance_size "'m5.xlarge'"

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

say 'pgbench for 10 s: 8 clients read and write; every read compares the cache with'
echo '-- the loader. Each update of an account invalidates its branch.'
psql -Xq -d demo -v ON_ERROR_STOP=1 -f test/demo/oracle.sql
for script in read_sizes@200 write_size@60 read_branch@2 read_old@1 write_account@1; do
  scripts="${scripts-} -f test/demo/${script%@*}.pgbench@${script#*@}"
done
# shellcheck disable=SC2086
run pgbench -n -c 8 -j 2 -T 10 -M prepared -b tpcb-like@6 $scripts demo \
  >"$SCRATCH/pgbench.log" 2>&1 || die "$(cat "$SCRATCH/pgbench.log")"
awk '/^SQL script/ { sub(/^SQL script [0-9]*: /, ""); sub(/.*\//, ""); name = $0 }
  /^ - [0-9]+ transactions/ { printf "    %-34s %7d transactions\n", name, $2 }' \
  "$SCRATCH/pgbench.log"
sql A 'SELECT count(*) AS mismatches FROM mismatches;'
grep -qx 0 "$out" || {
  sql A 'SELECT * FROM mismatches LIMIT 10;' table
  die 'the cache was wrong'
}
sql A "SELECT bool_and(cache_get('branch_balance', bid) IS NOT DISTINCT FROM to_jsonb(branch_balance(bid))) AS exact FROM pgbench_branches;"
grep -qx t "$out" || die 'the cache is wrong'

say 'what the caches have done'
sql A 'SELECT name, entries, bytes, hits, misses, loads, bypasses, invalidations, round(hit_ratio::numeric, 3) AS hit_ratio FROM cache_stats;' table

exec 3>&- 4>&-
echo
if [ -n "${KEEP-}" ]; then
  echo 'The server is still running. To open psql there:'
  echo "    psql -h $PGHOST -U postgres demo"
  echo 'To remove it: make demo-stop'
else
  echo 'The server is removed now. To have one left running, with psql open to it:'
  echo '    make demo KEEP=1'
fi
