#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Each public header compiles alone, without a warning: as ISO C11 and as C++, by each compiler here.
# And what it defines can be used in C++ (cxx/use.cc), but not a handle of the wrong kind.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
include=$(cd "$(dirname "$0")/../../include" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
ran=0
strict="-Wall -Wextra -Wpedantic -Werror -fsyntax-only"
for path in "$include"/vmarea/*.h; do
	# Between two of ours comes one of the C library's that takes many names, and gives some up again.
	printf '#include <vmarea/context.h>\n#include <signal.h>\n' >"$dir/t.c"
	printf '#include <vmarea/%s>\nextern int not_empty;\n' "${path##*/}" >>"$dir/t.c"
	cp "$dir/t.c" "$dir/t.cc"
	for cc in gcc clang-14 clang-19 clang-22; do
		command -v "$cc" >/dev/null || continue
		"$cc" -std=c11 -D_GNU_SOURCE $strict -I"$include" "$dir/t.c"
		"$cc" -std=c11 -D_GNU_SOURCE -DWARN_CONTEXT_ANALYSIS $strict -I"$include" "$dir/t.c"
		ran=$((ran + 2))
	done
	for cxx in g++ clang++-14; do
		command -v "$cxx" >/dev/null || continue
		"$cxx" -std=c++17 $strict -I"$include" "$dir/t.cc"
		ran=$((ran + 1))
	done
done
for cxx in g++ clang++-14 clang++-19 clang++-22; do
	command -v "$cxx" >/dev/null || continue
	for std in "c++17 -Wall -Wextra" "c++20 -Wall -Wextra -Wpedantic"; do
		# Unquoted, here and below: several words.
		compile="$cxx -std=$std -Werror -fsyntax-only -I$include $here/cxx/use.cc"
		$compile -DMISTAKE=0
		for mistake in 1 2 3 4 5; do
			! $compile -DMISTAKE=$mistake 2>"$dir/said" ||
				{ echo "$cxx $std takes mistake $mistake of use.cc"; exit 1; }
			grep -qE 'convert|convers|static.assert|viable' "$dir/said" ||
				{ cat "$dir/said"; echo "mistake $mistake is refused for another reason"; exit 1; }
		done
		ran=$((ran + 6))
	done
done
echo "$ran compilations of public headers, no warnings"
[ "$ran" -gt 0 ]
