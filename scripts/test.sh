#!/bin/bash
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Every build that has to pass, and the tests that suit it.  Ends with the count of all.
set -u
cd "$(dirname "$0")/.."
jobs=$(nproc)
# What fails here fails for everybody: tests and fuzzers that draw at random draw the same each time.
# `make soak` and scripts/fuzz.sh draw anew.
export VMAREA_SEED=${VMAREA_SEED:-1}
logs=()
rc=0

# run DIR SUITES [meson setup arguments]: configure, build, test.
run() {
	local dir=$1 suites=$2
	shift 2
	echo "== $dir"
	if ! { [ -e "$dir/build.ninja" ] || meson setup "$dir" "$@" >"$dir.log" 2>&1; }; then
		cat "$dir.log"; rc=1; return
	fi
	if ! ninja -C "$dir" >"$dir.log" 2>&1; then
		tail -n 40 "$dir.log"; rc=1; return
	fi
	rm -f "$dir.log"
	rm -f "$dir/meson-logs/testlog.json"
	# The limits of time end what hangs; a machine that is busy otherwise is no failure.
	meson test -C "$dir" --no-rebuild --print-errorlogs --num-processes "$jobs" \
		--timeout-multiplier 4 $suites || rc=1
	logs+=("$dir/meson-logs/testlog.json")
}

run build		""					-Dwerror=true
# By clang, with debug checks: gcc's debug builds are those of the sanitizers.  What explores
# schedules has a library of its own, which is the same in all of these; what refuses memory is run
# where a leak is seen.
once="--no-suite misuse --no-suite kernel --no-suite install"
CC=clang run build-debug "$once --no-suite failure"		-Dwerror=true -Ddebug_checks=true -Dexplore=false
run build-asan		"--suite sanitize"			-Ddebug_checks=true -Db_sanitize=address,undefined -Ddefault_library=static -Dtools=false
run build-tsan		"--suite sanitize"			-Ddebug_checks=true -Db_sanitize=thread -Ddefault_library=static -Dtools=false
# A minute of fuzzing; scripts/fuzz.sh is the same for longer.
CC=clang run build-fuzz		"--suite fuzz"				-Dfuzz=true -Ddebug_checks=true -Dtests=false -Db_sanitize=address,undefined -Db_lundef=false -Ddefault_library=static

python3 - "$rc" "${logs[@]}" <<'PY'
import json, sys
ok = bad = skip = 0
failed = []
for path in sys.argv[2:]:
    try:
        lines = [json.loads(line) for line in open(path)]
    except FileNotFoundError:
        failed.append((path.split("/")[0], "no tests were run", ""))
        continue
    for test in lines:
        if test["result"] in ("OK", "EXPECTEDFAIL"):
            ok += 1
        elif test["result"] == "SKIP":
            skip += 1
        else:
            said = (test.get("stdout") or "") + (test.get("stderr") or "")
            failed.append((path.split("/")[0], f'{test["name"]}: {test["result"]}', said))
bad = len(failed)
if int(sys.argv[1]) and not bad:
    bad = 1
    failed.append(("", "a build failed, see above", ""))
# Once more at the end, where whoever sees the last lines only will find it.
for build, what, said in failed:
    print(f"\nFAILED {build} {what}")
    print("".join(f"    {line}\n" for line in said.splitlines()[-25:]), end="")
print(f"\n{ok} passed, {bad} failed" + (f", {skip} skipped" if skip else ""))
sys.exit(1 if bad else 0)
PY
