#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# What `make install` leaves behind is all that a program needs, and shows nothing else.
#	install_test.sh BUILD SOURCE
set -eu
build=$1 source=$2
cc=${CC:-cc}
dest=$(mktemp -d)
trap 'rm -rf "$dest"' EXIT

fail() {
	echo "install_test.sh: $*" >&2
	exit 1
}

meson install -C "$build" --no-rebuild --quiet --destdir "$dest/root" >"$dest/log" 2>&1 ||
	{ cat "$dest/log"; fail "meson install"; }
pc=$(find "$dest/root" -name vmarea.pc)
[ -n "$pc" ] || fail "no vmarea.pc"
prefix=$dest/root$(sed -n 's/^prefix=//p' "$pc")

# As a user would, but for the prefix, which is not the one it was configured for.
pkg() {
	PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --define-variable=prefix="$prefix" "$@" vmarea
}
libdir=$(pkg --variable=libdir)
include=$(pkg --variable=includedir)
export LD_LIBRARY_PATH="$libdir"
warnings="-Wall -Wextra -Wno-unused-parameter -Werror"

# Shared, static, all static; the examples check themselves.
for example in tracker driver; do
	src=$source/examples/$example.c
	$cc $warnings "$src" $(pkg --cflags --libs) -o "$dest/$example"
	$cc $warnings "$src" $(pkg --cflags) "$libdir/libvmarea.a" \
		$(pkg --static --libs | sed 's/-lvmarea//') -o "$dest/$example.a"
	$cc $warnings -static "$src" $(pkg --cflags) $(pkg --static --libs) -o "$dest/$example.static"
	for program in "$dest/$example" "$dest/$example.a" "$dest/$example.static"; do
		"$program" >"$dest/out" || { cat "$dest/out"; fail "$program"; }
	done
	ldd "$dest/$example" | grep -q "$libdir/libvmarea.so.0" || fail "$example: not linked shared"
done

# The program in the README.
awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$source/README.md" >"$dest/readme.c"
[ -s "$dest/readme.c" ] || fail "no program in the README"
$cc $warnings "$dest/readme.c" $(pkg --cflags --libs) -o "$dest/readme"
"$dest/readme" >/dev/null || fail "the README's program"

# What the library shows is what the headers say, no more and no less.
for header in "$include"/vmarea/*.h; do
	echo "#include <vmarea/$(basename "$header")>"
done >"$dest/all.c"
$cc -E -P -DVMAREA_API=EXPORTED $(pkg --cflags) "$dest/all.c" | tr '\n' ' ' |
	grep -oE 'EXPORTED [^;(]*\(' | sed 's/ *($//; s/.*[ *]//' | sort -u >"$dest/declared"
nm -D --defined-only "$libdir/libvmarea.so" | awk '{ print $NF }' | sort -u >"$dest/shown"
[ "$(wc -l <"$dest/declared")" -gt 80 ] || fail "no declarations found"
diff "$dest/declared" "$dest/shown" >"$dest/diff" ||
	{ cat "$dest/diff"; fail "< declared only, > exported only"; }

# So does the archive: a program may have functions of its own by any name that it does not.
nm -g --defined-only "$libdir/libvmarea.a" | awk 'NF == 3 { print $3 }' | sort -u >"$dest/in_archive"
diff "$dest/declared" "$dest/in_archive" >"$dest/diff" ||
	{ cat "$dest/diff"; fail "< declared only, > shown by libvmarea.a only"; }

# The headers tell which version they are, and have documents and examples beside them.
for part in MAJOR MINOR PATCH; do
	sed -n "s/^#define VMAREA_VERSION_$part[[:space:]]*//p" "$include/vmarea/vmarea.h"
done | paste -sd. >"$dest/version"
[ "$(cat "$dest/version")" = "$(pkg --modversion)" ] || fail "VMAREA_VERSION_*: $(cat "$dest/version")"
doc=$(find "$dest/root" -path '*/doc/vmarea' -type d)
cat "$include"/vmarea/*.h | grep -oE '(docs|examples)/[A-Za-z_/-]*\.(md|c)' | sort -u >"$dest/named"
[ -s "$dest/named" ] || fail "no header names a document"
while read -r file; do
	[ -f "$doc/$file" ] || fail "a header names $file, which is not installed"
done <"$dest/named"

# Another language's compiler reads the headers as well.
if command -v g++ >/dev/null; then
	cat "$dest/all.c" - >"$dest/cxx.cc" <<-'END'
		int main()
		{
			struct vmarea_config config = VMAREA_CONFIG_INIT;
			struct mm_config mm_config = MM_CONFIG_INIT;
			struct vmarea *machine;
			struct mm_user *mm;

			if (vmarea_create(&config, &machine) || mm_create(machine, &mm_config, &mm))
				return 1;
			bool empty = !mm_range_ok(mm, 1ul << 30, 1, PROT_READ);
			mmput(mm);
			vmarea_destroy(machine);
			return empty ? 0 : 1;
		}
	END
	g++ -std=c++20 -Wall -Werror "$dest/cxx.cc" $(pkg --cflags --libs) -o "$dest/cxx"
	"$dest/cxx" || fail "the C++ program"
else
	echo "no g++: C++ is left out"
fi
# Scenarios: the flags are all that is needed, and the sanitizer's library does not come with them.
# A data race that only instrumented code can have says whether they were right.
scenario() {
	language=$1 file=$2
	"$language" $warnings -c "$file" $(testing --cflags) -o "$dest/scenario.o"
	"$language" "$dest/scenario.o" $(testing --libs) -o "$dest/scenario"
	! ldd "$dest/scenario" | grep -q tsan || fail "$language: linked with libtsan"
	"$dest/scenario" --search all >"$dest/out" && fail "$language: the race was not found"
	grep -q 'data race: .*counter' "$dest/out" || { cat "$dest/out"; fail "$language: another report"; }
}
testing() {
	PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --define-variable=prefix="$prefix" "$@" vmarea-testing
}
if [ -e "$(dirname "$pc")/vmarea-testing.pc" ]; then
	cat >"$dest/race.c" <<-'END'
		#include <vmarea/testing.h>

		static int counter;

		static void setup(void)
		{
			counter = 0;
		}

		static void count(void)
		{
			counter++;
			VT_CHECK(counter > 0, "%d", counter);
		}

		int main(int argc, char **argv)
		{
			struct vt_scenario race = {};
			const struct vt_scenario *all[] = { &race, NULL };

			race.name = "race";
			race.setup = setup;
			race.threads[0].name = "one";
			race.threads[0].run = count;
			race.threads[1].name = "other";
			race.threads[1].run = count;
			return vt_main(argc, argv, all);
		}
	END
	cp "$dest/race.c" "$dest/race.cc"
	scenario "$cc" "$dest/race.c"
	if command -v g++ >/dev/null; then scenario g++ "$dest/race.cc"; fi
else
	echo "no vmarea-testing.pc: scenarios are not for this machine or build"
fi
echo "$(wc -l <"$dest/shown") functions exported, all of them declared"
