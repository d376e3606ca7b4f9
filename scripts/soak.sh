#!/bin/bash
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# The long runs.  SOAK_OPS, SOAK_PAGES_SECONDS, SOAK_CALLS, SOAK_TOUCHING, SOAK_FAILING and
# SOAK_FUZZ_SECONDS make them shorter or longer; as they are they take about three and a half hours,
# and then 8 CPU-hours of fuzzing.
set -eu
cd "$(dirname "$0")/.."
ops=${SOAK_OPS:-20000000}
pages=${SOAK_PAGES_SECONDS:-600}
calls=${SOAK_CALLS:-5000000}
touching=${SOAK_TOUCHING:-2000000}
failing=${SOAK_FAILING:-1000000}
seeds=${SOAK_SEEDS:-10}
fuzz=${SOAK_FUZZ_SECONDS:-$((8 * 3600 / $(nproc)))}

setup() {
	local dir=$1
	shift
	[ -e "$dir/build.ninja" ] || meson setup "$dir" "$@" >/dev/null
	ninja -C "$dir" --quiet
}
setup build
setup build-asan -Ddebug_checks=true -Db_sanitize=address,undefined -Ddefault_library=static
setup build-tsan -Ddebug_checks=true -Db_sanitize=thread -Ddefault_library=static

echo "== a program in a window sorts 1 GiB and forks"
build/examples/example_window --size 1024 build/examples/example_window_guest.so
echo "== 2 GiB of memory and of a file in 256 MiB, with swap"
build/tests/reclaim/reclaim_swap_test 2048
echo "== threads under address+undefined"
build-asan/tests/stress/stress --ops "$ops"
echo "== threads under the thread sanitizer"
build-tsan/tests/stress/stress --ops "$ops"
echo "== threads on pages under address+undefined, $pages seconds"
build-asan/tests/stress/stress_pages --seconds "$pages"
echo "== threads on pages under the thread sanitizer, $pages seconds"
build-tsan/tests/stress/stress_pages --seconds "$pages"
echo "== threads on files and frames under both sanitizers, $pages seconds each"
build-asan/tests/stress/stress_files --seconds "$pages"
build-tsan/tests/stress/stress_files --seconds "$pages"
echo "== Binder under both sanitizers, $pages seconds each"
build-asan/tests/binder/binder_stress --seconds "$pages"
build-tsan/tests/binder/binder_stress --seconds "$pages"
echo "== all tests, their threads held up at random"
for build in build build-asan build-tsan; do
	scripts/perturb.sh "$build"
done
echo "== random calls, allocations refused"
for one_in in 3 40 500; do
	build-asan/tests/failure/random_failure_test --calls "$failing" --one-in "$one_in"
done
echo "== random calls beside the running kernel"
for seed in $(seq 1 "$seeds"); do
	build/tools/vmarea diff --seed "$seed" --calls "$calls"
done
echo "== the same with memory: loads, stores, forks, pages"
for seed in $(seq 1 "$seeds"); do
	for levels in 4 5; do
		for mmu in soft host; do
			build/tools/vmarea diff --touch --mmu "$mmu" --levels "$levels" --seed "$seed" \
				--jobs "$(nproc)" --calls "$touching" --quiet
		done
	done
done
echo "== the same with files that change under their mappings"
for seed in $(seq 1 "$seeds"); do
	for mmu in soft host; do
		build/tools/vmarea diff --touch --files --mmu "$mmu" --seed "$seed" \
			--jobs "$(nproc)" --calls "$touching" --quiet
	done
done
echo "== fuzzing for $fuzz seconds on all cores"
scripts/fuzz.sh "$fuzz"
