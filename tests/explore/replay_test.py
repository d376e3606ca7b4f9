#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The same token gives the same trace, byte for byte: twice, and from a program built anew.

    replay_test.py BUILD        TAP
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import explore

# One execution by its seed, and the one by its path that a twin's search prints.
SEED = ("reader-two-writers", "random:7/s4.u1.t1.f0.m0")
TWIN = "reader-no-mm"


def replay(program, scenario, token):
    command = [program, "--scenario", scenario, "--replay", token]
    done = subprocess.run(command, capture_output=True)
    if done.returncode not in (0, 1) or not done.stdout:
        raise explore.Failure(f"{command}: exit code {done.returncode}: {done.stderr}")
    return done.stdout


def traces(build, token=None):
    """(of the seed, of the twin's path, the path's token)"""
    twin, = explore.read_twins(TWIN)
    program, scenario = build.twin(twin), twin.scenarios[0]
    if token is None:
        report = explore.run(program, scenario, "--search all --stale 0")[-1]["report"]
        token = re.search("--replay '(path:[^']*)'", report)[1]
    return replay(build.program, *SEED), replay(program, scenario, token), token


def build_anew(old):
    """In a folder beside the old one, so that the compiler is told the same names."""
    path = tempfile.mkdtemp(prefix="build-replay-", dir=os.path.dirname(old.path))
    compiler = old.compiler(next(iter(old.commands.values())))
    subprocess.run(["meson", "setup", path, explore.ROOT, "-Dtools=false", "-Dbench=false"],
                   check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "CC": " ".join(compiler)})
    subprocess.run(["ninja", "-C", path, explore.PROGRAM], check=True, stdout=subprocess.DEVNULL)
    return path


def main():
    failed = False

    def result(number, good, what):
        nonlocal failed
        failed |= not good
        print(f"{'ok' if good else 'not ok'} {number} - {what}", flush=True)

    build = explore.Build(sys.argv[1])
    print("1..5")
    seed, path, token = traces(build)
    seed_again, path_again, _ = traces(build, token)
    result(1, seed == seed_again and seed.endswith(b"ok\n"), "a seed, twice")
    result(2, path == path_again and b"check failed" in path, "a path, twice")
    result(3, seed.count(b"\n") > 30 and b" T2 " in seed, "a trace has every step")
    folder = build_anew(build)
    try:
        anew = explore.Build(folder)
        seed_anew, path_anew, _ = traces(anew, token)
    finally:
        shutil.rmtree(folder)
    result(4, seed == seed_anew, "a seed, from a program built anew")
    result(5, path == path_anew, "a path, from a program built anew")
    return failed


if __name__ == "__main__":
    sys.exit(main())
