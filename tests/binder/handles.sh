#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# The driver by the compilers of docs/HANDLES.md: each that is here, its options, no warning.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
ran=0
net() {
	compiler=$1
	shift
	command -v "$compiler" >/dev/null || return 0
	for file in "$root"/drivers/binder/*.c; do
		"$compiler" -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -I"$root/include" "$@" "$file"
	done
	ran=$((ran + 1))
}
tsa="-fsyntax-only -Wno-unused-parameter -DWARN_CONTEXT_ANALYSIS -Wthread-safety -Wthread-safety-beta"
net gcc -O1 -S -o /dev/null -Wno-unused-parameter
net gcc -O1 -S -o /dev/null -Wno-unused-parameter -Wno-mismatched-dealloc -Wno-address -DVMAREA_BORROWCK
net clang-14 $tsa
net clang-19 $tsa -fexperimental-late-parse-attributes
net clang-22 $tsa -Wthread-safety-pointer
net clang-22 $tsa -Wthread-safety-pointer -DCONTEXT_SLEEP_MARKS
echo "$ran nets, nothing caught"
