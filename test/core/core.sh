#!/bin/sh
# PostgreSQL's own tests, without the library and with it: what a server prints
# must be the same, byte by byte, and the same tests must pass. See "make
# check-core".
#
#   none        core's regression and isolation tests, and those of PL/pgSQL,
#               without the library
#   preloaded   the same with it preloaded, compared with none
#   extension   the same with the extension in each database, compared with none
#   others      contrib's tests on a server that preloads pg_stat_statements and
#               auto_explain
#   first       the same with the library in front of these, compared with others
#   last        the same with the library behind them, compared with others
#
# The latter three run statements.sql as well: pg_stat_statements counts, and
# auto_explain logs, as much with the library as without. All servers are in the
# same directory in turn, since some tests print its name.
#
# VARIANTS and SUITES choose, the latter among regress, isolation, plpgsql, and
# the directories of contrib. PG_SOURCE is a directory with PostgreSQL's sources;
# without it they are fetched from where this machine has its packages: those of
# the installed version or, where these are not there, of the nearest that is (then
# a few tests may not be as expected, without the library as with it).
# KEEP=1 keeps the scratch directory, with the results of all variants. The last
# line is the total: "N passed, N failed", N being result files and lists of
# verdicts that are alike, or not.
set -eu
. "$(dirname "$0")/../lib/scratch.sh"
scratch_enter "$@"

passed=0
failed=0
begun=$(date +%s)
major=$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
version=$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9.]*\).*/\1/')
contribs='amcheck auto_explain bloom btree_gin btree_gist citext cube dblink
  file_fdw hstore intarray isn lo ltree pageinspect pg_stat_statements pg_surgery
  pg_trgm pg_visibility pg_walinspect pgcrypto pgstattuple postgres_fdw seg
  tablefunc test_decoding tsm_system_rows unaccent'

# ---------------------------------------------------------------------------
# Sources

# apt runs an apt that knows sources, and leaves the machine's own alone.
apt() {
  tool=$1
  shift
  "$tool" -qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$SCRATCH/apt" \
    -o "Dir::State::lists=$SCRATCH/apt/lists" -o "Dir::Cache=$SCRATCH/apt/cache" \
    -o APT::Sandbox::User= -o "Debug::NoLocking=true" "$@"
}

# fetch fetches the sources into $SCRATCH/source.
fetch() {
  command -v apt-get >/dev/null || return 1
  mkdir -p "$SCRATCH/apt/lists/partial" "$SCRATCH/apt/cache/archives/partial" "$SCRATCH/source"
  # The machine's sources, but of sources
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    to=$SCRATCH/apt/${file##*/}
    case $file in
      *.list) [ ! -f "$file" ] || sed -n 's/^deb /deb-src /p' "$file" >"$to" ;;
      *.sources) [ ! -f "$file" ] || sed 's/^Types:.*/Types: deb-src/' "$file" >"$to" ;;
    esac
  done
  apt apt-get update >"$SCRATCH/apt/log" 2>&1 || :
  installed=$(dpkg-query -W -f '${Version}' "postgresql-$major" 2>/dev/null || :)
  others=$(apt apt-cache showsrc "postgresql-$major" 2>/dev/null | sed -n 's/^Version: //p' | sort -rV)
  for wanted in $installed $others; do
    ! (cd "$SCRATCH/apt" && apt apt-get --download-only --only-source source \
      "postgresql-$major=$wanted") >>"$SCRATCH/apt/log" 2>&1 || break
  done
  tar -C "$SCRATCH/source" --strip-components=1 -xf "$SCRATCH"/apt/postgresql-*.orig.tar.* \
    --wildcards '*/configure' '*/src/test' '*/src/pl' '*/contrib' 2>>"$SCRATCH/apt/log" || return 1
}

source=${PG_SOURCE-}
if [ -z "$source" ]; then
  echo "fetching the sources of PostgreSQL $version"
  source=$SCRATCH/source
  fetch || {
    tail -n 5 "$SCRATCH/apt/log" 2>/dev/null || :
    echo 'PostgreSQL'\''s sources cannot be fetched here: say where they are with PG_SOURCE'
    exit 1
  }
fi
[ -r "$source/src/test/regress/parallel_schedule" ] || {
  echo "$source has no sources of PostgreSQL that $(id -un) may read"
  exit 1
}
tests=$(sed -n "s/^PACKAGE_VERSION='\(.*\)'/\1/p" "$source/configure")
echo "PostgreSQL $version, with the tests of $tests"

# The C functions that core's tests call
mkdir "$SCRATCH/lib"
# shellcheck disable=SC2046,SC2086
$("$PG_CONFIG" --cc) -O2 -fPIC -shared $("$PG_CONFIG" --cppflags) -I"$("$PG_CONFIG" --includedir-server)" \
  -o "$SCRATCH/lib/regress.so" "$source/src/test/regress/regress.c"
for library in autoinc refint; do
  ln -s "$("$PG_CONFIG" --pkglibdir)/$library.so" "$SCRATCH/lib/"
done

# ---------------------------------------------------------------------------
# Suites

# names prints the value of the variable $2 of the Makefile $1.
names() {
  sed -e ':again' -e '/\\$/N; s/\\\n//; t again' "$1" | sed -n "s/^$2 *= *//p"
}

# database makes the database $1, as pg_regress does; an existing one lets the
# extension have a schema of its own, where no test stumbles upon its functions.
database() {
  {
    echo 'SET client_min_messages = warning;'
    echo "DROP DATABASE IF EXISTS \"$1\";"
    echo "CREATE DATABASE \"$1\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';"
    for setting in "lc_messages = 'C'" "lc_monetary = 'C'" "lc_numeric = 'C'" "lc_time = 'C'" \
      "bytea_output = 'hex'" "timezone_abbreviations = 'Default'"; do
      echo "ALTER DATABASE \"$1\" SET $setting;"
    done
  } | psql -Xq -d postgres -v ON_ERROR_STOP=1
  [ -z "$extension" ] ||
    psql -Xq -d "$1" -c 'CREATE SCHEMA cache' -c 'CREATE EXTENSION cache SCHEMA cache'
}

# drive runs pg_regress, or another driver $1, as the suite $2 on the tests in
# the directory $3, in the database $4; what follows are options and tests.
drive() {
  driver=$1
  out=$SCRATCH/out/$variant/$2
  input=$3
  name=$4
  shift 4
  mkdir -p "$out"
  database "$name"
  # Some tests read files of theirs by relative names.
  cd "$input"
  run "$driver" --inputdir="$input" --outputdir="$out" --bindir="$bindir" --dlpath="$SCRATCH/lib" \
    --host="$PGHOST" --port="$PGPORT" --user=postgres --use-existing --dbname="$name" \
    "$@" >"$out/log" 2>&1 || :
  cd "$SCRATCH/tree"
  grep -E '\.\.\. |^(not )?ok ' "$out/log" | sed -E 's/ +[0-9]+ ms$//' >"$out/verdicts" || :
}

pg_regress=$pgxs/src/test/regress/pg_regress
pg_isolation_regress=$pgxs/src/test/isolation/pg_isolation_regress

# suite runs the suite $1.
suite() {
  case $1 in
    regress)
      input=$source/src/test/regress
      drive "$pg_regress" regress "$input" regression --max-concurrent-tests=20 \
        --schedule="$input/parallel_schedule"
      ;;
    isolation)
      input=$source/src/test/isolation
      drive "$pg_isolation_regress" isolation "$input" isolation_regression \
        --schedule="$input/isolation_schedule"
      ;;
    plpgsql)
      input=$source/src/pl/plpgsql/src
      # shellcheck disable=SC2046
      drive "$pg_regress" plpgsql "$input" pl_regression $(names "$input/Makefile" REGRESS)
      ;;
    *)
      input=$source/contrib/$1
      # shellcheck disable=SC2046
      drive "$pg_regress" "$1" "$input" contrib_regression $(names "$input/Makefile" REGRESS)
      tests=$(names "$input/Makefile" ISOLATION)
      # shellcheck disable=SC2046,SC2086
      [ -z "$tests" ] || drive "$pg_isolation_regress" "$1-isolation" "$input" isolation_regression \
        $(names "$input/Makefile" ISOLATION_OPTS | grep -o -e '--load-extension=[a-z_]*') $tests
      ;;
  esac
}

# statements runs statements.sql, and keeps what is counted and logged of it.
statements() {
  out=$SCRATCH/out/$variant/statements
  mkdir -p "$out/results"
  : >"$out/verdicts"
  database statements
  PGAPPNAME=statements psql -Xa -d statements -f test/core/statements.sql \
    >"$out/results/statements.out" 2>&1
  # Without the times and the processes' ids
  awk '/^\t/ { if (ours) print; next } { ours = sub(/^.* \[[0-9]*\] statements: /, "") } ours' \
    "$SCRATCH/main/log" | sed 's/duration: [0-9.]* ms/duration/' >"$out/results/log.out"
}

# suites prints which of its arguments are wanted.
suites() {
  for name; do
    case " ${SUITES:-$name} " in *" $name "*) echo "$name" ;; esac
  done
}

# variant runs the variant $1, whose server has the settings that follow.
variant() {
  variant=$1
  shift
  started=$(date +%s)
  extension=
  [ "$variant" != extension ] || extension=1
  case $variant in
    none | preloaded | extension) wanted=$(suites regress isolation plpgsql) ;;
    *)
      # shellcheck disable=SC2086
      wanted=$(suites $contribs)
      ;;
  esac
  [ -n "$wanted" ] || return 0
  # Tests that connect to the server from itself find it by its environment.
  export PGHOST="$SCRATCH/main"
  server_init main 'wal_level = logical' 'logical_decoding_work_mem = 64kB' \
    'max_connections = 50' "$@"
  server_start main
  for name in $wanted; do
    suite "$name"
  done
  case $variant in
    others | first | last) statements ;;
  esac
  server_stop main
  case $variant in
    none | others) ;;
    *) compare ;;
  esac
  count=$(cat "$SCRATCH/out/$variant"/*/verdicts | wc -l)
  bad=$(cat "$SCRATCH/out/$variant"/*/verdicts | grep -Eci '\.\.\. failed|^not ok' || :)
  echo "        $variant: $count tests, $bad not as PostgreSQL expects them, $(($(date +%s) - started)) s"
  if server_damage main >"$SCRATCH/damage"; then
    verdict "$variant" 'server log' 1 "$SCRATCH/damage"
  fi
  mv "$SCRATCH/main" "$SCRATCH/$variant"
}

# ---------------------------------------------------------------------------
# Comparison

# verdict counts what $2 of the variant $1 has shown: $3 is 0 when it is alike.
# Otherwise the file $4 says what is not.
verdict() {
  if [ "$3" = 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED  %-10s %s\n' "$1" "$2"
    head -n 40 "$4" | sed 's/^/  | /'
  fi
}

# alike compares the files $2 and $3 of the variant as its $1.
alike() {
  if diff -U 3 "$2" "$3" >"$SCRATCH/difference" 2>&1; then
    verdict "$variant" "$1" 0
  else
    verdict "$variant" "$1" 1 "$SCRATCH/difference"
  fi
}

# compare compares the variant with the one without the library.
compare() {
  case $variant in
    preloaded | extension) base=none ;;
    *) base=others ;;
  esac
  [ -d "$SCRATCH/out/$base" ] || return 0
  for dir in "$SCRATCH/out/$base"/*; do
    name=${dir##*/}
    before=$failed
    # These two list what is in the catalogs, the extension among it.
    [ "$variant" != extension ] ||
      sed -i -E '/ (opr_sanity|foreign_data) /d' "$dir/verdicts" "$SCRATCH/out/$variant/$name/verdicts"
    alike "$name: verdicts" "$dir/verdicts" "$SCRATCH/out/$variant/$name/verdicts"
    for file in "$dir"/results/*.out; do
      case $variant/${file##*/} in
        extension/opr_sanity.out | extension/foreign_data.out) continue ;;
      esac
      alike "$name: ${file##*/}" "$file" "$SCRATCH/out/$variant/$name/results/${file##*/}"
    done
    [ $failed != $before ] || printf 'ok      %-10s %s\n' "$variant" "$name"
  done
}

both='pg_stat_statements, auto_explain'
for name in ${VARIANTS:-none preloaded extension others first last}; do
  case $name in
    none) variant none ;;
    preloaded) variant preloaded "shared_preload_libraries = 'cache'" ;;
    extension) variant extension "shared_preload_libraries = 'cache'" ;;
    others) variant others "shared_preload_libraries = '$both'" ;;
    first) variant first "shared_preload_libraries = 'cache, $both'" ;;
    last) variant last "shared_preload_libraries = '$both, cache'" ;;
    *)
      echo "no such variant: $name"
      failed=$((failed + 1))
      ;;
  esac
done
echo "tested in $(($(date +%s) - begun)) s"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
