#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The core needs its port, the compiler's own headers and four functions of C, and nothing else.

    elsewhere.py SOURCE CC...           each source of the core compiles for elsewhere/port_elsewhere.h
                                        where there is no header of a C library
    elsewhere.py --needs NM ARCHIVE     the objects of the core need no other names
"""
import pathlib
import subprocess
import sys

# What any compiler may call: memcmp() for the fourth, and libgcc's, which come with it.
FROM_COMPILER = {"memcpy", "memmove", "memset", "memcmp", "__popcountdi2", "_GLOBAL_OFFSET_TABLE_"}


def check_sources(source, cc):
    core = source / "src"
    files = [path for path in sorted(core.rglob("*.c")) if "port" not in path.relative_to(core).parts]
    headers = subprocess.run([*cc, "-print-file-name=include"], capture_output=True, text=True,
                             check=True).stdout.strip()
    flags = ["-std=gnu11", "-ffreestanding", "-nostdinc", "-isystem", headers, "-Wall", "-Wextra",
             "-Wno-unused-parameter", "-Werror", "-fsyntax-only", f"-I{source}/include", f"-I{core}",
             f"-I{source}/tests/port/elsewhere", '-DVMAREA_PORT_HEADER="port_elsewhere.h"']
    bad = [path for path in files if subprocess.run([*cc, *flags, str(path)]).returncode]
    print(f"{len(files)} sources, {len(bad)} that do not compile elsewhere")
    return bool(bad) or len(files) < 50


def check_needs(nm, archive):
    needed, defined, member = {}, set(), ""
    out = subprocess.run([nm, "-A", archive], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        member, symbol = line.rsplit(":", 1)[0], line.split()
        if "port_linux" in member:
            continue
        if symbol[-2] in "Uw":
            needed.setdefault(symbol[-1], member)
        else:
            defined.add(symbol[-1])
    bad = {name: where for name, where in needed.items() if name not in defined | FROM_COMPILER
           and not name.startswith(("port_", "urcu_bp_"))}
    for name, where in sorted(bad.items()):
        print(f"{where}: needs {name}, which is no port's")
    print(f"{len(needed)} names needed, {len(defined)} defined, {len(bad)} strange")
    return bool(bad) or len(defined) < 100


def main():
    args = sys.argv[1:]
    if args[:1] == ["--needs"] and len(args) == 3:
        return check_needs(args[1], args[2])
    if len(args) < 2 or args[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    return check_sources(pathlib.Path(args[0]), args[1:])


if __name__ == "__main__":
    sys.exit(main())
