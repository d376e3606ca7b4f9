#!/bin/bash
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Everything that is measured, beside its peers in the same run, as ratios; then which cache lines
# calls share.
#	bench.sh [SIZES]	the numbers of ranges; the default takes about ten minutes
#	QUICK=1 bench.sh	few sizes and rounds, in a minute or two, for a first look
set -eu
cd "$(dirname "$0")/.."
quick=
[ -z "${QUICK:-}" ] || quick=--quick
sizes=${1:-${quick:+10 1000}}
sizes=${sizes:-10 100 1000 10000 100000 1000000}
dir=$PWD/build-bench
out=$dir/results.jsonl

[ -e "$dir/build.ninja" ] || meson setup "$dir" --buildtype=release -Dbench=true -Dtests=false >/dev/null
ninja -C "$dir" >"$dir/build.log" || { tail -n 30 "$dir/build.log"; exit 1; }

# The peers: the kernel's maple tree and red-black tree from Debian's source package, GLib, Judy.
linux=$dir/linux-source-6.12
shared=$linux/tools/testing/shared
if [ ! -e "$shared/.ready" ]; then
	tar -C "$dir" -xf /usr/src/linux-source-6.12.tar.xz --wildcards '*/tools/testing/shared' \
		'*/tools/include' '*/tools/lib' '*/tools/arch/x86' '*/lib/maple_tree.c' '*/lib/radix-tree.c' \
		'*/lib/idr.c' '*/lib/xarray.c' '*/include/linux/*' '*/include/trace' '*/include/asm-generic'
	mkdir -p "$shared/generated"
	echo '#define CONFIG_64BIT 1' >"$shared/bit-length.h"
	echo '#define XA_CHUNK_SHIFT 6' >"$shared/generated/map-shift.h"
	cp "$shared/autoconf.h" "$shared/generated/autoconf.h"
	touch "$shared/.ready"
fi
flags="-O3 -std=gnu11 -D_GNU_SOURCE -DNDEBUG -w -Ibench/peers"
peer() {	# NAME HEADER [flags]
	local name=$1 header=$2
	shift 2
	gcc $flags "-DINDEX=\"$header\"" bench/index_bench.c -o "$dir/index_$name" "$@"
}
peer maple index_maple.h -D_LGPL_SOURCE -DCONFIG_64BIT=1 -I"$shared" -I"$linux/tools/include" \
	-I"$linux/tools/lib" -lpthread -lurcu
peer rbtree index_rbtree.h -I"$linux/tools/include" "$linux/tools/lib/rbtree.c" -lpthread
peer rbtree_br index_rbtree.h -DRB_LOCK_BR -I"$linux/tools/include" "$linux/tools/lib/rbtree.c" \
	-lck -lpthread
peer gtree index_gtree.h $(pkg-config --cflags --libs glib-2.0) -lpthread
peer judy index_judy.h -lJudy -lpthread

: >"$out"
for n in $sizes; do
	for who in vmarea maple rbtree rbtree_br gtree judy; do
		program=$dir/index_$who
		[ $who = vmarea ] && program=$dir/bench/index_vmarea
		"$program" "$n" >>"$out"
	done
done
"$dir/bench/calls_bench" >>"$out"
bench/conflicts/vmarea-conflicts --build "$dir" --json >>"$out"
python3 bench/report.py "$out"
printf '\nframes and page tables, ns an operation\n'
"$dir/bench/pages_bench"
printf '\nsoft TLBs and windows, ns an operation\n'
"$dir/bench/mmu_bench"
printf '\nmemory beside the kernel\n'
"$dir/bench/memory_bench" $quick
printf '\nBinder beside a socket and a pipe\n'
"$dir/bench/binder_bench" $quick
