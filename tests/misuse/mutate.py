#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Takes the annotations of vmarea/driver.h away, one at a time.  For each, some misuse must no longer
be rejected as its first lines say, or some correct code no longer pass: else nobody would notice if
the annotation were lost.

    mutate.py                    a sample, by kind of annotation (--seed, --per-kind)
    mutate.py --all              every one
    mutate.py --list             what there is
    mutate.py --only LINE        those of one line of driver.h

EXCEPTIONS below are the ones that no checker can miss, each with the reason.
"""
import argparse
import os
import random
import re
import shutil
import sys
import tempfile
import time

import run

HEADER = os.path.join(run.ROOT, "include", "vmarea", "driver.h")

TSA = ["tsa14", "tsa22", "marks22", "tsa19"]

# Kind: how to find it, what to put in its place, the checkers that would see it first.
KINDS = {
    "must_hold": (r"__must_hold(?:_shared)?\([^()]*\)", "", TSA),
    "must_not_hold": (r"__must_not_hold\([^()]*\)", "", TSA),
    "acquires": (r"__acquires(?:_shared)?\([^()]*\)", "", TSA),
    "cond_acquires": (r"__cond_acquires(?:_shared)?\([^()]*\)", "", TSA),
    "releases": (r"__releases(?:_shared)?\([^()]*\)", "", TSA),
    "in_mmap_hook": (r"(?<!define )__in_mmap_hook\b", "", TSA),
    "scope": (r"__scope_(?:acquires|releases)(?:_shared)?\([^()]*\)", "", ["tsa22", "tsa19"]),
    "may_sleep": (r"__may_sleep\b", "", TSA),
    "reentrant": (r"(?<=vma_stable), __reentrant_ctx_lock", "", ["tsa22", "marks22"]),
    "must_check": (r"__must_check\b", "", ["gcc", "bare"]),
    "ended_by": (r"__ended_by\(\w+\)", "", ["gcc", "borrowck", "analyze22"]),
    "consumes_arg": (r"__consumes_arg\b", "", ["analyze22"]),
    "nullable": (r"__nullable\b", "", ["analyze22", "tsa22"]),
    "nonnull": (r"(?m)^__nonnull_begin|^__nonnull_end", "", ["analyze22"]),
    "static_assert": (r"_Static_assert\(!\(\(flags\)(?:.|\n)*?\);", "", ["bare", "gcc"]),
    "error_pragma": (r"(?m)^#pragma GCC diagnostic error .*$", "", ["bare"]),
    "system_header": (r"# pragma clang system_header", "", ["analyze22"]),
    "borrow": (r"(?m)^# define (?!__borrow)\w+\([^)]*\)(?:[ \t]|\\\n)+__borrow\(.*\)$", "",
               ["borrowck"]),
    "union": (r"(?m)^\t(?:const )?struct \w+\t+\*\w+;$", "", ["bare", "gcc"]),
}

# A handle becomes the same type as another one.
DISTINCT = {
    "mm_struct": "mm_user", "mm_user": "mm_struct", "mmap_read": "mmap_write",
    "mmap_write": "mmap_read", "vma_ref": "vma_mixedmap", "vma_mixedmap": "vma_ref",
    "vma_mut": "vma_ref", "vma_new": "vma_mut", "page": "file", "file": "page",
}

# (kind, text of the line): why its loss changes nothing.
EXCEPTIONS = {
}


class Mutant:
    def __init__(self, kind, text, begin, end, instead, nets):
        self.kind, self.nets = kind, nets
        self.text = text[:begin] + instead + text[end:]
        self.line = text.count("\n", 0, begin) + 1
        self.what = " ".join(text[begin:end].split())
        self.source = text.split("\n")[self.line - 1].strip()
        self.words = self.names(text, begin)

    @staticmethod
    def names(text, begin):
        """The functions or types declared around it: cases that use them come first."""
        start = max(text.rfind(mark, 0, begin) for mark in (";", "}", "*/", "\n#"))
        stop = text.find(";", begin)
        return set(re.findall(r"\b[a-z_]{4,}\b", text[start + 1:stop]))

    def __str__(self):
        return "driver.h:%d: %s: %s" % (self.line, self.kind, self.what)


def mutants():
    with open(HEADER, encoding="utf-8") as f:
        text = f.read()
    # Comments speak of annotations too: they are no place for one.
    blank = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)
    found = []
    for kind, (pattern, instead, nets) in KINDS.items():
        for m in re.finditer(pattern, blank):
            found.append(Mutant(kind, text, m.start(), m.end(), instead, nets))
    for name, other in DISTINCT.items():
        for m in re.finditer(r"(?m)^struct %s;$" % name, blank):
            alias = "struct %s;\n#define %s %s" % (other, name, other)
            mutant = Mutant("distinct", text, m.start(), m.end(), alias, ["bare", "tsa14"])
            mutant.words = {name}
            found.append(mutant)
    return sorted(found, key=lambda m: m.line)


def by_relevance(mutant, cases):
    """Those that use most of what the annotation is about first; the short ones before the long."""
    def rank(case):
        with open(case.path, encoding="utf-8") as f:
            words = set(re.findall(r"\w+", f.read()))
        return -len(mutant.words & words), case.name
    return sorted(cases, key=rank)


def who_notices(mutant, cases, nets):
    """The first complaint with the mutant in place of the header; None: nobody notices."""
    idioms = run.Case(run.IDIOMS)
    with tempfile.TemporaryDirectory() as include:
        shutil.copytree(os.path.dirname(HEADER), os.path.join(include, "vmarea"))
        with open(os.path.join(include, "vmarea", "driver.h"), "w", encoding="utf-8") as f:
            f.write(mutant.text)
        first = [n for n in mutant.nets if n in nets]
        order = by_relevance(mutant, cases)
        wide = [c for c in order if "every" in c.name]
        jobs = []
        for net in first:
            jobs.append((idioms.check_fixed, net))
            for case in wide[:4] + order[:4]:
                jobs += [(case.check, net), (case.check_fixed, net)]
        for net in [*first, *(n for n in nets if n not in first)]:
            for case in order:
                jobs += [(case.check, net), (case.check_fixed, net)]
        done = set()
        for check, net in jobs:
            key = (check.__self__.name, check.__name__, net)
            if key in done or (check.__name__ == "check" and first == [] and
                               net not in check.__self__.expected):
                continue
            done.add(key)
            complaint = check(net, include)
            if complaint:
                return complaint
    return None


def excepted(mutant):
    return EXCEPTIONS.get((mutant.kind, mutant.source))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", type=int, metavar="LINE")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-kind", type=int, default=2)
    parser.add_argument("--nets", default=",".join(run.NETS))
    parser.add_argument("-v", "--verbose", action="store_true")
    args = parser.parse_args()
    everything = mutants()
    chosen = [m for m in everything if not excepted(m)]
    if args.list:
        for m in everything:
            print(m, "(exception: %s)" % excepted(m) if excepted(m) else "")
        return
    if args.only:
        chosen = [m for m in chosen if m.line == args.only]
    elif not args.all:
        rng = random.Random(args.seed)
        kinds = {m.kind for m in chosen}
        chosen = [m for kind in sorted(kinds)
                  for m in rng.sample([m for m in chosen if m.kind == kind],
                                      min(args.per_kind,
                                          sum(m.kind == kind for m in chosen)))]
    # Coccinelle reads no annotations.
    nets = run.available([n for n in args.nets.split(",") if n != "cocci"])
    complete = len(nets) == len(run.NETS) - 1
    if not complete:
        chosen = [m for m in chosen if any(n in nets for n in m.nets)]
    begin = time.monotonic()
    cases = run.all_cases()
    lost = 0
    results = run.in_parallel([(who_notices, m, cases, nets) for m in chosen])
    for mutant, complaint in zip(chosen, results):
        if not complaint:
            lost += 1
            print("nobody misses %s" % mutant)
        elif args.verbose:
            print("%s\n    %s" % (mutant, complaint))
    print("%d of %d annotations of driver.h taken away (seed %d), %d exceptions: "
          "%d not missed (%.0f s)" % (len(chosen), len(everything), args.seed,
                                      len(everything) - sum(not excepted(m) for m in everything),
                                      lost, time.monotonic() - begin))
    if lost and not complete:
        print("not counted as failures: only %s ran here" % " ".join(nets))
    sys.exit(1 if lost and complete else 0)


if __name__ == "__main__":
    main()
