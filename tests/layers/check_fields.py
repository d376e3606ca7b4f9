#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Holds src/ to the accessors of src/vma/guard.h: what guards a field of struct mm_struct and struct
vm_area_struct is the letter that src/vma/types.h gives it, and who writes it says so by the accessor.

    check_fields.py SRC             0: all is well; 1: a line for each violation
    check_fields.py --self-test SRC it must find each planted violation

Both lists are read where they are stated: fields and letters in types.h, accessors and the letters they
are for in the essay of guard.h.
"""
import os
import re
import sys

STRUCTS = ("mm_struct", "vm_area_struct")
GUARDING = set("mVw1ptf")
FIELD = re.compile(r"(\w+)(?:\[\w+\])?(?:\s+(?:\w+GUARDED|__cacheline_aligned))*;\s*/\*\s+(\w(?:/\w)*)\b")
ACCESSOR = re.compile(r"^ \*\t(\w+)\([^)]*\)(?:, (\w+)\(\))?\t+([\w ]+)\t", re.M)
ASSIGN = r"\s*(?:(?:<<|>>|[-+|&^*/%])?=(?!=)|\+\+|--)"
OBJECT = r"((?:\w+(?:\([^()]*\))?(?:->|\.))*\w+(?:\([^()]*\))?)"


def strip_comments(text):
    """The same lines without comments and strings."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


def read_fields(types_h):
    """{field: letters} of the two structs, those that somebody guards."""
    fields = {}
    text = open(types_h, encoding="utf-8").read()
    for struct in STRUCTS:
        body = re.search(r"^struct %s \{\n(.*?)^\};" % struct, text, re.M | re.S)[1]
        for name, letters in FIELD.findall(body):
            fields[name] = set(letters.split("/"))
    return {name: letters for name, letters in fields.items() if letters & GUARDING}


def read_accessors(guard_h):
    accessors = {}
    for one, other, letters in ACCESSOR.findall(open(guard_h, encoding="utf-8").read()):
        for name in (one, other):
            if name:
                accessors[name] = set(letters.split())
    return accessors


def read_members(sources):
    """{member: {struct types it has}} over all of src/, to follow a->b->field."""
    members = {}
    for text in sources.values():
        for kind, name in re.findall(r"^\t(?:const )?struct (\w+) \*?(\w+)(?:\s+\w+)?;", text, re.M):
            members.setdefault(name, set()).add(kind)
    return members


def type_of(text, at, obj, members):
    """The struct that @obj is or points to, as declared nearest before; None: not known."""
    if obj.endswith(")"):
        return None
    parts = re.split(r"->|\.", obj)
    if len(parts) > 1:
        kinds = members.get(parts[-1], set())
        return kinds.copy().pop() if len(kinds) == 1 else None
    declared = re.findall(r"struct (\w+) (?:(?:(?!struct)[^;(){}])*?[,*\s])?\*?\b%s\b\s*[,;=)]" % re.escape(obj),
                          text[:at])
    return declared[-1] if declared else None


def violations(sources, fields, accessors):
    members = read_members(sources)
    names = "|".join(fields)
    write = re.compile(OBJECT + r"(?:->|\.)(%s)\b%s" % (names, ASSIGN))
    before = re.compile(r"(?:\+\+|--)" + OBJECT + r"(?:->|\.)(%s)\b" % names)
    address = re.compile(r"(\w+)\(&" + OBJECT + r"->(%s)\b(?=\s*[,)])" % names)
    use = re.compile(r"\b(%s)\(([^;]*?), (\w+)," % "|".join(accessors))
    for path, text in sorted(sources.items()):
        if path.endswith(("vma/guard.h", "vma/types.h")):
            continue

        def line(match, text=text):
            return text.count("\n", 0, match.start()) + 1

        for found in list(write.finditer(text)) + list(before.finditer(text)):
            kind = type_of(text, found.start(), found[1], members)
            if kind in STRUCTS or kind is None:
                yield (f"{path}:{line(found)}: {found[2]} is guarded ({'/'.join(sorted(fields[found[2]]))}): "
                       "write it with an accessor of vma/guard.h")
        for found in address.finditer(text):
            kind = type_of(text, found.start(), found[2], members)
            if (kind in STRUCTS or kind is None) and not found[1].startswith("atomic_load"):
                if fields[found[3]] & {"m"} and found[3] == "areas":
                    continue            # the tree's own functions, whose callers assert the lock
                yield (f"{path}:{line(found)}: {found[1]}() may write {found[3]} past the accessors of "
                       "vma/guard.h")
        for found in use.finditer(text):
            letters = fields.get(found[3])
            if found[1] in ("vma_set_anon", "vma_set_next"):
                continue
            if letters is None:
                yield f"{path}:{line(found)}: {found[1]}() of {found[3]}, which types.h does not name"
            elif not letters & accessors[found[1]]:
                yield (f"{path}:{line(found)}: {found[3]} is of class {'/'.join(sorted(letters))}, "
                       f"{found[1]}() is for {' '.join(sorted(accessors[found[1]]))}")


def read_sources(src):
    found = {}
    for top, _, names in os.walk(src):
        for name in names:
            if name.endswith((".c", ".h")):
                path = os.path.join(top, name)
                found[path] = strip_comments(open(path, encoding="utf-8").read())
    return found


PLANTED = {
    "assigns": "vma->vm_flags = 0;",
    "adds": "mm->total_vm += 1;",
    "counts": "mm->map_count++;",
    "counts first": "--mm->map_count;",
    "goes through the mm": "vma->vm_mm->locked_vm -= 1;",
    "goes through a call": "vma_from_new(new)->vm_ops = &ops;",
    "stores": "atomic_store_relaxed(&vma->anon, chain);",
    "stores with order": "atomic_store_release(&vma->anon_name, name);",
    "lends the address": "fill(&mm->dead, vma);",
    "uses an accessor for another class": "mm_init(mm, total_vm, 0);",
    "sets what is written once": "vma_set(vma, vm_pgdelta, 0);",
    "sets what is no field": "vma_set(vma, vm_page, 0);",
}
CORRECT = """
	vma_init(vma, vm_pgdelta, 0);
	vma_set(vma, vm_flags, vma->vm_flags | 1);
	mm_add(mm, total_vm, 1);
	if (vma->vm_flags == 0 && atomic_load_relaxed(&vma->anon))
		file->instance = mm->instance;
"""
FRAME = """
static void f(struct mm_struct *mm, struct vm_area_struct *vma, struct file *file)
{
	%s
}
"""


def self_test(src):
    real = read_sources(src)
    fields = read_fields(os.path.join(src, "vma/types.h"))
    accessors = read_accessors(os.path.join(src, "vma/guard.h"))
    wrong = 0
    for name, body in {**PLANTED, "": CORRECT}.items():
        text = FRAME % body
        found = [line for line in violations({**real, "x.c": text}, fields, accessors)
                 if line.startswith("x.c:")]
        if bool(found) != bool(name):
            print(f"{name or 'correct code'}: {found}")
            wrong += 1
    if len(fields) < 35 or len(accessors) < 10:
        print(f"{len(fields)} fields and {len(accessors)} accessors: not all were read")
        wrong += 1
    return 1 if wrong else 0


def main():
    args = sys.argv[1:]
    testing = args[:1] == ["--self-test"]
    if len(args) != 1 + testing:
        print(__doc__, file=sys.stderr)
        return 2
    if testing:
        return self_test(args[1])
    src = args[0]
    found = list(violations(read_sources(src), read_fields(os.path.join(src, "vma/types.h")),
                            read_accessors(os.path.join(src, "vma/guard.h"))))
    print("\n".join(found))
    return 1 if found else 0


sys.exit(main())
