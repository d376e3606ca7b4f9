# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Names for addresses: from DWARF which struct and field, from the line table which place in the source.

The tools are binutils', which come with gcc.
"""
import bisect
import collections
import os
import re
import subprocess

# What the files of the library allocate; which of it a block is follows from its size.
ALLOCATED_IN = {
    "mm/lifetime.c": ["vmarea", "mm_struct"],
    "file/file.c": ["file"],
    "vma/pool.c": ["vma_slab"],
    "vma/anon.c": ["anon_vma", "anon_chain"],
    "ds/range_tree_pool.c": ["rt_node", "rt_home"],
    "phys/arena.c": ["arena"],
}
# Where the size could be another's.
ALLOCATED_BY = {"vmarea_create": "vmarea", "mm_alloc": "mm_struct", "anon_pool_create": "objects"}
# Ends in a list that is as long as it has to be.
OPEN_ENDED = {"anon_chain"}
# A member that is an object of its own.
OBJECTS_IN = {"vma_slab.vma[]": "vm_area_struct"}

HEADER = re.compile(r"^\s*<(\d+)><([0-9a-f]+)>: .*\(DW_TAG_(\w+)\)")
ATTRIBUTE = re.compile(r"^\s*<[0-9a-f]+>\s+DW_AT_(\w+)\s*: (.*)$")
TAGS = {"structure_type", "union_type", "member", "array_type", "subrange_type", "typedef",
        "const_type", "volatile_type", "variable"}


def run(*command, text=None):
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, check=True, text=True).stdout


class Die:
    __slots__ = ("tag", "attributes", "children")

    def __init__(self, tag):
        self.tag = tag
        self.attributes = {}
        self.children = []

    def name(self):
        return self.attributes.get("name", "").rsplit(": ", 1)[-1].strip()

    def number(self, attribute):
        try:
            return int(self.attributes.get(attribute, "0").split()[0], 0)
        except ValueError:
            return 0


def read_dwarf(program):
    """All structs by name, and the type of each variable outside functions."""
    dies, open_dies, die = {}, {}, None
    for line in run("readelf", "--debug-dump=info", program).splitlines():
        match = HEADER.match(line)
        if match:
            depth, offset, tag = int(match[1]), int(match[2], 16), match[3]
            die = Die(tag) if tag in TAGS else None
            open_dies[depth] = die
            if die:
                dies[offset] = die
                if open_dies.get(depth - 1):
                    open_dies[depth - 1].children.append(die)
            continue
        match = die and ATTRIBUTE.match(line)
        if match:
            die.attributes[match[1]] = match[2]
    structs, variables = {}, {}
    for die in dies.values():
        if die.tag == "structure_type" and "declaration" not in die.attributes and die.name():
            structs.setdefault(die.name(), die)
        elif die.tag == "variable" and "location" in die.attributes:
            variables.setdefault(die.name(), die)
    return dies, structs, variables


class Naming:
    def __init__(self, program):
        self.program = program
        self.dies, self.structs, self.variables = read_dwarf(program)
        self.places = {}
        self.kinds = {}                 # (size, callers) of a block -> (label, die)
        self.fixed = []                 # objects: (start, end, label, die of the struct or None)
        self.add_variables()
        self.enter([])

    # ---- types

    def type_of(self, die):
        """The type of a member or variable, without names for it and qualifiers."""
        while True:
            target = die.attributes.get("type", "").strip("<> ").split(">")[0]
            die = self.dies.get(int(target, 16)) if target else None
            if not die or die.tag not in ("typedef", "const_type", "volatile_type"):
                return die

    def size(self, die):
        """0: not known here, as of all that is no struct."""
        if not die:
            return 0
        if die.tag == "array_type":
            count = 1
            for bound in die.children:
                count *= bound.number("upper_bound") + 1
            return count * self.size(self.type_of(die))
        return die.number("byte_size")

    def field(self, die, offset):
        """"areas.root" for an offset into a struct; "" for what lies between fields."""
        if not die:
            return ""
        if die.tag == "array_type":
            element = self.type_of(die)
            size = self.size(element)
            inner = self.field(element, offset % size) if size else ""
            return "[]" + ("." + inner if inner else "")
        if die.tag not in ("structure_type", "union_type"):
            return ""
        best = None
        for member in die.children:
            at = member.number("data_member_location")
            if member.tag == "member" and at <= offset and (not best or at > best[0]):
                best = (at, member)
        if not best:
            return ""
        at, member = best
        inner = self.field(self.type_of(member), offset - at)
        dot = "." if inner and member.name() and not inner.startswith("[") else ""
        return member.name() + dot + inner

    # ---- objects

    def kind_of_block(self, size, callers):
        """Callers are places in the program; or there is one, and it is the name of what it is."""
        if callers and isinstance(callers[0], str):
            return callers[0], self.structs.get(callers[0])
        for place in (inner for caller in callers for inner in self.place(caller)):
            source = place.path.split("src/", 1)[-1]
            if source.startswith("port/"):
                continue
            known = ALLOCATED_BY.get(place.function)
            if known:
                return known, self.structs[known]
            for name in ALLOCATED_IN.get(source, []):
                if size == self.structs[name].number("byte_size"):
                    return name, self.structs[name]
            for name in ALLOCATED_IN.get(source, []):
                if name in OPEN_ENDED:
                    return name, self.structs[name]
            return f"{size} bytes of {place.function}()", None
        return f"{size} bytes", None

    def add_variables(self):
        for line in run("nm", "-S", self.program).splitlines():
            words = line.split()
            if len(words) == 4 and words[2] in "bBdDrR":
                addr, size, name = int(words[0], 16), int(words[1], 16), words[3]
                variable = self.variables.get(name)
                die = self.type_of(variable) if variable else None
                self.fixed.append((addr, addr + size, name, die))

    def add_known(self, addr, size, name):
        self.fixed.append((addr, addr + size, name, None))

    def enter(self, blocks):
        """The heap of a pair: blocks as (address, size, callers).  Of two objects at one address the
        later counts."""
        by_start = {o[0]: o for o in self.fixed}
        for addr, size, callers in blocks:
            key = size, tuple(callers)
            if key not in self.kinds:
                self.kinds[key] = self.kind_of_block(size, callers)
            by_start[addr] = (addr, addr + size, *self.kinds[key])
        self.objects = [by_start[start] for start in sorted(by_start)]
        self.starts = [start for start, *_ in self.objects]
        self.names = {}

    def object_at(self, addr):
        at = bisect.bisect_right(self.starts, addr) - 1
        return self.objects[at] if at >= 0 and addr < self.objects[at][1] else None

    def name(self, addr):
        """"mm_struct.mm_users" for the object kind and field that a byte is in."""
        if addr not in self.names:
            self.names[addr] = self.make_name(addr)
        return self.names[addr]

    def make_name(self, addr):
        found = self.object_at(addr)
        if not found:
            return "?"
        start, _, label, die = found
        field = self.field(die, addr - start)
        text = f"{label}.{field}" if field else label
        for inside, name in OBJECTS_IN.items():
            if text.startswith(inside):
                text = name + text[len(inside):]
        return text

    def which(self, addr):
        """For one object of its kind, as a person wants to read it: "mm_struct 1 +64"."""
        found = self.object_at(addr)
        if not found:
            return "?"
        start, _, label, _ = found
        alike = [o[0] for o in self.objects if o[2] == label]
        nr = f" {alike.index(start) + 1}" if len(alike) > 1 else ""
        return f"{label}{nr} +{addr - start}"

    # ---- places

    Place = collections.namedtuple("Place", "function path line")

    def look_up(self, pcs):
        """The calls return to pcs; the instruction before is the place that is meant."""
        new = sorted(set(pcs) - self.places.keys())
        if not new:
            return
        out = run("addr2line", "-a", "-f", "-i", "-e", self.program,
                  text="".join(f"{pc - 1:#x}\n" for pc in new)).splitlines()
        at = None
        for i, line in enumerate(out):
            if line.startswith("0x"):
                at = self.places.setdefault(int(line, 16) + 1, [])
                first = i + 1
            elif (i - first) % 2 == 0:
                path, _, number = out[i + 1].split(" (")[0].rpartition(":")
                at.append(self.Place(line, os.path.normpath(path), number))

    def place(self, pc):
        """Innermost first: what was inlined there."""
        self.look_up([pc])
        return self.places[pc]

    def place_text(self, pc):
        places = self.place(pc)
        inner = places[0]
        source = inner.path[inner.path.rfind("src/"):]
        text = f"{inner.function}() {source}:{inner.line}"
        outer = [p.function + "()" for p in places[1:]]
        return text + ("  in " + ", ".join(outer) if outer else "")
