#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Holds every #include of src/ against src/LAYERS, and the house rules that a text search can see.

    check_layers.py SRC         0: all is well; 1: a line for each violation
    check_layers.py --self-test it must find each planted violation
"""
import os
import re
import sys
import tempfile

FREESTANDING = {"stddef.h", "stdint.h", "stdbool.h", "stdarg.h", "limits.h"}
PUBLIC = "vmarea/"
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^">]+)[">]')
LONGEST_FUNCTION = 70
COLUMNS = 100
# An access that orders others, and a comment that says what it pairs with: in words, or by a letter of
# the essay: (A), O1, or alone: a, b.
ORDERS = re.compile(r"\batomic_\w*_(?:acquire|release|acq_rel|seq_cst)\b|\bvma_set_release\b")
NAMES_PARTNER = re.compile(r"\b[Pp]airs\b|\bwith \w|\([A-Z]\)|\b[A-Z]\d\b|^[a-z](?:, [a-z])*$")
LONGEST_FILE = {".c": 800, ".h": 400}


def read_layers(path):
    floors = {}
    for line in open(path):
        fields = line.rstrip("\n").split("\t")
        if len(fields) == 3 and not line.startswith("#"):
            floors[fields[1]] = int(fields[0])
    return floors


def sources(src):
    for top, _, names in os.walk(src):
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield os.path.join(top, name)


def check_include(floors, src, path, kind, target):
    room = os.path.relpath(path, src).split(os.sep)[0]
    if target.startswith(PUBLIC):
        return None
    if kind == "<":
        if room == "port" or target in FREESTANDING:
            return None
        return f"<{target}>: only src/port may use the host; base/ has what the core needs"
    beside = os.path.normpath(os.path.join(os.path.dirname(path), target))
    found = beside if os.path.exists(beside) else os.path.join(src, target)
    if not os.path.exists(found):
        return f'"{target}": no such file in src/'
    other = os.path.relpath(found, src).split(os.sep)[0]
    if other not in floors:
        return f'"{target}": the room {other} is not in src/LAYERS'
    if other != room and floors[other] >= floors[room]:
        return (f'"{target}": {room} (floor {floors[room]}) may not see {other} '
                f"(floor {floors[other]})")
    return None


def check_text(path, lines):
    if "SPDX-License-Identifier: MIT OR GPL-2.0-only" not in lines[0]:
        yield 1, "the first line must be the SPDX line"
    limit = LONGEST_FILE[os.path.splitext(path)[1]]
    if len(lines) > limit:
        yield len(lines), f"{len(lines)} lines, at most {limit}: look for the seam"
    start = 0
    for number, line in enumerate(lines, 1):
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            yield number, "unfinished business belongs in docs/CAVEATS.md"
        if len(line.expandtabs(8)) > COLUMNS:
            yield number, f"{len(line.expandtabs(8))} columns, at most {COLUMNS}"
        if line.startswith("{"):
            start = number
        if line.startswith("}") and start:
            if number - start - 1 > LONGEST_FUNCTION:
                yield start, f"a function of {number - start - 1} lines, at most {LONGEST_FUNCTION}"
            start = 0
        if "_Thread_local" in line and "/port/" not in path:
            yield number, "thread-local storage belongs to the port"


def split_comments(lines):
    """For each line its code and the text of its comments."""
    inside = False
    for line in lines:
        code, said = "", ""
        while line:
            text, mark, line = line.partition("*/" if inside else "/*")
            if inside:
                said += text.strip(" \t*")
            else:
                code += text
            inside = inside != bool(mark)
        yield code, said


def check_orders(path, lines):
    """A comment on the line, or on one of the three before it that comes after the last such access."""
    if path.endswith("base/atomic.h"):
        return
    split = list(split_comments(lines))
    for i, (code, said) in enumerate(split):
        if not ORDERS.search(code):
            continue
        near = [said]
        for code_before, said_before in reversed(split[max(i - 3, 0):i]):
            if ORDERS.search(code_before):
                break
            near.append(said_before)
        if not any(NAMES_PARTNER.search(text) for text in near):
            yield i + 1, "what does it pair with?  Say so in a comment, here or just before"


def check(src):
    floors = read_layers(os.path.join(src, "LAYERS"))
    bad = []
    for path in sources(src):
        room = os.path.relpath(path, src).split(os.sep)[0]
        if room not in floors:
            bad.append(f"{path}:1: the room {room} is not in src/LAYERS")
            continue
        lines = open(path).read().splitlines()
        for number, line in enumerate(lines, 1):
            match = INCLUDE.match(line)
            why = match and check_include(floors, src, path, match[1], match[2])
            if why:
                bad.append(f"{path}:{number}: {why}")
        bad += [f"{path}:{number}: {why}" for number, why in check_text(path, lines)]
        bad += [f"{path}:{number}: {why}" for number, why in check_orders(path, lines)]
    return bad


def self_test():
    spdx = "/* SPDX-License-Identifier: MIT OR GPL-2.0-only */\n"
    planted = {
        "low/up.c": spdx + '#include "high/high.h"\n',
        "low/host.c": spdx + "#include <stdio.h>\n",
        "low/nospdx.c": "int x;\n",
        "low/todo.c": spdx + "/* TO" + "DO: later */\n",
        "low/tls.c": spdx + "static _Thread_local int x;\n",
        "low/long.c": spdx + "void f(void)\n{\n" + ";\n" * 71 + "}\n",
        "low/wide.c": spdx + "\t" * 12 + "int x;\n",
        "low/file.h": spdx + ";\n" * 400,
        "other/room.c": spdx,
        "low/order.c": spdx + "x = atomic_load_acquire(&y);\n",
        "low/far.c": spdx + "/* pairs with f() */\n;\n;\n;\natomic_store_release(&y, 1);\n",
        "low/other.c": spdx + "/* pairs with f() */\natomic_store_release(&y, 1);\n"
                              "atomic_fence_seq_cst();\n",
        "low/vague.c": spdx + "/* for safety */\natomic_fence_seq_cst();\n",
    }
    good = (spdx + "#include <stddef.h>\n/* Pairs with\n * f(). */\natomic_store_release(&y, 1);\n"
            "atomic_fence_seq_cst();\t/* a, b */\natomic_load_relaxed(&y);\n"
            "while (atomic_cas_acquire(&y, &z, 1))\t/* (A) */\n")
    with tempfile.TemporaryDirectory() as src:
        for name, text in {"LAYERS": "0\tlow\tx\n1\thigh\tx\n", "high/high.h": spdx,
                           "low/good.c": good, **planted}.items():
            os.makedirs(os.path.dirname(os.path.join(src, name)) or src, exist_ok=True)
            with open(os.path.join(src, name), "w") as out:
                out.write(text)
        bad = check(src)
        missed = [name for name in planted if not any(name in line for line in bad)]
        extra = [line for line in bad if not any(name in line for name in planted)]
    for name in missed:
        print(f"not found: the violation in {name}")
    for line in extra:
        print(f"found where there is none: {line}")
    return 1 if missed or extra else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    bad = check(sys.argv[1])
    print("\n".join(bad))
    return 1 if bad else 0


sys.exit(main())
