#!/bin/sh
# Runs the tests, layer by layer, on scratch servers:
#
#   layout     that the sources keep to the floors of test/layout/rules, and the
#              tests to the folders of the sources (test/layout/*.pl)
#   unit       test/unit/FOLDER/*_test.c: parts by themselves, without a server
#   regress    sql/*.sql against expected/*.out (not_preloaded*: on a server
#              that does not preload the library); their folders are in
#              test/regress/folders
#   pgtap      test/pgtap/FOLDER/*.sql
#   isolation  test/isolation/FOLDER/specs/*.spec
#   tap        test/tap/FOLDER/*.pl, on servers of their own
#   torture    the random load of "make torture", for a short time, without Redis
#              (plain), with one that is hostile, little memory and the other
#              eviction policy (redis), and for a shorter time on a primary and
#              two standbys (standby)
#
# Each test has a fresh database with the extension created in it (pgtap: both
# extensions; not_preloaded*: none). LAYERS chooses among the layers, TESTS among
# tests: by name, by folder, by FOLDER/NAME. KEEP=1 keeps the scratch directory.
# The last line is the total: "N passed, N failed".
set -eu
. "$(dirname "$0")/scratch.sh"
scratch_enter "$@"

passed=0
failed=0
begun=$(date +%s)
echo "testing on scratch servers"

# report prints the verdict on the test $2 of layer $1 and counts it: $3 passed
# and $4 failed. Of a failed test it shows the files that follow, in brief.
report() {
  passed=$((passed + $3))
  failed=$((failed + $4))
  if [ "$4" = 0 ]; then
    printf 'ok      %-10s %s\n' "$1" "$2"
    return
  fi
  printf 'FAILED  %-10s %s\n' "$1" "$2"
  shift 4
  for file; do
    [ ! -s "$file" ] || excerpt "$file" | sed 's/^/  | /'
  done
}

# excerpt prints a file, of a long one its first and last lines.
excerpt() {
  awk '{ line[NR] = $0 }
    END {
      for (i = 1; i <= NR; i++)
        if (NR <= 50 || i <= 20 || i > NR - 20) print line[i]
        else if (i == 21) print "[" NR - 40 " more lines: KEEP=1 keeps them]"
    }' "$1"
}

# failures prints of what a test in TAP has said only what went wrong: assertions
# that failed, errors of psql, and what the test died of; with the comments that
# follow each, and the assertion before its end.
failures() {
  awk '
    function end() { if (!ended++ && last != "") print "after: " last }
    /^$/ { next }
    /^(# issuing query|# results query|# connect output|# Looks like|# Tests were run|ok |Dubious)/ { left = 0 }
    /^not ok/ && !/# TODO/ && ++failed <= 10 { print; left = 12; next }
    /^not ok/ { left = 0; next }
    /^psql:.*(ERROR|FATAL):/ { end(); print; left = 8; next }
    /^# died/ { end(); print; left = 15; next }
    /^Bailout called/ { bailed = $0; next }
    /Non-zero (exit|wait) status/ { status = $0 }
    /No plan found|Bad plan/ { lost = 1 }
    /^ok / { last = $0; next }
    left > 0 && --left == 0 { print "# [...]"; next }
    left > 0 { print; next }
    { said[++lines] = $0 }
    END {
      if (failed > 10) print failed - 10 " more assertions failed"
      if (bailed != "") { end(); print bailed; exit }
      if (lost && !ended) { end(); print status; exit }
      if (failed || ended) exit
      end()
      for (i = lines > 15 ? lines - 14 : 1; i <= lines; i++) print said[i]
    }' "$1"
}

# wanted says whether TESTS asks for the test $1, FOLDER/NAME.
wanted() {
  case " ${TESTS:-$1} " in *" $1 "* | *" ${1%/*} "* | *" ${1#*/} "*) ;; *) return 1 ;; esac
}

# tests lists the tests of layer $1 that are wanted, each as FOLDER/NAME, whose files
# are test/$1/FOLDER/$2NAME$3.
tests() {
  for file in "test/$1"/*/"$2"*"$3"; do
    folder=${file#"test/$1/"}
    name=${file##*/}
    test=${folder%%/*}/${name%"$3"}
    [ ! -e "$file" ] || ! wanted "$test" || echo "$test"
  done
}

# regress_tests lists those of sql/, whose folders are in a file.
regress_tests() {
  for file in sql/*.sql; do
    name=${file##*/}
    name=${name%.sql}
    case $name in cache--*) continue ;; esac
    folder=$(awk -v name="$name" '!/^#/ { for (i = 2; i <= NF; i++) if ($i == name) print $1 }' \
      test/regress/folders)
    test=${folder:-whole}/$name
    ! wanted "$test" || echo "$test"
  done
}

# tap runs the test $2 of layer $1, which speaks TAP, with prove under the
# environment and the options that follow, and counts its assertions.
tap() {
  layer=$1
  test=$2
  shift 2
  name=${test#*/}
  log=$SCRATCH/$layer-$name.log
  lost=0
  run env "$@" >"$log" 2>&1 || lost=1
  good=$(grep -c '^ok ' "$log" || :)
  bad=$(grep '^not ok ' "$log" | grep -vc '# TODO' || :)
  [ "$bad" != 0 ] || bad=$lost
  if [ "$bad" != 0 ]; then
    failures "$log" >"$log.failures"
    # A server that does not start, or stop, says why in its own log.
    ! grep -q '^Bailout called' "$log" || find "$SCRATCH/$layer/$name" -name '*.log' \
      -exec ls -t {} + | head -n 1 | xargs tail -n 8 >>"$log.failures"
  fi
  report "$layer" "$test" "$good" "$bad" "$log.failures"
}

# server_preloaded starts the server that most layers share.
server_preloaded() {
  [ ! -d "$SCRATCH/main" ] || return 0
  server_init main "shared_preload_libraries = 'cache'" 'max_connections = 80'
  server_start main
}

server_bare() {
  [ ! -d "$SCRATCH/bare" ] || return 0
  server_init bare
  server_start bare
}

# command_test runs the test $2 of layer $1, which is the command that follows.
command_test() {
  layer=$1
  test=$2
  shift 2
  log=$SCRATCH/$layer-${test#*/}.log
  if run "$@" >"$log" 2>&1; then
    report "$layer" "$test" 1 0
  else
    report "$layer" "$test" 0 1 "$log"
  fi
}

layer_layout() {
  ! wanted layout/floors || command_test layout layout/floors perl test/layout/layout.pl
  ! wanted layout/mirror || command_test layout layout/mirror perl test/layout/mirror.pl
  ! wanted layout/layout_test ||
    tap layout layout/layout_test prove --verbose --merge test/layout/layout_test.pl
}

layer_unit() {
  for test in $(tests unit '' _test.c); do
    command_test unit "$test" make -s -C test/unit "${test#*/}"
  done
}

# regress runs the test $2 of layer $1 with the program $3 and its options.
regress() {
  layer=$1
  test=$2
  shift 2
  name=${test#*/}
  out=$SCRATCH/$layer/$name
  mkdir -p "$out"
  if run "$@" --outputdir="$out" --bindir="$bindir" \
    --host="$PGHOST" --port="$PGPORT" --user=postgres \
    "$name" >"$out/log" 2>&1; then
    report "$layer" "$test" 1 0
  elif [ -s "$out/regression.diffs" ]; then
    report "$layer" "$test" 0 1 "$out/regression.diffs"
  else
    report "$layer" "$test" 0 1 "$out/log"
  fi
}

layer_regress() {
  for test in $(regress_tests); do
    case $test in
      */not_preloaded*)
        server_bare
        PGHOST=$SCRATCH/bare extension=
        ;;
      *)
        server_preloaded
        PGHOST=$SCRATCH/main extension=--load-extension=cache
        ;;
    esac
    regress regress "$test" "$pgxs/src/test/regress/pg_regress" \
      --inputdir=. --dbname=regression $extension
  done
}

layer_isolation() {
  server_preloaded
  PGHOST=$SCRATCH/main
  for test in $(tests isolation specs/ .spec); do
    regress isolation "$test" "$pgxs/src/test/isolation/pg_isolation_regress" \
      --inputdir="test/isolation/${test%/*}" --dbname=isolation --load-extension=cache
  done
}

layer_pgtap() {
  server_preloaded
  PGHOST=$SCRATCH/main
  for test in $(tests pgtap '' .sql); do
    dropdb --if-exists pgtap 2>/dev/null
    createdb pgtap
    psql -XAtq -d pgtap -c 'CREATE EXTENSION pgtap' -c 'CREATE EXTENSION cache'
    tap pgtap "$test" PGDATABASE=pgtap \
      prove --verbose --merge --ext .sql \
      --exec 'psql -XAtq -v ON_ERROR_STOP=1 -f' "test/pgtap/$test.sql"
  done
}

layer_tap() {
  for test in $(tests tap '' .pl); do
    dir=$SCRATCH/tap/${test#*/}
    mkdir -p "$dir"
    tap tap "$test" PERL5LIB="$pgxs/src/test/perl:$PWD/test/lib" \
      PG_REGRESS="$pgxs/src/test/regress/pg_regress" \
      TESTDIR="$dir" TESTDATADIR="$dir/data" TESTLOGDIR="$dir/log" \
      prove --verbose --merge "test/tap/$test.pl"
  done
}

# torture runs the random load with the options that follow, as the test $1.
torture() {
  name=$1
  shift
  wanted "whole/$name" || return 0
  log=$SCRATCH/torture-$name.log
  if run perl test/torture/torture.pl --clients "${CLIENTS:-4}" \
    --time "${TIME:-20}" --seed "${SEED:-$$}" "$@" >"$log" 2>&1; then
    report torture "$name: $(tail -n 1 "$log")" 1 0
  else
    report torture "$name" 0 1 "$log"
  fi
}

layer_torture() {
  server_preloaded
  PGHOST=$SCRATCH/main
  torture plain
  server_init redis "shared_preload_libraries = 'cache'" 'max_connections = 80' \
    'cache.memory = 4MB' 'cache.policy = load_time' \
    "cache.redis_addr = '$SCRATCH/redis/redis.sock'"
  server_start redis
  torture redis --redis "$SCRATCH/redis/redis.sock" --data "$SCRATCH/redis/data"
  server_init primary "shared_preload_libraries = 'cache'" 'max_connections = 80'
  chain_settings >>"$SCRATCH/primary/data/postgresql.conf"
  server_start primary
  torture standby --data "$SCRATCH/primary/data" --standbys 2 --clients "${CLIENTS:-3}" --time "${TIME:-8}"
}

for layer in ${LAYERS:-layout unit regress pgtap isolation tap torture}; do
  before=$((passed + failed))
  started=$(date +%s)
  case $layer in
    layout | unit | regress | pgtap | isolation | tap | torture) "layer_$layer" ;;
    *) report "$layer" 'no such layer' 0 1 ;;
  esac
  if [ $((passed + failed)) = $before ] && [ -z "${TESTS-}" ]; then
    report "$layer" 'no tests found' 0 1
  fi
  echo "        $layer: $(($(date +%s) - started)) s"
done

for server in main bare redis primary standby1 standby2; do
  [ -d "$SCRATCH/$server" ] || continue
  server_damage $server >"$SCRATCH/damage" || continue
  report "$server" 'server log' 0 1 "$SCRATCH/damage"
done

if [ $((passed + failed)) = 0 ]; then
  echo "no such test: ${TESTS-}"
  failed=1
fi
echo "tested in $(($(date +%s) - begun)) s"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
