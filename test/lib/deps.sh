#!/bin/sh
# Makes sure that everything the build and the tests need is installed.
#
# As root on Debian or a relative: installs what is missing, from the
# distribution, and neither creates a database cluster nor starts or enables a
# service while doing so. When nothing is missing it does not call apt at all.
# As an ordinary user: says what is missing and fails.
#
# With the argument "install", it is also a failure when the user may not
# install the extension. With "build" it only prints what "make" needs and is
# missing, in one line.
set -eu

PG_CONFIG=${PG_CONFIG:-pg_config}

has() { command -v "$1" >/dev/null 2>&1; }
has_header() { echo "#include <$1>" | cc -fsyntax-only -x c - 2>/dev/null; }
pg() { "$PG_CONFIG" "--$1" 2>/dev/null || true; }

# Debian has pgxs.mk in the client package, so the headers are what to look for.
has_server_dev() { [ -f "$(pg pgxs)" ] && [ -f "$(pg includedir-server)/postgres.h" ]; }

# The PostgreSQL to use: what pg_config says when its server development files
# are there, else the newest server, else the distribution's default.
pg_major() {
  if has_server_dev; then
    "$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/'
    return
  fi
  for postgres in /usr/lib/postgresql/*/bin/postgres; do
    [ -x "$postgres" ] && echo "$postgres" | cut -d/ -f5
  done | sort -n | tail -n 1 | grep . ||
    apt-cache depends postgresql 2>/dev/null |
      sed -n 's/.*Depends: postgresql-\([0-9][0-9]*\)$/\1/p' | head -n 1
}

# What is missing to build, as packages. N stands for the major version.
missing_to_build() {
  has cc || echo gcc
  has cc && has_header stdio.h || echo libc6-dev
  has cc && has_header hiredis/hiredis.h || echo libhiredis-dev
  has cc && has_header openssl/ssl.h || echo libssl-dev
  has_server_dev || echo postgresql-server-dev-N
}

# What is missing at all.
missing() {
  missing_to_build
  has prove || echo perl
  perl -MIPC::Run -e 1 2>/dev/null || echo libipc-run-perl
  has setpriv || echo util-linux
  has openssl || echo openssl
  has redis-server || echo redis-server
  { [ -x "$(pg bindir)/postgres" ] && [ -x "$(pg bindir)/pgbench" ]; } ||
    echo postgresql-N
  [ -f "$(pg sharedir)/extension/pgtap.control" ] || echo postgresql-N-pgtap
}

install_missing() {
  # While the packages are configured: no service starts, and postgresql-common
  # makes no "main" cluster. Both are drop-ins, so that what the machine's owner
  # has configured stays as it is.
  common=/etc/postgresql-common/createcluster.d
  undo=
  trap 'eval "$undo"' EXIT
  trap 'exit 1' HUP INT TERM
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    undo="rm -f /usr/sbin/policy-rc.d; $undo"
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
  fi
  undo="rm -f $common/00-cache.conf; rmdir $common 2>/dev/null || :; $undo"
  mkdir -p $common
  echo 'create_main_cluster = false' >$common/00-cache.conf

  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  major=$(pg_major)
  [ -n "$major" ] || {
    echo "no PostgreSQL in the package lists of this machine" >&2
    exit 1
  }
  # shellcheck disable=SC2046
  set -- $(missing | sed "s/-N/-$major/")
  echo "installing $*"
  started=$(date +%s)
  log=$(mktemp)
  undo="rm -f $log; $undo"
  apt-get install -y -qq --no-install-recommends "$@" >"$log" 2>&1 || {
    cat "$log" >&2
    exit 1
  }
  case " $* " in
    *' redis-server '*) update-rc.d redis-server disable >/dev/null 2>&1 || : ;;
  esac
  echo "installed in $(($(date +%s) - started)) s"
}

if [ "${1-}" = build ]; then
  major=$(pg_major)
  missing_to_build | sed "s/-N/-${major:-N}/" | paste -s -d ' ' -
  exit
fi

if [ -n "$(missing)" ] && [ "$(id -u)" = 0 ] && has apt-get; then
  install_missing
fi

lack=$(missing)
if [ -n "$lack" ]; then
  major=$(pg_major)
  echo "missing, to be installed by root (\"make deps\" does it):" >&2
  echo "$lack" | sed "s/-N/-${major:-N}/; s/^/  /" >&2
  exit 1
fi
if [ "${1-}" = install ]; then
  for dir in "$(pg pkglibdir)" "$(pg sharedir)/extension"; do
    [ -w "$dir" ] || {
      echo "$(id -un) may not install the extension into $dir: run make as root" >&2
      exit 1
    }
  done
fi
