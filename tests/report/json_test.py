#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""JSON reports are valid, and say what smaps and the text of usage say: json_test.py PROGRAM (json_print)."""
import json
import re
import subprocess
import sys

KEYS = {
    'Size': 'size', 'KernelPageSize': 'page_size', 'Rss': 'rss', 'Pss': 'pss', 'Pss_Dirty': 'pss_dirty',
    'Shared_Clean': 'shared_clean', 'Shared_Dirty': 'shared_dirty', 'Private_Clean': 'private_clean',
    'Private_Dirty': 'private_dirty', 'Referenced': 'referenced', 'Anonymous': 'anonymous', 'KSM': 'ksm',
    'LazyFree': 'lazy_free', 'AnonHugePages': 'anon_huge', 'ShmemPmdMapped': 'shmem_huge',
    'FilePmdMapped': 'file_huge', 'Shared_Hugetlb': 'shared_hugetlb', 'Private_Hugetlb': 'private_hugetlb',
    'Swap': 'swap', 'SwapPss': 'swap_pss', 'Locked': 'pss_locked',
}
HEAD = re.compile(r'([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) (\S+) (\d+) *(.*)')


def parse_smaps(text):
    areas = []
    for line in text.splitlines():
        head = HEAD.fullmatch(line)
        if head:
            areas.append({'head': head.groups()})
            continue
        key, value = line.split(':', 1)
        areas[-1][key] = value.strip()
    return areas


def check_area(area, smaps):
    start, end, perms, offset, dev, inode, name = smaps['head']
    assert area['start'] == '0x' + start.lstrip('0') and area['end'] == '0x' + end.lstrip('0'), area
    assert int(area['offset'], 16) == int(offset, 16) and area['offset'].startswith('0x'), area
    assert (area['perms'], area['dev'], area['inode']) == (perms, dev, int(inode)), area
    # maps escapes a newline, and nothing else.
    assert area['name'].replace('\n', '\\012') == name, (area['name'], name)
    assert area['flags'] == smaps['VmFlags'].split(), area
    for label, key in KEYS.items():
        if label in smaps:
            assert area[key] // 1024 == int(smaps[label].split()[0]), (label, area, smaps)
        else:
            assert key not in area, area
    if 'THPeligible' in smaps:
        assert area['thp_eligible'] is bool(int(smaps['THPeligible'])), area


def check(program, mode):
    out = subprocess.run([program, mode], check=True, stdout=subprocess.PIPE).stdout
    smaps, text = out.split(b'----\n')
    # Lone surrogates stand for bytes that are no UTF-8, in both.
    report = json.loads(text.decode('utf-8'))
    areas = parse_smaps(smaps.decode('utf-8', 'surrogateescape'))
    assert len(report['areas']) == len(areas) > 8
    for area, lines in zip(report['areas'], areas):
        check_area(area, lines)
    assert set(report['statm']) == {'size', 'resident', 'shared', 'text', 'data'}
    assert report['statm']['size'] == sum(area['size'] for area in report['areas']) // 4096
    if mode == 'areas':
        assert 'rollup' not in report
        return len(areas)
    assert report['statm']['resident'] * 4096 == report['rollup']['rss'] == 4 * 4096
    for key, total in report['rollup'].items():
        parts = sum(area[key] for area in report['areas'])
        # Shares are added up before they are rounded.
        assert parts <= total <= parts + len(areas), (key, parts, total)
    assert report['rollup']['shared_dirty'] == 2 * 4096 and report['rollup']['private_dirty'] == 4096
    return len(areas)


def numbers_of(line):
    """'swap: total 16, used 4' as a dict"""
    return {name: int(value) for name, value in re.findall(r'(\w+) (\d+)', line.split(':')[1])}


def check_usage(program):
    out = subprocess.run([program, 'usage'], check=True, stdout=subprocess.PIPE, text=True).stdout
    text, report = out.split('----\n')
    frames, swap, mms, head, *lines = text.splitlines()
    report = json.loads(report)
    assert report['frames'] == numbers_of(frames) and report['frames']['anon'] == 4, report
    assert report['swap'] == numbers_of(swap), report
    assert mms == f'mms: {report["nr_mms"]}, most used by {report["most"]}', mms
    names = ['mm'] + head.split(']')[1].split()
    rows = [dict(zip(names, map(int, re.findall(r'\d+', line)))) for line in lines]
    assert report['mms'] == rows and len(rows) == report['nr_mms'] == 42, (rows, report)
    return len(rows)


def main():
    nr = check(sys.argv[1], 'pages') + check(sys.argv[1], 'areas')
    print(f'{nr} areas: JSON and smaps agree; so do {check_usage(sys.argv[1])} mms in two reports of usage')


if __name__ == '__main__':
    main()
