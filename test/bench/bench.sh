#!/bin/sh
# The measurements of "make bench", on a scratch server: see bench.pl.
#
#   ROUNDS=5          rounds, in which all that is compared takes turns
#   SECTIONS="..."    some of them only, by name; all when empty
#   TRACES=directory  traces with a hitratio.tsv, for the pictures of hit ratios
#
# The tables are printed, and kept with the pictures in a directory whose path is
# the last line.
set -eu
. "$(dirname "$0")/../lib/scratch.sh"
scratch_enter "$@"

out=$(mktemp -d /tmp/cache-bench.XXXXXX)
chmod 755 "$out"
naive=$SCRATCH/tree/test/bench/naive/naive.so
libraries="cache, $naive"
[ ! -f "$("$PG_CONFIG" --pkglibdir)/pgmemcache.so" ] || libraries="$libraries, pgmemcache"

make -s -C test/bench/naive PG_CONFIG="$PG_CONFIG"
make -s -C test/bench/costs
make -s -C test/hitratio all
server_init main "shared_preload_libraries = '$libraries'" \
  'cache.memory = 128MB' 'shared_buffers = 1GB' 'max_wal_size = 1GB' \
  'checkpoint_timeout = 1h' 'synchronous_commit = off' 'autovacuum = off' \
  'jit = off' 'max_parallel_workers_per_gather = 0' 'max_connections = 50'
server_start main
createdb bench
export PGDATABASE=bench
psql -Xq -v ON_ERROR_STOP=1 -v "naive=$naive" -f test/bench/schema.sql >/dev/null
run env OUT="$out" ROUNDS="${ROUNDS:-5}" TRACES="${TRACES-}" \
  perl -I test/bench test/bench/bench.pl ${SECTIONS-}
if server_damage main; then
  exit 1
fi
echo
echo "results and pictures: $out"
