#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""report.py RESULTS.jsonl: the figures of one run beside one another, the targets, shared cache lines."""
import collections
import json
import os
import platform
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "conflicts"))
sys.dont_write_bytecode = True
import matrix                                                           # noqa: E402

TARGETS = [  # what, against, threads, at least so many times as fast
    ("lookup", "maple", 1, 1.5),
    ("insert+erase", "maple", 1, 1.3),
    ("mmap+munmap", "kernel", 1, 5.0),
]


def cpu():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown CPU"


def main():
    rows = collections.OrderedDict()
    spread = {}
    conflicts = []
    for line in open(sys.argv[1]):
        r = json.loads(line)
        if "conflict" in r:
            conflicts.append(r)
            continue
        rows.setdefault((r["what"], r["n"], r["threads"]), collections.OrderedDict())[r["index"]] = r["ns"]
        if "min" in r:
            spread[r["what"], r["n"], r["threads"], r["index"]] = (r["min"], r["max"])
    print(f"{cpu()}, {os.cpu_count()} CPUs, Linux {platform.release()}; ns an operation, the median;"
          " in brackets least..most; then how many times as long the peer takes")
    last = None
    for (what, n, threads), figures in rows.items():
        if what != last:
            print(f"\n{what}")
            last = what
        ours = figures.get("vmarea")
        cells = []
        for who, ns in figures.items():
            low, high = spread.get((what, n, threads, who), (ns, ns))
            cell = f"{who} {ns:.1f} [{low:.1f}..{high:.1f}]"
            if who != "vmarea" and ours:
                cell += f" x{ns / ours:.2f}"
            cells.append(cell)
        print(f"  {n:>8} {'areas' if n != 1 else 'area'}, {threads} thread{'s' if threads > 1 else ''}: "
              + ",  ".join(cells))
    print("\ntargets")
    missed = 0
    for what, peer, threads, least in TARGETS:
        for (w, n, t), figures in rows.items():
            if w == what and t == threads and peer in figures and "vmarea" in figures:
                ratio = figures[peer] / figures["vmarea"]
                ok = ratio >= least
                missed += not ok
                print(f"  {'met   ' if ok else 'MISSED'} {what}, {n} areas: {ratio:.2f} times as fast as "
                      f"{peer}, target {least}")
    for (w, n, t), figures in rows.items():
        if w == "lookup" and t == 2 and "vmarea" in figures:
            one = rows[w, n, 1]["vmarea"]
            ratio = 2 * one / figures["vmarea"]
            missed += ratio < 1.9
            print(f"  {'met   ' if ratio >= 1.9 else 'MISSED'} lookup by two threads, {n} areas: "
                  f"{ratio:.2f} times one, target 1.9")
    print(f"\n{missed} missed")
    if conflicts:
        matrix.show_all(conflicts)


main()
