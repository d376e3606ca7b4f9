#!/bin/bash
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# All fuzzers in turn, on all cores, for a number of seconds in all:
#
#	fuzz.sh [SECONDS]	the default is 1200
#
# Half of the time is for memory calls, the rest for what reads files.  What they find to be new stays
# in build-fuzz/corpus and is where the next run begins; findings are in build-fuzz/findings.
# Exit status 1: something was found.  VMAREA_SEED is the seed, else each run has a new one.
set -u
cd "$(dirname "$0")/.."
seconds=${1:-1200}
build=build-fuzz
cores=$(nproc)
rc=0

if ! [ -e $build/build.ninja ]; then
	CC=clang meson setup $build -Dfuzz=true -Ddebug_checks=true -Dtests=false \
		-Db_sanitize=address,undefined -Db_lundef=false -Ddefault_library=static >$build.log 2>&1 ||
		{ cat $build.log; exit 1; }
	rm -f $build.log
fi
ninja -C $build --quiet || exit 1

# turn NAME PERCENT: on each core the fuzzer with a seed of its own, for its part of the time.
turn() {
	local name=$1 part=$((seconds * $2 / 100)) core pids=()
	[ $part -gt 0 ] || part=1
	for core in $(seq "$cores"); do
		fuzz/run.sh $build "$name" $part ${VMAREA_SEED:+$((VMAREA_SEED + core))} &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || rc=1
	done
}
turn calls 50
turn trace 20
turn strace 15
turn command 10
turn script 3
turn elf 2
exit $rc
