#!/bin/bash
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Layers, SPDX lines, trailing blanks, static analysis.  The tests hold the layers too.
set -u
cd "$(dirname "$0")/.."
rc=0
python3 tests/layers/check_layers.py src || rc=1
if git grep -nE '[[:blank:]]+$' -- '*.c' '*.h' '*.sh' '*.py' '*.build'; then
	echo "blanks at the end of a line" >&2
	rc=1
fi
for f in $(git ls-files '*.c' '*.h' '*.py' '*.sh' '*.build' Makefile); do
	head -n 2 "$f" | grep -q 'SPDX-License-Identifier: MIT OR GPL-2.0-only' ||
		{ echo "$f: no SPDX line" >&2; rc=1; }
done
# A build directory of its own, in which nothing is built: with the debug checks all of src/ is code.
lint=build-lint
rm -rf $lint
if ! meson setup $lint -Ddebug_checks=true -Dtests=false -Dtools=false >$lint.log 2>&1; then
	cat $lint.log
	exit 1
fi
mv $lint.log $lint/setup.log
python3 - $lint >$lint/files <<'PY'
import json, os, sys
entries = json.load(open(sys.argv[1] + "/compile_commands.json"))
seen = {os.path.relpath(os.path.join(e["directory"], e["file"])) for e in entries}
print("\n".join(sorted(f for f in seen if f.startswith("src/"))))
PY
grep -q . $lint/files || { echo "no file of src/ is built" >&2; rc=1; }
xargs -P "$(nproc)" -n 4 clang-tidy -p $lint --quiet <$lint/files 2>$lint/stderr || rc=1
# What it says beside the findings: how many it kept back, or that it did not get far.
grep -v 'warnings\? generated' $lint/stderr >&2 && rc=1
[ $rc = 0 ] && echo "lint: nothing found"
exit $rc
