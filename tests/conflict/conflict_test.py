#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""conflict_test.py VMAREA-CONFLICTS BUILD BASELINE: no two calls share more cache lines than they did.

Beside the baseline there are promises, which no new baseline can change; and proof that a conflict is
seen and reported.  Prints TAP.
"""
import json
import os
import subprocess
import sys
import tempfile

LOOKUPS = ["lookup_one", "lookup_near", "lookup_far"]
QUERIES = ["query", "query_near", "query_next"]
READERS = ["range_ok", "speculate", *LOOKUPS, *QUERIES]
# They neither promise memory nor count a file.
OF_ONE_MM = [*READERS, "read_lock", "touch", "touch_again", "dontneed", "mprotect", "mprotect_part",
             "madvise", "mlock", "mmget", "mmgrab"]

WRITERS = ["mmap", "mmap_file", "munmap", "mprotect", "mprotect_part", "madvise", "mlock", "brk"]
# Share no line: (place, calls, with these).
PROMISES = [
    ("mm", ["range_ok", "speculate"], [*READERS, "query_file", "read_lock", "touch"]),
    ("mm", ["range_ok"], ["mmget", "mmgrab", "file_get", "for_each", "maps"]),
    ("mm", ["mmget", "mmgrab"], [*READERS, "read_lock", "touch", "fault_far", "fault_first", *WRITERS]),
    ("mm", ["fault_far"], ["fault_far", "fault_one", "fault_read", "zap", *READERS, "read_lock"]),
    ("mm", ["load", "store"], ["load", "store", "fault_far", "fault_one", "fault_read", *READERS,
                               "read_lock", "zap", *WRITERS]),
    ("mm", ["lookup_far"], LOOKUPS),
    ("mm", ["query", "query_next"], READERS),
    ("mm", ["lookup_far"], ["read_lock", "touch"]),
    ("mms", OF_ONE_MM, OF_ONE_MM),
    ("instances", None, None),
]


class Tap:
    def __init__(self):
        self.nr = self.bad = 0

    def ok(self, good, what, *notes):
        self.nr += 1
        self.bad += not good
        print(f"{'ok' if good else 'not ok'} {self.nr} - {what}")
        if not good:
            for note in notes:
                for line in str(note).splitlines():
                    print(f"# {line}")
        sys.stdout.flush()


class Command:
    def __init__(self, path, build):
        self.path, self.build = path, build

    def __call__(self, *arguments):
        return subprocess.run([sys.executable, self.path, "--build", self.build, *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def promise_holds(tap, rows, place, some, others):
    broken = []
    kept = 0
    for row in rows:
        x, y = row["conflict"]
        if row["place"] != place:
            continue
        if some and not ((x in some and y in others) or (y in some and x in others)):
            continue
        kept += not row["lines"]
        if row["lines"]:
            broken.append(f"{x}, {y}: " + "; ".join(row["lines"]))
    what = f"{place}: " + (f"{', '.join(some)} with {', '.join(others)}" if some else "no two calls")
    tap.ok(kept and not broken, what, *broken)


def sees(tap, command, rows):
    """A pair that must conflict does, with the line and the places that everybody knows."""
    blind = [row["conflict"] for row in rows if not all(row["accesses"])]
    tap.ok(not blind, "each call was seen to touch something", blind)
    planted = next(row for row in rows
                   if row["conflict"] == ["mmget", "mmget"] and row["place"] == "mm")
    tap.ok(planted["ww"] == 1 and planted["lines"] == ["mm_struct.mm_users"],
           "two mmget() of one mm meet in its count", planted)
    text = command("--details", "mmget", "mmget").stdout
    wanted = ["written by both", "mmget A      changes mm_struct.mm_users", "mmget() src/mm/lifetime.c:",
              "mmget B      changes mm_struct.mm_users", "put_user() src/mm/lifetime.c:"]
    tap.ok(all(word in text for word in wanted), "--details says who touches it where", text)
    unnamed = [row for row in rows for name in row["lines"] if "?" in name or " bytes" in name]
    tap.ok(not unnamed, "each shared line has a name", *unnamed[:5])


def checks(tap, command, rows_file, baseline, scratch):
    """The comparison itself: with one line fewer, and one more, in the baseline."""
    lines = open(baseline).read().splitlines()
    planted = next(line for line in lines if line.startswith("mm mmget mmget "))

    def compare(text):
        path = os.path.join(scratch, "baseline")
        with open(path, "w") as out:
            out.write("\n".join(text) + "\n")
        return command("--from", rows_file, "--baseline", path)

    run = compare([line for line in lines if line != planted])
    tap.ok(run.returncode == 1 and "mmget, mmget, in one address space: 1+0 lines, the baseline has 0+0"
           in run.stdout and "    mm_struct.mm_users\n" in run.stdout,
           "a line that the baseline does not have fails, by its name", run.stdout)
    run = compare([line.replace("1+0", "2+0") if line == planted else line for line in lines])
    tap.ok(run.returncode == 1 and "--write-baseline" in run.stdout,
           "a baseline that allows more than there is has to be written anew", run.stdout)
    run = compare([*lines, "mm mmget munmap"])
    tap.ok(run.returncode == 2 and "write it anew" in run.stderr, "a baseline that is none",
           run.stderr)
    run = command("--details", "mmget", "nonsense")
    tap.ok(run.returncode == 2 and "nonsense: no such call" in run.stderr, "a call that is none",
           run.stderr)


def main():
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    command = Command(sys.argv[1], sys.argv[2])
    baseline = sys.argv[3]
    tap = Tap()
    with tempfile.TemporaryDirectory() as scratch:
        run = command("--json")
        tap.ok(run.returncode == 0, "the calls are made", run.stderr)
        rows = [json.loads(line) for line in run.stdout.splitlines()]
        if rows:
            rows_file = os.path.join(scratch, "rows")
            with open(rows_file, "w") as out:
                out.write(run.stdout)
            for promise in PROMISES:
                promise_holds(tap, rows, *promise)
            run = command("--from", rows_file, "--baseline", baseline)
            tap.ok(run.returncode == 0, "as the baseline", run.stdout + run.stderr)
            sees(tap, command, rows)
            checks(tap, command, rows_file, baseline, scratch)
    print(f"1..{tap.nr}")
    return 1 if tap.bad else 0


sys.exit(main())
