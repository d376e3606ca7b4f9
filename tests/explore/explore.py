#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Every search of every scenario, and the twins: the same with a defect, which must be found.

    explore.py [--build DIR] [--quick | --short] [--only WORD]    0: nothing found, every twin caught

A twin is a file in twins/:

    # what the defect is
    scenario: NAME, NAME         each of them has to find it
    file: src/ROOM/FILE.c
    units: tests/explore/FILE.c  of a header: what is compiled again (default: all that include it)
    report: data race            what it must be called
    search: --search KIND ...    default: 400 of all orders, 600 with a stale load, then at random
    within: N                    schedules
    old:
        lines that occur once in the file; a backslash at the end of the last: no newline there
    new:
        lines in their place

The changed copy is compiled as the original was, and linked in front of the library, whose own
version of the same functions is then not pulled in.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAM = "tests/explore/explore"
LIBRARY = "libvmarea-testing.a"

# Beyond what follows from the number of threads: deadlines that pass early, sleeps that end for no
# reason, where a scenario is about those.
EXTRA = {
    "rwsem-f4-reader": ["--search bounded --timeouts 1"],
    "rwsem-f4-writer": ["--search bounded --timeouts 1"],
    "kill-free": ["--search all --spurious 1", "--search all --spurious 1 --stale 1"],
    "kill-waiter": ["--search all --spurious 1"],
    "spin-two": ["--search all --spurious 1"],
    "rwsem-read-write": ["--search all --spurious 1"],
    "reader-writer": ["--search all --spurious 1"],
}

# Schedules at most: a search of all orders, one of bounded preemptions or of all orders at three
# threads, one by chance.
LIMITS = {
    "full": (100000, 20000, 5000),
    "quick": (3000, 1500, 300),
    "short": (150, 100, 40),
}

# A schedule of these costs as much as so many others: pages are copied, blocks made, tables walked.
HEAVY = {"huge-collapse": 200, "huge-split": 20, "cow-fork": 6, "cow-pin-": 6, "cow-discard": 6,
         "fault-fault": 5, "fault-unmap": 5, "fault-dontneed": 5, "fault-move": 5,
         "fault-truncate": 5, "fault-around": 5, "tlb-": 2, "swap-": 10, "reclaim-": 5,
         "wait-": 5}

OUTCOME = re.compile(r"^(\S+) +(.*?) +(\d+) schedules(?: \((\d+) alike\))?(, all)?"
                     r"(?:, (\d+) allocations)?(?:, up to (\d+) steps)?, ([\d.]+) s: (ok|FOUND)$")


KIND = re.compile(r"^(check failed|assertion failed|data race|memory error|leak|deadlock|"
                  r"lost wake-up|livelock):", re.MULTILINE)

# How a twin is looked for, one after the other.
TWIN_SEARCHES = [("--search all --stale 0", 400), ("--search all --stale 1", 600),
                 ("--search random", 1000000)]


class Failure(Exception):
    pass


# ------------------------------------------------------------------------------- searches


def scenarios(program):
    out = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout
    return [(line.split()[0], int(line.split()[1])) for line in out.splitlines()]


def searches(name, threads, mode):
    share = max([part for word, part in HEAVY.items() if word in name], default=1)
    full, bounded, chance = (max(1, limit // share) for limit in LIMITS[mode])
    if threads <= 2:
        yield f"--search all --stale 0 --schedules {full}"
        yield f"--search all --stale 1 --schedules {full}"
    else:
        yield f"--search all --stale 0 --schedules {bounded}"
        yield f"--search bounded --preemptions 2 --stale 0 --schedules {bounded}"
        yield f"--search bounded --preemptions 1 --stale 1 --schedules {bounded}"
    for extra in EXTRA.get(name, []):
        yield f"{extra} --schedules {full if threads <= 2 else bounded}"
    yield f"--search random --schedules {chance}"
    yield f"--search pct --schedules {chance}"
    yield "--search no-memory"


def parse(text):
    """The outcomes that a run has printed, and what came after them."""
    found = []
    for line in text.splitlines():
        match = OUTCOME.match(line)
        if match:
            found.append({"what": match[2], "schedules": int(match[3]), "all": bool(match[5]),
                          "seconds": float(match[8]), "found": match[9] == "FOUND", "report": ""})
        elif found:
            found[-1]["report"] += line + "\n"
    return found


def run(program, name, options, *more):
    command = [program, "--scenario", name, *shlex.split(options), *more]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise Failure(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return parse(done.stdout)


def label(options):
    words = dict(zip(options.split()[::2], options.split()[1::2]))
    text = words["--search"]
    for option, unit in (("--preemptions", "preemptions"), ("--stale", "stale"),
                         ("--spurious", "spurious"), ("--timeouts", "timeouts")):
        if words.get(option, "0") != "0":
            text += f", {words[option]} {unit}"
    return text


# ---------------------------------------------------------------------------------- twins


class Twin:
    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)[:-len(".twin")]
        self.units, self.search = None, None
        text = open(path).read()
        self.text = text
        head, _, rest = text.partition("\nold:\n")
        old, _, new = rest.partition("new:\n")
        self.old, self.new = self.block(old), self.block(new)
        for line in head.splitlines():
            if line and not line.startswith("#"):
                key, _, value = line.partition(": ")
                setattr(self, key, value)
        self.scenarios = self.scenario.split(", ")
        self.within = int(self.within)

    @staticmethod
    def block(text):
        return text[:-2] if text.endswith("\\\n") else text

    def source(self):
        text = open(os.path.join(ROOT, self.file)).read()
        if text.count(self.old) != 1:
            raise Failure(f"{self.path}: the old text is in {self.file} {text.count(self.old)} "
                          "times; the code has moved on, the twin has to follow")
        return text.replace(self.old, self.new)


def read_twins(word=""):
    folder = os.path.join(HERE, "twins")
    return [Twin(os.path.join(folder, name)) for name in sorted(os.listdir(folder))
            if name.endswith(".twin") and word in name]


class Build:
    """What was compiled how, in a directory of meson's."""

    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.program = os.path.join(self.path, PROGRAM)
        self.commands = {}
        for entry in json.load(open(os.path.join(self.path, "compile_commands.json"))):
            output = entry["output"]
            if output.startswith((LIBRARY + ".p/", PROGRAM + ".p/")):
                source = os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT)
                self.commands[source] = shlex.split(entry["command"])
        digest = hashlib.sha256()
        for path in (self.program, os.path.join(self.path, LIBRARY), __file__):
            digest.update(open(path, "rb").read())
        self.digest = digest.hexdigest()
        self.deps = None

    def includes(self, header):
        """Sources of the library and of the program that include @header."""
        if self.deps is None:
            text = subprocess.run(["ninja", "-C", self.path, "-t", "deps"], capture_output=True,
                                  text=True, check=True).stdout
            self.deps = {}
            for part in text.split("\n\n"):
                lines = part.strip().splitlines()
                if len(lines) > 1 and lines[0].startswith((LIBRARY, PROGRAM)):
                    files = [os.path.relpath(os.path.join(self.path, line.strip()), ROOT)
                             for line in lines[1:]]
                    self.deps[files[0]] = set(files)
        return [source for source, files in self.deps.items() if header in files]

    def compile(self, source, path, output, overlay):
        """Compiles @path in place of @source, headers in @overlay first."""
        command, skip = [], False
        for word in self.commands[source]:
            if skip:
                skip = False
            elif word in ("-o", "-MF", "-MQ"):
                skip = True
            elif word not in ("-MD", "-MMD", "-c"):
                command.append(word)
        command = command[:-1]
        at = 1 + len(self.compiler(command))
        command[at - 1:at - 1] = ["-I" + overlay, "-I" + os.path.dirname(os.path.join(ROOT, source))]
        # Reports say where it would be in the tree.
        command += ["-w", f"-ffile-prefix-map={overlay}={self.source_prefix(source)}",
                    "-c", path, "-o", output]
        done = subprocess.run(command, cwd=self.path, capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"{path}: {done.stderr}")

    @staticmethod
    def compiler(command):
        """Its first words: cc, or ccache cc."""
        words = []
        for word in command:
            if word.startswith("-"):
                break
            words.append(word)
        return words

    def source_prefix(self, source):
        """src/ as the compiler was told: ../src, or an absolute path."""
        return self.commands[source][-1][:-len(source)] + "src"

    def link(self, objects, output):
        mine = [self.object_of(source) for source in self.commands
                if source.startswith("tests/explore/")]
        replaced = {os.path.basename(o) for o in objects}
        mine = [o for o in mine if os.path.basename(o) not in replaced]
        compiler = self.compiler(next(iter(self.commands.values())))
        done = subprocess.run([*compiler, "-no-pie", "-o", output, *objects, *mine,
                               os.path.join(self.path, LIBRARY)],
                              capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"{output}: {done.stderr}")

    def object_of(self, source):
        command = self.commands[source]
        return os.path.join(self.path, command[command.index("-o") + 1])

    def twin(self, twin):
        """The program with the twin's defect; made anew if anything has changed."""
        changed = twin.source()
        folder = os.path.join(self.path, "tests/explore/twins", twin.name)
        program = os.path.join(folder, "explore")
        stamp = os.path.join(folder, "stamp")
        key = hashlib.sha256((self.digest + twin.text + changed).encode()).hexdigest()
        if os.path.exists(program) and os.path.exists(stamp) and open(stamp).read() == key:
            return program
        overlay = os.path.join(folder, "src")
        copy = os.path.join(folder, twin.file)
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        with open(copy, "w") as out:
            out.write(changed)
        if twin.file.endswith(".c"):
            units = [(twin.file, copy)]
        else:
            names = twin.units.split(", ") if twin.units else self.includes(twin.file)
            units = [(name, os.path.join(ROOT, name)) for name in names]
        objects = []
        for source, path in units:
            objects.append(os.path.join(folder, os.path.basename(self.object_of(source))))
            self.compile(source, path, objects[-1], overlay)
        self.link(objects, program)
        with open(stamp, "w") as out:
            out.write(key)
        return program


def try_twin(build, twin):
    """A list of (scenario, search, outcome or None)."""
    program = build.twin(twin)
    options = [(twin.search, twin.within)] if twin.search else TWIN_SEARCHES
    results = []
    for name in twin.scenarios:
        used = 0
        for option, most in options:
            left = min(most, twin.within - used)
            outcome = run(program, name, f"{option} --schedules {left}")[-1]
            used += outcome["schedules"]
            if outcome["found"] or used >= twin.within:
                break
        outcome["schedules"] = used
        kind = KIND.search(outcome["report"])
        outcome["kind"] = kind[1] if kind else "nothing"
        outcome["good"] = outcome["kind"] in twin.report.split(", ")
        results.append((name, option, outcome))
    return results


# ----------------------------------------------------------------------------------- main


class Table:
    def __init__(self):
        self.runs = self.schedules = self.bad = self.twins = self.missed = 0

    def search(self, name, options, outcomes):
        for outcome in outcomes:
            self.runs += 1
            self.schedules += outcome["schedules"]
            self.bad += outcome["found"]
            print(f"{name:26} {label(options):30} {outcome['schedules']:9}"
                  f"{' all' if outcome['all'] else '    '} {outcome['seconds']:7.1f} s  "
                  f"{'FOUND' if outcome['found'] else 'ok'}")
            if outcome["found"]:
                print(outcome["report"])

    def twin(self, twin, results):
        self.twins += 1
        self.missed += not all(outcome["good"] for _, _, outcome in results)
        for name, options, outcome in results:
            self.schedules += outcome["schedules"]
            verdict = "caught" if outcome["good"] else "MISSED"
            print(f"{twin.name:26} {name:24} {label(options):22} {outcome['schedules']:7} of "
                  f"{twin.within:6}  {outcome['kind']}: {verdict}")
            if not outcome["good"]:
                print(f"  should have been: {twin.report}, within {twin.within} schedules "
                      f"({twin.path})\n{outcome['report']}")


def parse_arguments():
    parser = argparse.ArgumentParser(description="All searches of all scenarios, and the twins.")
    parser.add_argument("--build", default="build", help="meson's directory (default: build)")
    parser.add_argument("--quick", action="store_true", help="140 seconds of CPU time")
    parser.add_argument("--short", action="store_true", help="what `make test` has time for")
    parser.add_argument("--only", default="", help="scenarios and twins with this in their name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    return parser.parse_args()


def main():
    args = parse_arguments()
    mode = "quick" if args.quick else "short" if args.short else "full"
    start = time.monotonic()
    try:
        build = Build(args.build)
    except FileNotFoundError as error:
        print(f"explore.py: --build: {args.build}: {error.filename} is missing; "
              f"`ninja -C {args.build} {PROGRAM}` makes it", file=sys.stderr)
        return 2
    table = Table()
    names = [(name, threads) for name, threads in scenarios(build.program) if args.only in name]
    twins = read_twins(args.only)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        runs = [(name, options, pool.submit(run, build.program, name, options))
                for name, threads in names for options in searches(name, threads, mode)]
        tries = [(twin, pool.submit(try_twin, build, twin)) for twin in twins]
        try:
            for name, options, future in runs:
                table.search(name, options, future.result())
            print()
            for twin, future in tries:
                table.twin(twin, future.result())
        except Failure as failure:
            pool.shutdown(cancel_futures=True)
            print(f"explore.py: {failure}", file=sys.stderr)
            return 1
    print(f"\n{len(names)} scenarios, {table.runs} searches, {table.schedules} schedules, "
          f"{table.twins} twins, {table.missed} missed"
          + (f", {table.bad} FOUND" if table.bad else "")
          + f"; {time.monotonic() - start:.0f} s")
    return 1 if table.bad or table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
