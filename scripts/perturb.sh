#!/bin/bash
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# The tests of a build with their threads held up at random (tests/perturb/perturb.c): what leans on
# time fails.
#	perturb.sh BUILD [TEST ...]
# Without names all that have threads: not what compiles, and not those that take each mutex a
# million times; with a sanitizer those that make test runs with it.
set -eu
cd "$(dirname "$0")/.."
if [ $# -lt 1 ] || [ ! -e "$1/build.ninja" ]; then
	echo "usage: perturb.sh BUILD [TEST ...]: ${1:-no build} is no build directory" >&2
	exit 2
fi
build=$1
shift
skip='exhaustive|^binder-handles|^layers|^tsa|^conflict|^misuse|^api_|^headers|^install|^port-elsewhere'
if [ $# -eq 0 ]; then
	suite=.
	meson configure "$build" 2>/dev/null | grep -qE '^ *b_sanitize +none' || suite='[:+]sanitize'
	mapfile -t all < <(meson test -C "$build" --list 2>/dev/null | grep -E "$suite.* / " |
			   sed 's/.* \/ //' | grep -vE "$skip" | sort -u)
	set -- "${all[@]}"
fi
ninja -C "$build" --quiet
export PERTURB_MILLE=${PERTURB_MILLE:-6}
# It comes before the sanitizer's library, which asks to be first.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
meson test -C "$build" --no-rebuild --timeout-multiplier 10 --print-errorlogs \
	--num-processes $((4 * $(nproc))) --logbase perturb \
	--wrapper "env LD_PRELOAD=$PWD/$build/tests/perturb/perturb.so" "$@"
