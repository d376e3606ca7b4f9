#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""unchecked.py RANGE.C OUT: the page range without its owner check."""
import sys

CHECK = "vma_as_owned_mixedmap(vma, &range_vm_ops, range)"

with open(sys.argv[1], encoding="utf-8") as f:
    text = f.read()
if text.count(CHECK) != 1:
    sys.exit("%s: the owner check, `%s`, is there %d times, not once; unchecked.py has to follow"
             % (sys.argv[1], CHECK, text.count(CHECK)))
with open(sys.argv[2], "w", encoding="utf-8") as f:
    f.write(text.replace(CHECK, "vma_as_mixedmap(vma)"))
