#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A release build has nothing of the nets of a debug build.

    release_test.py NM LIBRARY...       0: none of their symbols; 1: those that are there
    release_test.py --debug NM LIBRARY...
                                        the other way round: the patterns find them in a debug build
"""
import re
import subprocess
import sys

# Functions and data of the lock checker, the field checks, numbered handles, and failure injection.
NETS = {
    "lock checker": r"^(witness|order)_|^order$|^report_(advice|begin|held|rule|say|send)$",
    "checks of field writes": r"^guard_(vma|mm)_",
    "numbered handles": r"^sections?(_|$)",
    "stacks": r"^port_(backtrace|describe_pc|thread_state|thread_on_exit)$",
    "failure injection": r"^port_(fail_nth|alloc_count|live_allocs)$",
}


def symbols(nm, library):
    out = subprocess.run([nm, "--defined-only", library], capture_output=True, text=True, check=True)
    return {line.split()[-1] for line in out.stdout.splitlines() if len(line.split()) == 3}


def main():
    args = sys.argv[1:]
    debug = args[:1] == ["--debug"]
    args = args[debug:]
    if len(args) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    wrong = 0
    for library in args[1:]:
        there = symbols(args[0], library)
        if len(there) < 100:
            print(f"{library}: {len(there)} symbols only: is it stripped?")
            wrong += 1
        for net, pattern in NETS.items():
            found = sorted(name for name in there if re.search(pattern, name))
            if bool(found) != debug:
                print(f"{library}: {net}: {', '.join(found) or 'nothing, in a debug build'}")
                wrong += 1
    return 1 if wrong else 0


sys.exit(main())
