#!/bin/sh
# Runs the tests, layer by layer, on scratch servers:
#
#   unit       the policy, the arena, the codec and the hash by themselves,
#              without a server
#   regress    sql/*.sql against expected/*.out (not_preloaded*: on a server
#              that does not preload the library)
#   pgtap      test/pgtap/*.sql
#   isolation  test/isolation/specs/*.spec
#   tap        test/t/*.pl, on servers of their own
#   torture    the random load of "make torture", for a short time, without Redis
#              (plain) and with one that is hostile, little memory and the
#              other eviction policy (redis)
#
# Each test has a fresh database with the extension created in it (pgtap: both
# extensions; not_preloaded*: none). LAYERS and TESTS choose among them by name,
# KEEP=1 keeps the scratch directory. The last line is the total: "N passed, N
# failed".
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

# tests lists the tests $1/*.$2 that are wanted, without directory and suffix.
tests() {
  for file in "$1"/*."$2"; do
    name=${file##*/}
    name=${name%."$2"}
    case $name in cache--* | '*') continue ;; esac
    case " ${TESTS:-$name} " in *" $name "*) echo "$name" ;; esac
  done
}

# tap runs the test $2 of layer $1, which speaks TAP, with prove under the
# environment and the options that follow, and counts its assertions.
tap() {
  layer=$1
  name=$2
  shift 2
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
  report "$layer" "$name" "$good" "$bad" "$log.failures"
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

# unit makes the target $3 in the directory $2, as the test $1.
unit() {
  case " ${TESTS:-$1} " in *" $1 "*) ;; *) return 0 ;; esac
  log=$SCRATCH/unit-$1.log
  if run make -s -C "$2" "$3" >"$log" 2>&1; then
    report unit "$1" 1 0
  else
    report unit "$1" 0 1 "$log"
  fi
}

layer_unit() {
  unit policy test/hitratio check
  unit arena test/arena test
  unit codec test/codec check
  unit siphash test/siphash check
}

# regress runs the test $2 of layer $1 with the program $3 and its options.
regress() {
  layer=$1
  name=$2
  shift 2
  out=$SCRATCH/$layer/$name
  mkdir -p "$out"
  if run "$@" --outputdir="$out" --bindir="$bindir" \
    --host="$PGHOST" --port="$PGPORT" --user=postgres \
    "$name" >"$out/log" 2>&1; then
    report "$layer" "$name" 1 0
  elif [ -s "$out/regression.diffs" ]; then
    report "$layer" "$name" 0 1 "$out/regression.diffs"
  else
    report "$layer" "$name" 0 1 "$out/log"
  fi
}

layer_regress() {
  for test in $(tests sql sql); do
    case $test in
      not_preloaded*)
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
  for test in $(tests test/isolation/specs spec); do
    regress isolation "$test" "$pgxs/src/test/isolation/pg_isolation_regress" \
      --inputdir=test/isolation --dbname=isolation --load-extension=cache
  done
}

layer_pgtap() {
  server_preloaded
  PGHOST=$SCRATCH/main
  for test in $(tests test/pgtap sql); do
    dropdb --if-exists pgtap 2>/dev/null
    createdb pgtap
    psql -XAtq -d pgtap -c 'CREATE EXTENSION pgtap' -c 'CREATE EXTENSION cache'
    tap pgtap "$test" PGDATABASE=pgtap \
      prove --verbose --merge --ext .sql \
      --exec 'psql -XAtq -v ON_ERROR_STOP=1 -f' "test/pgtap/$test.sql"
  done
}

layer_tap() {
  for test in $(tests test/t pl); do
    dir=$SCRATCH/tap/$test
    mkdir -p "$dir"
    tap tap "$test" PERL5LIB="$pgxs/src/test/perl:$PWD/test/t" \
      PG_REGRESS="$pgxs/src/test/regress/pg_regress" \
      TESTDIR="$dir" TESTDATADIR="$dir/data" TESTLOGDIR="$dir/log" \
      prove --verbose --merge "test/t/$test.pl"
  done
}

# torture runs the random load with the options that follow, as the test $1.
torture() {
  name=$1
  shift
  case " ${TESTS:-$name} " in *" $name "*) ;; *) return 0 ;; esac
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
}

for layer in ${LAYERS:-unit regress pgtap isolation tap torture}; do
  before=$((passed + failed))
  started=$(date +%s)
  case $layer in
    unit | regress | pgtap | isolation | tap | torture) "layer_$layer" ;;
    *) report "$layer" 'no such layer' 0 1 ;;
  esac
  if [ $((passed + failed)) = $before ] && [ -z "${TESTS-}" ]; then
    report "$layer" 'no tests found' 0 1
  fi
  echo "        $layer: $(($(date +%s) - started)) s"
done

for server in main bare redis; do
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
