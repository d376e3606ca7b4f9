#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Writes a file's bytes as a C array: embed.py NAME INPUT OUTPUT."""
import sys

name, source, target = sys.argv[1:]
with open(source, 'rb') as f:
    data = f.read()
with open(target, 'w') as f:
    f.write(f'static const unsigned char {name}[] = {{\n')
    for at in range(0, len(data), 16):
        f.write('\t' + ' '.join(f'{byte},' for byte in data[at:at + 16]) + '\n')
    f.write('};\n')
