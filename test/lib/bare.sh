#!/bin/sh
# "make demo" and "make check" on a bare Debian: one that debootstrap has just made,
# with git, make and apt in it and nothing else, in a fresh clone of what is
# committed here, without any environment. So it proves that "make deps" installs
# all that is needed.
#
# SUITE is the release, MIRROR where packages come from (by default from where this
# machine has its own), LAYERS and TESTS what to check; KEEP=1 keeps the directory.
# Where it cannot be done (not as root, without a mirror, in a container that may
# not mount) it says so and succeeds.
#
# All of it runs in namespaces of its own: when the script ends, however it ends,
# its processes and mounts are gone with them, and only a directory is to be
# removed.
set -eu

SUITE=${SUITE:-bookworm}
top=$(cd "$(dirname "$0")/../.." && pwd)

skip() {
  echo "skipped: $*"
  exit 0
}

has() { command -v "$1" >/dev/null 2>&1; }

# setting prints apt's setting $1.
setting() {
  value=
  eval "$(apt-config shell value "$1")"
  echo "$value"
}

# mirrors lists from where this machine gets packages, in apt's order.
mirrors() {
  # shellcheck disable=SC2016
  apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' |
    awk '$2 == "main" && !seen[$1]++ { sub(/\/$/, "", $1); print $1 }'
}

# has_suite says whether the mirror $1 has the release.
has_suite() {
  /usr/lib/apt/apt-helper download-file "$1/dists/$SUITE/Release" "$bare/Release" >/dev/null 2>&1
}

# inside makes the system and runs both commands in it: as the first process of
# its namespaces.
inside() {
  mirror=$1
  root=$bare/root
  echo "installing $SUITE from $mirror"
  started=$(date +%s)
  debootstrap --variant=minbase --include=git,make,ca-certificates \
    "$SUITE" "$root" "$mirror" >"$bare/log" 2>&1 || {
    tail -n 20 "$bare/log"
    return 3
  }
  mount -t proc proc "$root/proc"
  mount -t tmpfs tmpfs "$root/dev/shm"
  mount -t devpts devpts "$root/dev/pts"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"

  # How this machine reaches the mirror
  {
    apt-config dump | grep -E '^Acquire::(https?(::| )|Retries|Check-Valid-Until|Check-Date)' || :
    for kind in http https; do
      eval "proxy=\${${kind}_proxy-}"
      [ -z "$proxy" ] || echo "Acquire::$kind::Proxy \"$proxy\";"
    done
  } >"$root/etc/apt/apt.conf.d/99machine"
  [ ! -f /etc/ssl/certs/ca-certificates.crt ] ||
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"

  mv "$bare/cache.bundle" "$root/root/"
  echo "installed in $(($(date +%s) - started)) s"
  # shellcheck disable=SC2016
  exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    sh -ec 'cd /root
      git -c advice.detachedHead=false -c init.defaultBranch=main clone -q cache.bundle cache
      cd cache
      echo "# make demo"
      make demo
      echo "# make check"
      make check LAYERS="$1" TESTS="$2"' bare "${LAYERS-}" "${TESTS-}"
}

if [ "${1-}" = inside ]; then
  bare=$2
  inside "$3"
  exit
fi

[ "$(id -u)" = 0 ] || skip 'a bare system can be made by root only'
has apt-get || skip 'there is no apt here'
git -c safe.directory="$top" -C "$top" rev-parse -q --verify HEAD >/dev/null 2>&1 ||
  skip 'this is not a git repository'
if ! has debootstrap; then
  apt-get update -qq || :
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    debootstrap debian-archive-keyring >/dev/null 2>&1 || skip 'debootstrap cannot be installed'
fi
unshare --mount --pid --fork true 2>/dev/null || skip 'no namespaces can be made here'

bare=$(mktemp -d "${TMPDIR:-/var/tmp}/cache-bare.XXXXXX")
child=
leave() {
  status=$?
  trap - EXIT
  trap '' HUP INT TERM
  # The first process of the namespaces dies with its parent, and all others with it.
  if [ -n "$child" ]; then
    kill -KILL "$child" 2>/dev/null || :
    wait "$child" 2>/dev/null || :
    while find /proc -maxdepth 2 -name root -lname "$bare/root" 2>/dev/null | grep -q .; do
      sleep 0.1
    done
  fi
  if [ -n "${KEEP-}" ]; then
    echo "kept: $bare"
  else
    rm -rf --one-file-system "$bare"
  fi
  exit $status
}
trap leave EXIT
trap 'exit 130' HUP INT TERM

if [ -z "${MIRROR-}" ]; then
  http_proxy=${http_proxy:-$(setting Acquire::http::Proxy)}
  https_proxy=${https_proxy:-$(setting Acquire::https::Proxy)}
  export http_proxy https_proxy
  for mirror in $(mirrors); do
    ! has_suite "$mirror" || { MIRROR=$mirror && break; }
  done
  [ -n "${MIRROR-}" ] || skip "no mirror of this machine has $SUITE"
fi
git -c safe.directory="$top" -C "$top" diff --quiet HEAD ||
  echo 'what is not committed is left out'
git -c safe.directory="$top" -C "$top" bundle create -q "$bare/cache.bundle" HEAD
unshare --mount --pid --fork --kill-child --propagation private \
  sh "$top/test/lib/bare.sh" inside "$bare" "$MIRROR" &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" != 3 ] || skip "debootstrap cannot make $SUITE here"
exit "$status"
