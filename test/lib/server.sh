#!/bin/sh
# Starts a scratch server with the installed extension in it, runs a command
# there (psql when none is given), and removes the server again. For work by
# hand:
#
#   sh test/lib/server.sh
#   sh test/lib/server.sh psql -c 'SELECT * FROM cache_stats'
#   KEEP=1 SETTINGS='cache.memory=16MB' sh test/lib/server.sh true
set -eu
. "$(dirname "$0")/scratch.sh"
scratch_enter "$@"

server_init main "shared_preload_libraries = 'cache'" ${SETTINGS-}
server_start main
createdb cache
export PGDATABASE=cache
psql -Xqc 'CREATE EXTENSION cache'
[ $# != 0 ] || set -- psql
[ -z "${KEEP-}" ] || echo "psql -h $PGHOST -U postgres cache"
"$@"
