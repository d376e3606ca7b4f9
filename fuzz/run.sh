#!/bin/bash
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# One fuzzer for a number of seconds, or of runs (20000x):
#
#	run.sh BUILD NAME SECONDS|RUNSx [SEED]
#
# BUILD is a build with -Dfuzz=true.  It begins with fuzz/corpus/NAME and what earlier runs have
# found; what is new goes to BUILD/corpus/NAME.  Exit status 1: it has found something, which is in
# BUILD/findings, and the command that runs it again is the last line.
set -u
build=$(realpath "$1") name=$2 long=$3 seed=${4:-${VMAREA_SEED:-$((RANDOM * 32768 + RANDOM + 1))}}
here=$(realpath "$(dirname "$0")")
corpus=$build/corpus/$name findings=$build/findings
log=$build/corpus/$name-$$.log
mkdir -p "$corpus" "$findings"

case $long in
*x)	limit=-runs=${long%x} ;;
*)	limit=-max_total_time=$long long="$long seconds" ;;
esac
case $name in
calls|canary)	options="-max_len=516" ;;
*)		options="-max_len=8000 -malloc_limit_mb=512" ;;
esac
[ -e "$here/$name.dict" ] && options="$options -dict=$here/$name.dict"
[ -d "$here/corpus/$name" ] && seeds=$here/corpus/$name || seeds=
echo "$name: $long, seed $seed"
# A timeout is a finding, too: no input takes more than some milliseconds.
"$build/fuzz/${name}_fuzz" $options -seed="$seed" $limit -timeout=20 \
	-rss_limit_mb=3000 -print_final_stats=1 -artifact_prefix="$findings/$name-" \
	"$corpus" $seeds >"$log" 2>&1
status=$?
sed -n 's/^\(#.*cov: [0-9]* ft: [0-9]* corp: [0-9]*\).*/\1/p' "$log" | tail -n 1
grep -E 'number_of_executed_units|new_units_added' "$log"
if [ $status != 0 ]; then
	# Not the progress, but what came of the last input.
	grep -vE '^#[0-9]+[[:space:]]+(NEW|REDUCE|pulse|INITED|RELOAD)' "$log" | tail -n 150
	found=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
	echo "$name: seed $seed found something; to run it again:"
	echo "$build/fuzz/${name}_fuzz $found"
	rm -f "$log"
	exit 1
fi
rm -f "$log"
