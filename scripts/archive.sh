#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# libvmarea.a, which shows what the headers say and nothing else, as the shared library does.  An
# archive of many objects would show the names that they have for each other, too, page_alloc() and
# mmu_init() among them, and a program that has its own could not be linked with it.  COMPILER makes
# code of what is still to be optimized: names of that cannot be hidden.
#	archive.sh AR OBJCOPY CORE OUT COMPILER...
set -eu
ar=$1 objcopy=$2 core=$3 out=$4
shift 4
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$@" -r -nostdlib -Wl,--whole-archive "$core" -o "$dir/vmarea.o"
"$objcopy" --localize-hidden "$dir/vmarea.o"
rm -f "$out"
"$ar" rcsD "$out" "$dir/vmarea.o"
