#!/bin/sh
# Stops and removes the server that "make demo KEEP=1" has left running, if any.
set -eu
note=$(dirname "$0")/.scratch
[ -f "$note" ] || exit 0
dir=$(cat "$note")
if [ -d "$dir/main/data" ]; then
  set -- "$("${PG_CONFIG:-pg_config}" --bindir)/pg_ctl" -D "$dir/main/data" -m fast -w -s stop
  if [ "$(id -u)" = 0 ]; then
    set -- setpriv --reuid "$(stat -c %u "$dir")" --clear-groups "$@"
  fi
  [ ! -f "$dir/main/data/postmaster.pid" ] || (cd / && "$@")
  [ ! -f "$dir/redis/redis.pid" ] || kill "$(cat "$dir/redis/redis.pid")" 2>/dev/null || :
  rm -rf "$dir"
  echo "removed $dir"
fi
rm -f "$note"
