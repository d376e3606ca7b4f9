#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The library's own code keeps the lock rules that its prototypes and fields state: clang's analysis of
contexts (vmarea/context.h) finds nothing over src/.

    check_locks.py SRC INCLUDE                  0: nothing found; 1: what was; 77: no such clang here
    check_locks.py --self-test SRC INCLUDE      each planted mistake is found, and correct code passes

clang 22 runs twice: contexts that nest find who sleeps in atomic context, marks find who sleeps and
does not say so.  clang 19 knows the marks alone.
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

BASE = ["-fsyntax-only", "-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-parameter",
        "-Wno-missing-field-initializers", "-D_GNU_SOURCE",
        "-DWARN_CONTEXT_ANALYSIS", "-Wthread-safety", "-Wthread-safety-beta",
        "-fexperimental-late-parse-attributes", "-fdiagnostics-color=never", "-ferror-limit=0"]
DEBUG = "-DCONFIG_VMAREA_DEBUG"
MARKS = "-DCONTEXT_SLEEP_MARKS"
# Newest first.  A debug build and a release build differ in what they inline.
CLANGS = [
    ("clang-22", [["-Wthread-safety-pointer", DEBUG], ["-Wthread-safety-pointer", MARKS]]),
    ("clang-19", [[DEBUG], []]),
]
SKIPPED = 77

HEAD = """/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "mm/mm.h"
#include "sync/rcu.h"
void planted(struct mm_struct *mm, struct vm_area_struct *vma)%s;
void planted(struct mm_struct *mm, struct vm_area_struct *vma)
{
%s
}
"""
WRITE, READ, SLEEP = " __must_hold(vma_stable)", " __must_hold_shared(vma_stable)", " __may_sleep"
# Name: marks of the function, its body, and the words it is rejected with; None: it is correct.
PLANTED = {
    "changes under the write lock": (
        SLEEP, "mm_write_lock(mm); map_insert(vma); mm_write_unlock(mm);", None),
    "reads under the read lock": (
        SLEEP, "mm_read_lock(mm); vma_at(mm, 0); mm_read_unlock(mm);", None),
    "allocates after a spinlock": (
        WRITE + SLEEP, "spin_lock(&mm->page_table_lock); spin_unlock(&mm->page_table_lock);"
        "if (anon_prepare(vma)) return;", None),
    "inserts without a lock": (
        "", "map_insert(vma);", "requires holding context 'vma_stable'"),
    "inserts under the read lock": (
        READ, "map_insert(vma);", "requires holding context 'vma_stable' exclusively"),
    "looks up without a lock": (
        "", "vma_at(mm, 0);", "requires holding context 'vma_stable'"),
    "reads a field without a lock": (
        "", "port_log(\"%lx\", vma->vm_end);", "reading variable 'vm_end' requires holding"),
    "writes a field under the read lock": (
        READ, "vma->vm_flags = 0;", "writing variable 'vm_flags' requires holding"),
    "writes a total under the read lock": (
        READ, "mm->locked_vm++;", "writing variable 'locked_vm' requires holding"),
    "takes a pool's list without its lock": (
        "", "mm->instance->pool = NULL;", "writing variable 'pool' requires holding"),
    "keeps the lock on one path": (
        SLEEP, "mm_write_lock(mm); if (mm->dead) return; mm_write_unlock(mm);",
        "'vma_stable' is not held on every path"),
    "locks twice": (
        READ + SLEEP, "mm_populate(mm, 0, 1);", "while context 'vma_stable' is held"),
    "unlocks the wrong way": (
        SLEEP, "mm_write_lock(mm); mm_read_unlock(mm);", "vma_stable"),
    "sleeps and does not say so": (
        WRITE, "vma_lock_write(vma);", "requires negative capability '!atomic_context'"),
}
# These only where contexts nest.
PLANTED_NESTING = {
    "sleeps under a spinlock": (
        WRITE + SLEEP, "spin_lock(&mm->page_table_lock); vma_lock_write(vma);"
        "spin_unlock(&mm->page_table_lock);", "atomic_context"),
    "allocates in an RCU read section": (
        SLEEP, "rcu_read_lock(); port_free(port_alloc(1), 1); rcu_read_unlock();",
        "atomic_context"),
}


def choose():
    for clang, modes in CLANGS:
        if shutil.which(clang):
            return clang, modes
    return None, None


def sources(src):
    return sorted(os.path.join(top, name) for top, _, names in os.walk(src) for name in names
                  if name.endswith(".c"))


def complaints(clang, mode, src, include, path):
    """What one run says about one file: warnings, errors, or that it failed without a word."""
    port = ["-DVMAREA_PORT_SIM", "-DCONFIG_VMAREA_DEBUG"] if "/port/sim/" in path else []
    run = subprocess.run([clang, *BASE, *port, *mode, "-I" + include, "-I" + src, path],
                         capture_output=True, text=True, check=False,
                         env={**os.environ, "LC_ALL": "C"})
    found = re.findall(r"^.*\b(?:warning|error): .*$", run.stderr, re.M)
    if run.returncode and not found:
        found = ["%s: exit %d: %s" % (path, run.returncode, run.stderr.strip())]
    return found


def check(clang, modes, src, include):
    jobs = [(mode, path) for path in sources(src) for mode in modes]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda job: complaints(clang, job[0], src, include, job[1]), jobs)
    found = list(dict.fromkeys(line for result in results for line in result))
    for line in found:
        print(line)
    print("%d files, %s, %d runs each: %d complaints" % (
        len(jobs) // len(modes), clang, len(modes), len(found)))
    return 1 if found or not jobs else 0


def self_test(clang, modes, src, include):
    planted = dict(PLANTED)
    if clang != "clang-19":
        planted.update(PLANTED_NESTING)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "planted.c")
        for name, (marks, body, words) in planted.items():
            with open(path, "w", encoding="utf-8") as out:
                out.write(HEAD % (marks, body))
            said = [line for mode in modes
                    for line in complaints(clang, mode, src, include, path)]
            if words is None and said:
                print("%s: correct, and rejected: %s" % (name, said[0]))
            elif words is not None and not any(words in line for line in said):
                print("%s: not rejected with %r: %s" % (name, words, said[:1]))
            else:
                continue
            wrong += 1
    print("%d planted, %s: %d complaints" % (len(planted), clang, wrong))
    return 1 if wrong else 0


def main():
    args = sys.argv[1:]
    job = check
    if args[:1] == ["--self-test"]:
        job = self_test
        args = args[1:]
    if len(args) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    clang, modes = choose()
    if not clang:
        print("skipped: neither %s is installed" % " nor ".join(name for name, _ in CLANGS))
        return SKIPPED
    return job(clang, modes, *args)


sys.exit(main())
