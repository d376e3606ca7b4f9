#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The tables of docs/LOCKING.md: which lock comes before which, and what guards which field.

    locking-doc.py              writes them anew
    locking-doc.py --check      0: they are what the sources say; 1: they are not, and how to mend it
    locking-doc.py --self-test  planted mistakes in the sources are found

The order is the list in src/sync/rank.h.  What guards a field is the first word of its comment, a letter
of src/TAGS or the name of a lock, in every struct of src/ that threads share.  Shared is a struct that
has a tag, and whatever a shared one contains or points to; so a new field without a tag is found, and so
is a new struct that hangs off an old one.
"""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOC = "docs/LOCKING.md"
RANK = re.compile(r'X\((\w+), "([^"]+)", "([^"]+)",\s*"([^"]+)"\)')
STRUCT = re.compile(r"^(?:static )?(?:struct (\w+) \{|context_lock_struct\((\w+)\) \{|struct \{)\n(.*?)^\}([^;]*);",
                    re.M | re.S)
TAG = re.compile(r"/\*\s+([A-Za-z0-9_>/-]+)(?:\t+(.*?))?\s*\*/\s*$")
# Between the C library's pieces and ours: what a port keeps of its own is told in its own files.
ELSEWHERE = ("port/linux/", "port/sim/")
# Declared by a macro; what it declares is tagged where the macro is.
MACROS = {"WITNESS_MEMBER", "MM_PRIVATE_MEMBER"}


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def read_sources():
    found = {}
    for top, _, names in os.walk(os.path.join(TOP, "src")):
        for name in sorted(names):
            path = os.path.relpath(os.path.join(top, name), TOP)
            if name.endswith((".c", ".h")) and not path[4:].startswith(ELSEWHERE):
                found[path] = read(path)
    return found


def read_legend(text):
    return dict(line.split("\t", 1) for line in text.splitlines()
                if "\t" in line and not line.startswith("#"))


# ------------------------------------------------------------------------------------ structs

class Field:
    def __init__(self, names, kinds, tag, note):
        self.names, self.kinds, self.tag, self.note = names, kinds, tag, note


def drop_plain_comments(body):
    """Takes out comments that stand on lines of their own."""
    return re.sub(r"^[ \t]*/\*.*?\*/[ \t]*\n", "", body, flags=re.M | re.S)


def fields_of(body):
    """Each declaration of a struct's body.  Unions and structs without a name are looked into."""
    for line in drop_plain_comments(body).splitlines():
        code = re.sub(r"/\*.*", "", line).strip()
        if not code or code.startswith(("#", "}", "struct {", "union {")) or code in MACROS:
            continue
        tag = TAG.search(line)
        function = re.search(r"\(\*(\w+)\)\(", code)
        names = [function[1]] if function else re.findall(
            r"(\w+)(?:\[[^]]*\])*\s*(?=[,;])", re.sub(r"\b__?\w+\([^()]*(?:\([^()]*\))?[^()]*\)|VMA_GUARDED|"
                                                 r"__cacheline_aligned", "", code))
        # What a pointer to const leads to, nobody changes.
        kinds = [] if function or code.startswith("const ") else re.findall(r"\bstruct (\w+)", code)
        yield Field(names, kinds, tag and tag[1], (tag and tag[2] or "").strip())


def read_structs(sources):
    """{name: (path, fields)}"""
    structs = {}
    for path, text in sources.items():
        for plain, lock, body, after in STRUCT.findall(text):
            name = plain or lock or re.sub(r"\W.*", "", after.strip())
            structs[name] = (path, list(fields_of(body)))
    return structs


def is_tagged(fields, legend):
    return any(tag_is_known(field.tag, legend) for field in fields)


def tag_is_known(tag, legend):
    """A letter, several, or what looks like a lock: lock, pool_lock, root->lock."""
    return bool(tag) and (all(letter in legend for letter in tag.split("/")) or
                          bool(re.fullmatch(r"(?:\w+->)*\w*lock", tag)))


def shared_structs(structs, legend):
    shared = [name for name, (_, fields) in structs.items() if is_tagged(fields, legend)]
    for name in shared:
        for field in structs[name][1]:
            shared += [kind for kind in field.kinds if kind in structs and kind not in shared]
    return [name for name in structs if name in shared]


def untagged(structs, legend):
    for name in shared_structs(structs, legend):
        path, fields = structs[name]
        for field in fields:
            if not tag_is_known(field.tag, legend):
                yield (f"{path}: struct {name}: {', '.join(field.names) or '?'}: no tag of src/TAGS says what "
                       f"guards it" + (f" ({field.tag!r} is none)" if field.tag else ""))


# ------------------------------------------------------------------------------------- tables

def rank_table(rank_h):
    lines = ["| rank | lock | kind | guards |", "|---|---|---|---|"]
    text = re.sub(r"\\\n", " ", rank_h[rank_h.index("#define LOCK_RANKS"):])
    for rank, (_, name, kind, guards) in enumerate(RANK.findall(text), 1):
        lines.append(f"| {rank} | {name} | {kind} | {guards} |")
    return lines


def tag_table(legend):
    return ["| tag | what guards the field |", "|---|---|"] + [
        f"| {tag} | {text} |" for tag, text in legend.items()]


def field_table(structs, legend):
    """A line for each struct and tag, in the order of the fields; atomics and constants last."""
    lines = ["| struct | tag | fields |", "|---|---|---|"]
    for name in sorted(shared_structs(structs, legend), key=lambda name: (structs[name][0], name)):
        path, fields = structs[name]
        by_tag = {}
        for field in fields:
            by_tag.setdefault(field.tag, []).extend(f"`{n}`" for n in field.names)
        for number, (tag, names) in enumerate(by_tag.items()):
            where = f"`{name}` (`{path}`)" if not number else ""
            shown = tag if all(t in legend for t in tag.split("/")) else f"`{tag}`"
            lines.append(f"| {where} | {shown} | {', '.join(names)} |")
    return lines


def fill(doc, mark, lines):
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->\n"
    if begin not in doc or end not in doc:
        sys.exit(f"locking-doc.py: {DOC}: no lines {begin.strip()} and {end.strip()} to write between")
    head, rest = doc.split(begin, 1)
    return head + begin + "\n".join(lines) + "\n" + end + rest.split(end, 1)[1]


def wrong_legends(sources, legend):
    """A header may repeat what it uses of src/TAGS, for the reader's sake, in the same words."""
    for path, text in sources.items():
        for tag, first, rest in re.findall(r"^ \*\t(\w)\t(\w.*)\n((?: \*\t\t.*\n)*)", text, re.M):
            said = " ".join([first] + [line.strip(" *\t") for line in rest.splitlines()])
            if path.endswith("types.h") and said != legend.get(tag):
                yield f"{path}: {tag} is {said!r}, in src/TAGS it is {legend.get(tag)!r}"


def generate(doc, sources, tags):
    legend = read_legend(tags)
    structs = read_structs(sources)
    bad = list(untagged(structs, legend)) + list(wrong_legends(sources, legend))
    doc = fill(doc, "ranks", rank_table(sources["src/sync/rank.h"]))
    doc = fill(doc, "tags", tag_table(legend))
    doc = fill(doc, "fields", field_table(structs, legend)) if not bad else doc
    return doc, bad


# --------------------------------------------------------------------------------- self-test

def self_test():
    sources, tags, doc = read_sources(), read("src/TAGS"), read(DOC)
    now, bad = generate(doc, sources, tags)
    types = sources["src/vma/types.h"]

    def planted(path, old, new):
        assert old in sources[path], (path, old)
        return generate(doc, {**sources, path: sources[path].replace(old, new, 1)}, tags)

    wrong = list(bad)
    field = re.search(r"^\tu32 nr_spare .*$", types, re.M)[0]
    if not planted("src/vma/types.h", field, "\tu32 nr_spare;")[1]:
        wrong.append("a field that lost its tag was not found")
    if not planted("src/vma/types.h", field, field + "\n\tu32 extra;\t\t/* how many */")[1]:
        wrong.append("a field with a comment that is no tag was not found")
    if not planted("src/vma/types.h", "struct vm_area_struct {",
                   "struct hangs_off {\n\tint x;\n};\n\nstruct vm_area_struct {\n"
                   "\tstruct hangs_off *it;\t/* 1 */")[1]:
        wrong.append("a struct without tags that a shared one points to was not found")
    if planted("src/vma/types.h", field, field.replace("/* w", "/* m"))[0] == now:
        wrong.append("another tag does not change the tables")
    if planted("src/sync/rank.h", '"mmap lock"', '"map lock"')[0] == now:
        wrong.append("another name of a rank does not change the tables")
    if not planted("src/vma/types.h", "the mmap lock: read to read", "the lock: read to read")[1]:
        wrong.append("a legend in other words than src/TAGS was not found")
    if generate(doc, sources, tags.replace("written once", "written twice"))[0] == now:
        wrong.append("another text in src/TAGS does not change the tables")
    print("\n".join(wrong))
    return 1 if wrong else 0


def main():
    args = sys.argv[1:]
    if args not in ([], ["--check"], ["--self-test"]):
        print(__doc__, file=sys.stderr)
        return 2
    if args == ["--self-test"]:
        return self_test()
    doc = read(DOC)
    now, bad = generate(doc, read_sources(), read("src/TAGS"))
    for line in bad:
        print(line)
    if bad:
        return 1
    if not args:
        with open(os.path.join(TOP, DOC), "w", encoding="utf-8") as out:
            out.write(now)
    elif now != doc:
        print(f"{DOC} is not what src/sync/rank.h, src/TAGS and the tags of the fields say.\n"
              "Run scripts/locking-doc.py, look at what it changed, and commit that too.")
        return 1
    return 0


sys.exit(main())
