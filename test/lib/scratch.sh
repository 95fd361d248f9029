# Scratch servers for the tests, to be sourced. POSIX sh.
#
#   . "$(dirname "$0")/../lib/scratch.sh"
#   scratch_enter "$@"      # continues in a scratch directory, as a user who is
#                           # not root
#   server_init main ...    # a server in $SCRATCH/main, with these settings
#   server_start main       # PGHOST, PGPORT and PGUSER point to it from now on
#
# A server listens only on a socket inside its own directory. On exit and on
# signals everything is stopped and removed; with KEEP set it stays.

PG_CONFIG=${PG_CONFIG:-pg_config}

# scratch_user prints whom to become: a user that exists and is not root.
scratch_user() {
  for user in postgres nobody; do
    id -u "$user" >/dev/null 2>&1 && echo "$user" && return
  done
  echo "no unprivileged user (postgres or nobody) to run the servers as" >&2
  return 1
}

# scratch_enter copies the parts of the tree that tests need into a scratch
# directory, gives that to the unprivileged user, and runs the calling script
# again from there as that user. The tree itself may be unreadable to him.
scratch_enter() {
  if [ -z "${SCRATCH-}" ]; then
    here=$(cd "$(dirname "$0")" && pwd)
    top=${here%/test/*}
    script=test/${here##*/}/${0##*/}
    if [ "$(id -u)" = 0 ]; then
      user=$(scratch_user)
      group=$(id -g "$user")
      SCRATCH=$(mktemp -d /tmp/cache.XXXXXX)
    else
      SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/cache.XXXXXX")
    fi
    trap 'rm -rf "$SCRATCH"' EXIT
    trap 'exit 130' HUP INT TERM
    mkdir "$SCRATCH/tree" "$SCRATCH/tmp"
    for part in sql src expected test README.md; do
      [ ! -e "$top/$part" ] || cp -Rp "$top/$part" "$SCRATCH/tree/"
    done
    [ -z "${SCRATCH_NOTE-}" ] || echo "$SCRATCH" >"$top/$SCRATCH_NOTE"
    export SCRATCH
    set -- sh "$SCRATCH/tree/$script" "$@"
    if [ -n "${user-}" ]; then
      chown -R "$user:$group" "$SCRATCH"
      set -- setpriv --reuid "$user" --regid "$group" --init-groups "$@"
    fi
    exec "$@"
  fi
  cd "$SCRATCH/tree"
  umask 077
  bindir=$("$PG_CONFIG" --bindir)
  pgxs=$("$PG_CONFIG" --pgxs)
  pgxs=${pgxs%/src/makefiles/*}
  child=
  # The tests of PostgreSQL's own framework take LC_ALL away, and other LC_* would
  # override LANG: so LANG alone says that all servers are UTF-8.
  for name in $(env | sed -n -e 's/^\(LC_[A-Z]*\)=.*/\1/p' -e 's/^\(PG[A-Z]*\)=.*/\1/p'); do
    unset "$name"
  done
  unset LANGUAGE MAKEFLAGS MAKELEVEL MFLAGS
  export HOME="$SCRATCH/tmp" TMPDIR="$SCRATCH/tmp" LANG=C.UTF-8 PAGER=cat
  export PATH="$bindir:$PATH" PGUSER=postgres PGPORT=5432
  trap scratch_leave EXIT
  trap 'exit 130' HUP INT TERM
}

# run runs a command so that a signal ends the wait for it at once.
run() {
  "$@" &
  child=$!
  wait $child
}

# scratch_leave stops whatever server runs in the scratch directory, also those
# that a test has started, and removes it.
scratch_leave() {
  status=$?
  trap - EXIT
  trap '' HUP INT TERM
  if [ -n "${KEEP-}" ]; then
    echo "kept: $SCRATCH"
    exit $status
  fi
  [ -z "$child" ] || kill "$child" 2>/dev/null || :
  scratch_remove "$SCRATCH"
  exit $status
}

# scratch_remove stops the servers in the directory $1 and removes it.
scratch_remove() {
  find "$1" -name postmaster.pid 2>/dev/null | while read -r file; do
    pg_ctl -D "${file%/*}" -w -s -m immediate stop || :
  done
  cd /
  rm -rf "$1"
}

# server_init makes a server called $1; the other arguments are settings. fsync
# is off: a scratch server need not survive the machine.
server_init() {
  name=$1
  shift
  mkdir "$SCRATCH/$name"
  "$bindir/initdb" -D "$SCRATCH/$name/data" -U postgres -A trust --no-sync \
    --encoding=UTF8 --locale=C.UTF-8 >"$SCRATCH/$name/initdb.log" 2>&1 || {
    cat "$SCRATCH/$name/initdb.log"
    return 1
  }
  {
    echo "listen_addresses = ''"
    echo "unix_socket_directories = '$SCRATCH/$name'"
    echo "fsync = off"
    echo "log_line_prefix = '%m [%p] %a: '"
    echo "lc_messages = 'C'"
    echo "timezone = 'UTC'"
    echo "max_prepared_transactions = 10"
    for setting; do echo "$setting"; done
  } >>"$SCRATCH/$name/data/postgresql.conf"
}

# server_start starts it and points libpq at it.
server_start() {
  "$bindir/pg_ctl" -D "$SCRATCH/$1/data" -l "$SCRATCH/$1/log" -w -s start || {
    tail -n 30 "$SCRATCH/$1/log"
    return 1
  }
  export PGHOST="$SCRATCH/$1"
}

# server_stop stops it.
server_stop() {
  "$bindir/pg_ctl" -D "$SCRATCH/$1/data" -w -s -m fast stop
}

# chain_settings prints what servers need of which one may follow the other, in the
# random load: standbys that do not wait long for queries, nor for a new primary.
chain_settings() {
  cat <<'END'
cache.wal = on
wal_keep_size = 1GB
max_standby_streaming_delay = 300ms
wal_retrieve_retry_interval = 100ms
wal_receiver_status_interval = 1s
END
}

# server_damage prints the lines of its log that no test may cause.
server_damage() {
  grep -E 'PANIC:|TRAP:|was terminated by signal' "$SCRATCH/$1/log"
}
