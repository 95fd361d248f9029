#!/bin/sh
# The random load of torture.pl on a scratch server. CLIENTS, TIME (seconds) and
# SEED choose its size; SETTINGS adds a setting to the server's configuration.
set -eu
. "$(dirname "$0")/../lib/scratch.sh"
scratch_enter "$@"

CLIENTS=${CLIENTS:-8}
server_init main "shared_preload_libraries = 'cache'" \
  "max_connections = $((CLIENTS + 20))" "max_prepared_transactions = $((CLIENTS + 10))" \
  "${SETTINGS-}"
server_start main
run perl test/torture/torture.pl --clients "$CLIENTS" --time "${TIME:-60}" \
  --seed "${SEED:-1}"
if server_damage main; then
  exit 1
fi
