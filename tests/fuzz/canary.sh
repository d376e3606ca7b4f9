#!/bin/bash
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# The fuzzer that must fail: the one of memory calls with a defect in between.  It has to find it from
# nothing, with this seed, within this number of runs; and what it prints must find it again.
#	canary.sh driver|libfuzzer CANARY CALLS_FUZZ
set -u
canary=$(realpath "$2") calls=$(realpath "$3")
case $1 in
driver)		runs=2000; arguments="--seed 1 --runs $runs" ;;
libfuzzer)	runs=50000; arguments="-seed=1 -runs=$runs -max_len=516 -len_control=5" ;;
*)		exit 2 ;;
esac
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 2

fail() {
	echo "$1" >&2
	cat "$folder/out" >&2
	exit 1
}

"$canary" $arguments >out 2>&1 && fail "the defect was not found in $runs runs"
grep -q '^DIFFERENCE: ' out || fail "it failed, but for no difference"
again=$(sed -n -e 's/^to run it again: .*_fuzz //p' -e 's/.*Test unit written to //p' out)
[ -n "$again" ] || fail "it does not say how to run it again"
while read -r arguments; do
	"$canary" $arguments >again 2>&1 && fail "not found again by: $arguments"
	grep -q '^DIFFERENCE: ' again || fail "something else was found by: $arguments"
	# It is the defect that was found, and nothing else.
	"$calls" $arguments >again 2>&1 || fail "the fuzzer without the defect fails, too: $arguments"
done <<<"$again"
sed -n -e '/^DIFFERENCE/p' -e 's/^to run it again: .*--first/found by input/p' out
