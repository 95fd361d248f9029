#!/bin/sh
# Runs every row of DIRECTORY/hitratio.tsv (trace, requests, distinct keys,
# size, then one column a policy) and prints our hit ratio beside the other
# columns, then the mean of each over all rows and over the rows of traces
# from real workloads.
#
# usage: table.sh DIRECTORY SIMULATOR
set -eu
[ $# -eq 2 ] && [ -r "$1/hitratio.tsv" ] ||
	{ echo "usage: table.sh DIRECTORY SIMULATOR" >&2; exit 2; }
rows=$(mktemp)
trap 'rm -f "$rows"' EXIT

for trace in $(tail -n +2 "$1/hitratio.tsv" | cut -f 1 | uniq)
do
	sizes=$(awk -F '\t' -v t="$trace" '$1 == t { print $4 }' "$1/hitratio.tsv")
	"$2" "$1/$trace.gz" $sizes
done > "$rows"

awk -F '\t' -v rows="$rows" '
function show(name, size, value,    i, line) {
	line = sprintf("%-20s %6s %7.2f", name, size, value[0])
	for (i = 5; i <= columns; i++)
		line = line sprintf(" %7.2f", value[i])
	print line
}
NR == 1 {
	columns = NF
	line = sprintf("%-20s %6s %7s", "trace", "size", "ours")
	for (i = 5; i <= NF; i++)
		line = line sprintf(" %7.7s", $i)
	print line
	next
}
{
	for (i = 5; i <= NF; i++)
		value[i] = $i
	getline value[0] < rows
	show($1, $4, value)
	real = $1 ~ /^(web12|orm-busy|corda)/
	n++
	real_n += real
	for (i in value) {
		sum[i] += value[i]
		real_sum[i] += real * value[i]
	}
}
END {
	for (i in sum) {
		sum[i] /= n
		real_sum[i] /= real_n ? real_n : 1
	}
	show("mean", n, sum)
	if (real_n)
		show("mean, real workloads", real_n, real_sum)
}' "$1/hitratio.tsv"
