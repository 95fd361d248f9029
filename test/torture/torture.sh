#!/bin/sh
# The random load of torture.pl on scratch servers: one without Redis, and one
# with little memory and a hostile Redis that is restarted now and then; and for
# a quarter of the time readers of values with checksums (torn.sql). CLIENTS,
# TIME (seconds, for each) and SEED choose the size; REDIS=0 and REDIS=1 one of
# the two. STANDBY=1: instead of them, a primary, a standby and a cascading one,
# which are restarted and promoted; with REDIS=1 and the hostile Redis. SETTINGS adds a setting to the server's configuration. WITHOUT names a
# guard that is taken out, in a development build, to see the run fail.
set -eu
. "$(dirname "$0")/../lib/scratch.sh"
scratch_enter "$@"

CLIENTS=${CLIENTS:-8}

# prepare makes a server called $1 with the settings that follow.
prepare() {
  server=$1
  shift
  server_init "$server" "shared_preload_libraries = 'cache'" \
    "max_connections = $((CLIENTS + 20))" \
    "max_prepared_transactions = $((CLIENTS + 10))" "$@" "${SETTINGS-}"
}

# torture runs the load on it, with the options that follow.
torture() {
  name=$1
  shift
  server_start "$name"
  run perl test/torture/torture.pl --clients "$CLIENTS" --time "${TIME:-60}" \
    --seed "${SEED:-1}" ${WITHOUT:+--without "$WITHOUT"} "$@"
  if server_damage "$name"; then
    exit 1
  fi
  server_stop "$name"
}

# torture_chain runs it on a chain of servers.
torture_chain() {
  prepare primary "${WITHOUT:+cache.removed_guard = '$WITHOUT'}" "$@"
  chain_settings >>"$SCRATCH/primary/data/postgresql.conf"
  server_start primary
  run perl test/torture/torture.pl --clients "$CLIENTS" --time "${TIME:-60}" \
    --seed "${SEED:-1}" ${WITHOUT:+--without "$WITHOUT"} \
    --data "$SCRATCH/primary/data" --standbys 2 ${redis:+--redis "$redis"}
  if server_damage primary || server_damage standby1 || server_damage standby2; then
    exit 1
  fi
}

# torn reads values that carry checksums while they are evicted, moved, replaced.
torn() {
  server_start torn
  createdb torn
  psql -Xq -d torn -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION cache' -f test/torture/torn.sql >/dev/null
  run pgbench -n -M prepared -c "$CLIENTS" -j 2 -T "$((${TIME:-60} / 4 + 1))" \
    -f test/torture/torn_read.pgbench@1 -f test/torture/torn_write.pgbench@1 torn
  if server_damage torn; then
    exit 1
  fi
  server_stop torn
}

if [ "${STANDBY:-0}" = 1 ]; then
  redis=
  [ "${REDIS:-0}" = 0 ] || redis=$SCRATCH/redis/redis.sock
  [ -z "$redis" ] || mkdir "$SCRATCH/redis"
  torture_chain ${redis:+"cache.redis_addr = '$redis'"}
  exit
fi
if [ "${REDIS:-0}" = 0 ]; then
  prepare plain
  torture plain
  prepare torn 'cache.memory = 1MB' 'synchronous_commit = off'
  torn
fi
if [ "${REDIS:-1}" = 1 ]; then
  prepare redis 'cache.memory = 4MB' \
    "cache.redis_addr = '$SCRATCH/redis/redis.sock'"
  torture redis --redis "$SCRATCH/redis/redis.sock" --data "$SCRATCH/redis/data"
fi
