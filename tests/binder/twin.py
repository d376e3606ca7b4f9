#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""twin.py DEFECT FILE.C OUT: the page range with a defect, which the tests have to find."""
import sys

# Each: what is there, once, and what is there instead.
DEFECTS = {
    # range_insert.c
    "unchecked": [("vma_as_owned_mixedmap(vma, &insert_vm_ops, range)", "vma_as_mixedmap(vma)")],
    # range_fault.c
    "any-mm": [("mm_user_mm(vma_mm(vma)) == range->mm ?", "range ?")],
    "shown-too-late": [("\tbinder_lock(&range->place_lock);\n\tfor (", "\tfor ("),
                       ("addr, nr);\n\t}\n\tbinder_unlock(&range->place_lock);", "addr, nr);\n\t}")],
    "not-put-back": [("\tslot_put_back_page(slot, page);\n\treturn NULL;", "\treturn page;")],
    # range.c
    "file-kept": [("\trange->file = NULL;\n", "")],
    "no-second-look": [("if (!slot_page(range, nr)) {", "if (!slot_page(range, nr) || true) {")],
    "no-place-lock": [("if (!binder_trylock(&range->place_lock)) {", "if (0) {"),
                      ("binder_unlock(&range->place_lock);\n\t/* The range may", "/* The range may")],
    "no-handshake": [("\tbinder_lock(&range->place_lock);\n\tbinder_lock(&range->lock);\n",
                      "\tbinder_lock(&range->lock);\n"),
                     ("\tbinder_unlock(&range->lock);\n\tbinder_unlock(&range->place_lock);\n",
                      "\tbinder_unlock(&range->lock);\n")],
}

defect, source, out = sys.argv[1:]
with open(source, encoding="utf-8") as f:
    text = f.read()
for old, new in DEFECTS[defect]:
    if text.count(old) != 1:
        sys.exit("%s: %s: %r is there %d times, not once; twin.py has to follow"
                 % (source, defect, old, text.count(old)))
    text = text.replace(old, new)
with open(out, "w", encoding="utf-8") as f:
    f.write(text)
