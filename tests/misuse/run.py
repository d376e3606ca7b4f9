#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Every misuse is rejected by the checkers that its first lines name, with the words they name, and
by no other; the same file with -DFIXED passes every checker, as does idioms.c.

    run.py [--nets gcc,tsa14] [CASE...]      check
    run.py --table                           which checker rejects which misuse
    run.py --write CASE...                   rewrite the first lines from what the checkers say

A checker ("net") that is not installed is left out, and the summary says so.  Each case must still
be rejected by one that is.
"""
import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HERE, "cases")
IDIOMS = os.path.join(HERE, "idioms.c")
ROOT = os.path.dirname(os.path.dirname(HERE))

WARN = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fdiagnostics-color=never"]
TSA = ["-fsyntax-only", "-DWARN_CONTEXT_ANALYSIS", "-Wthread-safety", "-Wthread-safety-beta",
       "-ferror-limit=0"]
LATE = ["-fexperimental-late-parse-attributes"]
ANALYZE = ["--analyze", "-std=gnu11", "-fdiagnostics-color=never", "-o", os.devnull,
           "-Wno-nullability-completeness"]
for option in ("-analyzer-werror", "-analyzer-checker=nullability", "-analyzer-config",
               "unix.DynamicMemoryModeling:Optimistic=true", "-analyzer-disable-checker=deadcode"):
    ANALYZE += ["-Xclang", option]

NETS = {
    "bare": ["gcc-12", "-std=gnu11", "-fdiagnostics-color=never", "-S", "-o", os.devnull],
    # Use after free and unused results need more than the front end.
    "gcc": ["gcc-12", *WARN, "-O1", "-S", "-o", os.devnull],
    "borrowck": ["gcc-12", *WARN, "-O1", "-S", "-o", os.devnull, "-Wno-mismatched-dealloc",
                 "-Wno-address", "-DVMAREA_BORROWCK"],
    "tsa14": ["clang-14", *WARN, *TSA],
    "tsa19": ["clang-19", *WARN, *TSA, *LATE],
    "tsa22": ["clang-22", *WARN, *TSA, *LATE, "-Wthread-safety-pointer"],
    "marks22": ["clang-22", *WARN, *TSA, *LATE, "-Wthread-safety-pointer",
                "-DCONTEXT_SLEEP_MARKS"],
    "analyze22": ["clang-22", *ANALYZE],
    "cocci": ["spatch"],
}
# What the lines at the top of a case say: " * gcc,tsa 2<tab>text", said by both, twice.
GROUPS = {"tsa": ["tsa14", "tsa19", "tsa22", "marks22"]}
NAME = "(?:" + "|".join([*NETS, *GROUPS]) + ")"
EXPECT = re.compile(r"^ \* (" + NAME + "(?:," + NAME + r")*)(?: (\d+))?\t+(.*)$", re.M)


def available(names):
    return [n for n in names if shutil.which(NETS[n][0])]


def choose_branch(text, fixed):
    """Coccinelle reads both sides of an #ifdef: leave it one."""
    out, keep = [], [True]
    for line in text.split("\n"):
        word = line.split()[:2]
        if word[:1] in (["#ifdef"], ["#ifndef"]):
            keep.append((word[0] == "#ifdef") == fixed if word[1:] == ["FIXED"] else True)
            line = ""
        elif word[:1] == ["#else"]:
            keep[-1] = not keep[-1]
            line = ""
        elif word[:1] == ["#endif"]:
            keep.pop()
            line = ""
        out.append(line if all(keep) else "")
    return "\n".join(out)


def spatch(path, fixed):
    with open(path, encoding="utf-8") as f:
        text = choose_branch(f.read(), fixed)
    with tempfile.TemporaryDirectory() as d:
        copy = os.path.join(d, os.path.basename(path))
        with open(copy, "w", encoding="utf-8") as f:
            f.write(text)
        run = subprocess.run(
            ["spatch", "--sp-file", os.path.join(HERE, "handles.cocci"), "--macro-file",
             os.path.join(HERE, "cocci_macros.h"), "--very-quiet", "-D", "report", copy],
            capture_output=True, text=True, check=False)
    lines = sorted(set(run.stdout.splitlines()))
    return [re.sub(r"^.*?:\d+: ", "", line) for line in lines]


def diagnose(net, path, include, fixed):
    """The texts of a net's diagnostics for a file, none if it is satisfied."""
    if net == "cocci":
        return spatch(path, fixed)
    command = [*NETS[net], "-I" + include, "-I" + CASES]
    if fixed:
        command.append("-DFIXED")
    run = subprocess.run([*command, path], capture_output=True, text=True, check=False,
                         env={**os.environ, "LC_ALL": "C"})
    if not run.returncode:
        return []
    kind = "error" if net == "bare" else "(?:error|warning)"
    found = [f.replace("\u2018", "'").replace("\u2019", "'")
             for f in re.findall(r"(?<!note: )\b" + kind + ": (.*)", run.stderr)]
    return found or [run.stderr.strip() or "exit %d" % run.returncode]


def expected(path):
    with open(path, encoding="utf-8") as f:
        head = f.read().split("*/", 2)[1]
    result = {}
    for names, count, text in EXPECT.findall(head):
        for name in names.split(","):
            for net in GROUPS.get(name, [name]):
                result.setdefault(net, []).append((text, int(count or 1)))
    return result


class Case:
    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)[:-2]
        self.expected = expected(path)

    def check(self, net, include):
        """Complaints about one net, or None if it behaves as the file says."""
        want = self.expected.get(net, [])
        got = diagnose(net, self.path, include, False)
        for text, count in want:
            times = sum(text in g for g in got)
            if times < count:
                return "%s: %s says %r %d times, not %d%s" % (
                    self.name, net, text, times, count, "" if times else ": %s" % got[:2])
        if got and not want:
            return "%s: %s is not named and says %r" % (self.name, net, got[0])
        return None

    def check_fixed(self, net, include):
        got = diagnose(net, self.path, include, True)
        return "%s: %s rejects the corrected code: %s" % (self.name, net, got[0]) if got else None


def all_cases(names=()):
    paths = sorted(os.path.join(CASES, f) for f in os.listdir(CASES) if f.endswith(".c"))
    if names:
        wanted = {os.path.basename(n).removesuffix(".c") for n in names}
        paths = [p for p in paths if os.path.basename(p)[:-2] in wanted]
    return [Case(p) for p in paths]


def in_parallel(jobs):
    """Runs (function, arguments...) tuples; yields results in order."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(lambda job: job[0](*job[1:]), jobs)


def simplify(text):
    """What of a diagnostic is worth expecting."""
    text = re.sub(r" \[(-W[^]]*|[a-z]+\.[A-Za-z.]+)\]$", "", text)
    return text if len(text) <= 90 else text[:90].rsplit(" ", 1)[0]


def head_lines(case, nets, include):
    """For each text: who says it, and how often."""
    said = {}
    for net in nets:
        got = [simplify(g) for g in diagnose(net, case.path, include, False)]
        for text in dict.fromkeys(got):
            said.setdefault((text, sum(text in g for g in got)), []).append(net)
    for (text, count), names in said.items():
        for group, members in GROUPS.items():
            if set(members) <= set(names):
                names = [n for n in names if n not in members] + [group]
        first = ",".join(names) + (" %d" % count if count > 1 else "")
        yield " * %s%s%s" % (first, "\t\t" if len(first) < 5 else "\t", text)


def write(cases, nets, include):
    for case in cases:
        with open(case.path, encoding="utf-8") as f:
            text = f.read()
        begin = text.index("/*\n")
        end = text.index(" */\n", begin)
        lines = [line for line in text[begin:end].split("\n")[:-1] if not EXPECT.match(line)]
        while lines[-1] == " *":
            lines.pop()
        lines += [" *", *head_lines(case, nets, include)]
        with open(case.path, "w", encoding="utf-8") as f:
            f.write(text[:begin] + "\n".join(lines) + "\n" + text[end:])


def table(cases, nets, include):
    print("%-32s" % "" + " ".join("%-9s" % n for n in nets))
    jobs = [(diagnose, n, c.path, include, False) for c in cases for n in nets]
    results = list(in_parallel(jobs))
    for i, case in enumerate(cases):
        row = results[i * len(nets):(i + 1) * len(nets)]
        print("%-32s" % case.name + " ".join("%-9s" % ("X" if r else "-") for r in row))
    caught = [sum(bool(r) for r in results[i::len(nets)]) for i in range(len(nets))]
    print("%-32s" % "rejected" + " ".join("%-9d" % n for n in caught))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", default=",".join(NETS))
    parser.add_argument("--include", default=os.path.join(ROOT, "include"))
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    asked = args.nets.split(",")
    nets = available(asked)
    cases = all_cases(args.cases)
    if not cases or not nets:
        sys.exit("no such case, or no checker installed")
    if args.write:
        return write(cases, nets, args.include)
    if args.table:
        return table(cases, nets, args.include)

    jobs = []
    for case in cases:
        for net in nets:
            jobs += [(case.check, net, args.include), (case.check_fixed, net, args.include)]
    if not args.cases:
        jobs += [(Case(IDIOMS).check_fixed, net, args.include) for net in nets]
    complaints = [c for c in in_parallel(jobs) if c]
    for case in cases:
        if asked == list(NETS) and not any(n in case.expected for n in nets):
            needs = ", ".join(case.expected) or "nothing"
            if case.expected and len(nets) < len(NETS):
                print("left out: %s is rejected only by %s" % (case.name, needs))
            else:
                complaints.append("%s: no checker rejects it" % case.name)
    for c in complaints:
        print(c)
    print("%d misuses, %d checkers (%s)%s: %d complaints" % (
        len(cases), len(nets), " ".join(nets),
        "".join(", %s not installed" % n for n in asked if n not in nets), len(complaints)))
    return sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
