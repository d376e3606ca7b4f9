#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Installs the Debian packages that a verb needs, if any is missing.
#	deps.sh GROUP...	build, test, bench, lint
set -eu

build="gcc libc6-dev meson ninja-build pkg-config liburcu-dev libcmocka-dev libzstd-dev libjson-c-dev python3 patch"
test="clang clang-19 libclang-rt-14-dev llvm-14 strace gdb binutils"
# Newer compilers see more; where the archive has none the tests say what they left out.
test_optional="clang-22 clang-tools-22 coccinelle libpython3-dev"
bench="linux-source-6.12 libglib2.0-dev libck-dev libjudy-dev xz-utils bc"
lint="clang-format clang-tidy"

missing() {
	for p; do
		dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || printf '%s ' "$p"
	done
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

want="" optional=""
for group; do
	case $group in
	build)	want="$want $build" ;;
	test)	want="$want $test"; optional="$test_optional" ;;
	bench)	want="$want $bench" ;;
	lint)	want="$want $lint" ;;
	*)	echo "deps.sh: $group: not one of build, test, bench, lint" >&2; exit 2 ;;
	esac
done

need=$(missing $want)
maybe=$(missing $optional)
[ -n "$need$maybe" ] || exit 0
if ! command -v apt-get >/dev/null; then
	echo "deps.sh: these packages are needed, and this is no Debian to install them on: $need" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
as_root apt-get update -qq
if [ -n "$need" ]; then
	echo "installing: $need"
	as_root apt-get install -y -qq --no-install-recommends $need >/dev/null
fi
for p in $maybe; do
	if apt-cache show "$p" >/dev/null 2>&1; then
		echo "installing: $p"
		as_root apt-get install -y -qq --no-install-recommends "$p" >/dev/null
	else
		echo "not in this archive: $p"
	fi
done
