#!/bin/sh
# Says what a command is there for, runs it, and says how long it took:
#
#   sh test/lib/step.sh 'building ...' 'built' make ...
set -eu
echo "$1"
done=$2
shift 2
started=$(date +%s)
"$@"
echo "$done in $(($(date +%s) - started)) s"
