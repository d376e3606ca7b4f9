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
[ -e build/compile_commands.json ] || meson setup build >/dev/null
python3 - <<'PY' | xargs -r -P "$(nproc)" -n 4 clang-tidy -p build --quiet 2>/dev/null || rc=1
import json
seen = sorted({e["file"] for e in json.load(open("build/compile_commands.json"))
               if "/src/" in e["file"] and e["file"].endswith(".c")})
print("\n".join(f.replace("../", "", 1) for f in seen))
PY
[ $rc = 0 ] && echo "lint: nothing found"
exit $rc
