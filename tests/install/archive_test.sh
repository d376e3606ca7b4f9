#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# An archive of objects that are still to be optimized, as -Db_lto=true makes them: it hides what is
# hidden, and a program that is not optimized so can be linked with it.
#	archive_test.sh ARCHIVE.SH FLAG COMPILER...	FLAG: what archive.sh gets behind COMPILER
set -eu
archive=$1 flag=$2
shift 2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
dir="$tmp/with spaces"
mkdir "$dir"
cd "$dir"

fail() {
	echo "archive_test.sh: $*" >&2
	exit 1
}

cat >inner.c <<'C'
__attribute__((visibility("hidden"))) int page_alloc(int n) { return n + 1; }
C
cat >outer.c <<'C'
__attribute__((visibility("hidden"))) int page_alloc(int n);
int shown(int n) { return page_alloc(n) * 2; }
C
cat >program.c <<'C'
int shown(int n);
int page_alloc(int n) { return n; }
int main(void) { return shown(page_alloc(3)) != 8; }
C
# Not every compiler has the part of it that the linker calls.
"$@" -flto -shared -fPIC inner.c outer.c -o other.so 2>why || { cat why; exit 77; }
"$@" -O2 -g -fPIC -flto -c inner.c outer.c
ar rcsT core.a inner.o outer.o
"$archive" ar objcopy core.a out.a "$@" "$flag"
"$@" -O2 program.c out.a -o program || fail "a program with a name of its own"
./program || fail "what it calls"
[ "$(nm -g --defined-only out.a | sed -n 's/.* T //p')" = shown ] || fail "$(nm -g out.a)"
