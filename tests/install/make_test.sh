#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# `make install PREFIX=...` goes there, also when the build was set up before for another place.
#	make_test.sh SOURCE
# What make starts is not run: it is looked at.
set -eu
source=$1
dest=$(mktemp -d)
trap 'rm -rf "$dest"' EXIT

fail() {
	echo "make_test.sh: $*" >&2
	exit 1
}

mkdir "$dest/bin" "$dest/build"
for program in meson ninja; do
	printf '#!/bin/sh\necho "%s $*" >>"%s/log"\nprintf "%%s\\n" "$@" >>"%s/words"\n' \
		"$program" "$dest" "$dest" >"$dest/bin/$program"
	chmod +x "$dest/bin/$program"
done
: >"$dest/build/build.ninja"
unset PREFIX BUILD MAKEFLAGS MAKEOVERRIDES || :

# install [VARIABLE=VALUE...]: what is started, one a line.
install() {
	: >"$dest/log"
	PATH="$dest/bin:$PATH" make -s -C "$source" install BUILD="$dest/build" "$@" >"$dest/out" 2>&1 ||
		{ cat "$dest/out"; fail "make install $*"; }
}

install
grep -q configure "$dest/log" && fail "a prefix that nobody gave was set"
tail -n 1 "$dest/log" | grep -q '^meson install ' || fail "not installed"

for how in argument environment; do
	if [ $how = argument ]; then
		install PREFIX=/opt/elsewhere
	else
		export PREFIX=/opt/elsewhere
		install
	fi
	sed -n '/^meson configure .* -Dprefix=\/opt\/elsewhere$/,$p' "$dest/log" >"$dest/after"
	grep -q '^ninja ' "$dest/after" || fail "PREFIX by $how: not set, or nothing made anew for it"
	tail -n 1 "$dest/after" | grep -q '^meson install ' || fail "PREFIX by $how: not installed"
done
install PREFIX="/opt/else where"
grep -qx -e "-Dprefix=/opt/else where" "$dest/words" || fail "a PREFIX of two words"
echo "PREFIX is where it goes"
