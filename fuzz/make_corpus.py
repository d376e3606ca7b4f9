#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
Makes the seed corpora of the fuzzers anew.

    fuzz/make_corpus.py BUILD [FOUND]

BUILD is a build with -Dfuzz=true.  The seeds come from the recordings in traces/, from the scripts in
tests/tools/scripts/ and from the cases below; FOUND is a folder with what long runs have kept, a
folder for each fuzzer (build-fuzz/corpus).  libFuzzer leaves of all these what adds to the coverage,
the smallest first, and of that as much is kept as LIMITS allow.
"""
import os
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
# bytes in all, bytes of one
LIMITS = {'calls': (45000, 516), 'trace': (80000, 3500), 'strace': (50000, 4000),
          'command': (20000, 3000), 'script': (6000, 2000), 'elf': (6000, 1500)}

HEADER = '''vmarea-trace 1
kernel 6.18.0
ram-pages 1000000
overcommit 0 ratio=50 kbytes=0 user-reserve=131072 admin-reserve=8192
max-map-count 65530
mmap-min-addr 4096
lsm-mmap-min-addr 65536
stack-guard-gap 256
features mseal,thp,ksm,anon-names,soft-dirty,multi-mremap,guard-flag,huge-1g
command "a test"
events
'''
EXEC = '''exec 7 m1 task-size=0x7ffffffff000 base=0x7f0000000000 brk=600000-600000 caps=7 stack=0x7ffffffde000 "/p"
 400000-401000 rd,ex,mr,mw,me f1
 7ffff000-80000000 rd,ex,mr,mw,me "[vdso]"
 7ffffffdd000-7ffffffff000 rd,wr,mr,mw,me,gd,ac touched
end
'''
FILES = '''file f1 08:01 99 mode=r place=huge size=4096 "/p"
file f2 00:01 4 mode=rw place=shmem size=16384 shmem deleted "/memfd:x"
file f3 00:05 5 mode=rw dev-zero "/dev/zero"
file f4 00:06 6 mode=rw sets=io,de,dd,mm max=99999999 "/dev/card\\n\\x41"
file f5 00:06 7 mode=rw nommap append-only noexec "/n"
file f6 00:01 8 mode=rw shmem size=8192 "/SYSV0"
file f7 00:01 8 mode=rw hugetlb seal-write dax map-sync "/huge"
'''
CALLS = '''mmap 7 0 0x4000 3 0x22 - 0 = 0x7effffffc000
mmap 7 0x10000000 0x8000 3 0x32 - 0 = 0x10000000
touch m1 0x10002000
mprotect 7 0x10003000 0x1000 1 = 0
pkey_mprotect 7 0x10003000 0x1000 3 -1 = -EINVAL
madvise 7 0x10000000 0x2000 16 = 0
mremap 7 0x10000000 0x2000 0x2000 3 0x20000000 = 0x20000000
mlock 7 0x10002000 0x1000 = 0
mlock2 7 0x10003000 0x1000 1 = 0
munlock 7 0x10002000 0x1000 = 0
mlockall 7 3 = 0
munlockall 7 = 0
mseal 7 0x10005000 0x1000 0 = 0
msync 7 0x10005000 0x1000 4 = 0
mincore 7 0x10005000 0x1000 = 0
brk 7 0x621000 = 0x621000
mmap 7 0x30000000 0x4000 3 0x11 f2 0 = 0x30000000
remap_file_pages 7 0x30000000 0x1000 0 2 0 = 0
shmat 7 f6 0x31000000 0 = 0x31000000
shmdt 7 0x31000000 = 0
mmap 7 0x32000000 0x4000 3 0x12 f3 0 = 0x32000000
mmap 7 0x33000000 0x4000 3 0x11 f4 0 = 0x33000000
process_madvise 7 - 20 0 0x10002000+0x1000 0x10004000+0x1000 = 0x2000
prctl 7 0x53564d41 0 0x10002000 0x1000 0 "name" = 0
prctl 7 41 1 0 0 0 - = 0
io_setup 7 0x1000 f2 = 0x7effffffb000
io_destroy 7 0x7effffffb000 0x1000 = 0
munmap 7 0x10002000 0x1000 = ?
'''
TASKS = '''fork 7 8 m2
thread 7 9
vfork 8 10
limits 8 0xffffffffffffffff 0x100000 0x800000 0x10000
caps 8 0
personality 8 0x400000
rename f2 "y"
deleted f1
sealed f2
note 8 "something"
grow m1 0x7ffffffdc000
exec 10 m3 base=0x7f0000000000 bottom-up code=1000-2000 data=3000-4000 "/q"
end
leader 9 7
exit 8 0
'''
PAGES = '''size f2 8192
page f1 0 whole 0x0:7f454c46 0xffe:0102
page f1 0 0x10:03
page f2 1 =1234567890abcdef
read m1 0x400000 1
store m1 0x7ffffffde000 0x8:00ff 0x100:aa
store m1 0x7ffffffdf000 whole 0x0:01
store m1 0x10002000 =77
store m1 0x10003000
own m1 0x10004000 2
read m1 0x10006000 2
mremap 7 0x10002000 0x2000 0x2000 3 0x20000000 = 0x20000000
check m1 0x20000000 2 own:0+1=77 own:1+1=0
fork 7 8 m2
store m2 0x10004000 0x0:02
check m2 0x10004000 4 own:1+1=0 zero:2+2
check m1 0x400000 1 file:0+1=1
rss m2 5
madvise 7 0x10004000 0x2000 4 = 0
check m1 0x10004000 2
'''
MAP = '''map m1 %s
 00400000-00401000 r-xp 00000000 08:01 99                                 /p
 10000000-10001000 rw-s 00000000 00:01 12                                 /dev/zero (deleted)
 7ffffffdd000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]
 ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
end
'''
LOG = '''7 execve("/nowhere/program", ["program"], 0x7ffd0 /* 3 vars */) = 0
7 brk(NULL)                         = 0x600000
7 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000010000
7 openat(AT_FDCWD, "/lib/x.so", O_RDONLY|O_CLOEXEC) = 3
7 mmap(NULL, 8192, PROT_READ, MAP_PRIVATE|MAP_DENYWRITE, 3</lib/x.so>, 0x1000) = 0x7f000000e000
7 close(3)                          = 0
7 mprotect(0x7f0000010000, 4096, PROT_READ) = 0
7 brk(0x621000)                     = 0x621000
7 munmap(0x7f0000010000, 4096)      = 0
7 mremap(0x7f0000011000, 4096, 8192, MREMAP_MAYMOVE) = 0x7f000000c000
7 madvise(0x7f000000c000, 4096, MADV_DONTDUMP /* x */) = 0
7 prlimit64(0, RLIMIT_STACK, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}, NULL) = 0
7 memfd_create("m", MFD_CLOEXEC)    = 4
7 dup2(4, 5)                        = 5
7 shmget(IPC_PRIVATE, 8192, IPC_CREAT|0600) = 9
7 shmat(9, NULL, SHM_RDONLY)        = 0x7f0000008000
7 prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, 0x7f000000c000, 4096, "name") = 0
7 userfaultfd(O_CLOEXEC)            = 8
'''
THREADS = '''7 clone3({flags=CLONE_VM|CLONE_THREAD, child_tid=0x1} => {parent_tid=[8]}, 88) = 8
7 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0 <unfinished ...>
8 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0 <unfinished ...>
7 <... mmap resumed>)               = 0x7f000000a000
8 <... mmap resumed>)               = 0x7f000000b000
7 fork( <unfinished ...>
9 munmap(0x7f000000a000, 4096)      = 0
7 <... fork resumed>)               = 9
9 +++ exited with 0 +++
8 +++ superseded by execve in pid 7 +++
'''
TERMINAL = '''mmap(NULL, 8192, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000010000
strace: Process 12 attached
[pid    12] 12:00:01.000002 brk(NULL <unfinished ...>
[pid     1] munmap(0x7f0000010000, 4096) = -1 EINVAL (Invalid argument)
[pid    12] 12:00:01.000009 <... brk resumed>) = 0x55550000
'''


def trace_seeds():
    text = HEADER + FILES + EXEC
    yield text.encode()
    yield (text + CALLS + MAP % 'final').encode()
    yield (text + TASKS + MAP % 'check').encode()
    yield (text + TASKS + CALLS).encode()
    mapped = CALLS[:CALLS.index('touch')]
    yield (text.replace('trace 1', 'trace 2', 1) + mapped + PAGES + MAP % 'final').encode()
    for name in sorted(os.listdir(ROOT + '/traces')):
        packed = ROOT + '/traces/' + name
        whole = subprocess.run(['zstd', '-dc', packed], capture_output=True).stdout
        yield whole[:3400].rpartition(b'\n')[0] + b'\n'
    yield subprocess.run(['zstd', '-c'], input=text.encode(), capture_output=True).stdout


def calls_seeds():
    def record(op, a, n, *rest):
        return struct.pack('8B', op, 0, a, n, *rest)
    mmap, munmap, mprotect, mremap, madvise, touch, fork = 0, 10, 14, 20, 28, 44, 60
    rw = record(mmap, 20, 7, 16, 0, 0, 0)
    for head in (b'\0\7\0\0', b'\1\0\0\0', b'\2\7\0\0'):
        yield head + rw + record(touch, 22, 0, 12, 0, 0, 0) + record(mprotect, 21, 2, 6, 99, 0, 0)
        yield head + rw + record(munmap, 22, 1, 0, 0, 0, 0) + record(mremap, 20, 7, 3, 1, 40, 0)
        yield head + rw + record(fork, 0, 0, 0, 0, 0, 0) + record(madvise, 20, 3, 8, 0, 0, 0)


def seeds_of(name):
    text = HEADER + FILES + EXEC + CALLS + MAP % 'final'
    if name == 'calls':
        return list(calls_seeds())
    if name == 'trace':
        return list(trace_seeds())
    if name == 'strace':
        return [s.encode() for s in (LOG, LOG + THREADS, TERMINAL)]
    if name == 'command':
        options = ['replay --json --validate file', 'replay -q file file', 'maps --at 9 --smaps file',
                   'maps --pid 7 file', 'draw --columns 2 file -o x', 'draw --at 3 --pid=7 -ox file',
                   'replay -h', 'maps --what', 'draw --columns 99 file']
        return [(o + '\n' + text).encode() for o in options] + [b'replay file\n' + LOG.encode()]
    if name == 'script':
        folder = ROOT + '/tests/tools/scripts/'
        return [open(folder + f, 'rb').read() for f in sorted(os.listdir(folder))]
    head = bytes([127]) + b'ELF\2\1\1' + bytes(9) + struct.pack(
        '<HHIQQQIHHHHHH', 3, 62, 1, 0, 64, 0, 0, 64, 56, 3, 64, 0, 0)

    def segment(kind, flags, offset, at, in_file, in_memory):
        return struct.pack('<IIQQQQQQ', kind, flags, offset, at, at, in_file, in_memory, 4096)
    elf = head + segment(1, 6, 0, 0x2000, 0x1000, 0x3000) + \
        segment(0x6474e552, 4, 0, 0x2000, 0x1000, 0x1000) + segment(3, 4, 232, 0, 12, 12)
    return [struct.pack('<II', 99, 1) + elf + b'/proc/self/x',
            struct.pack('<II', 99, 1) + b'#!/bin/sh\n']


def write(folder, files):
    os.makedirs(folder, exist_ok=True)
    for i, data in enumerate(files):
        with open('%s/%03d' % (folder, i), 'wb') as f:
            f.write(data)


def make(name, build, found):
    total, largest = LIMITS[name]
    with tempfile.TemporaryDirectory() as tmp:
        write(tmp + '/seeds', seeds_of(name))
        sources = [tmp + '/seeds']
        if found and os.path.isdir(found + '/' + name):
            sources.append(found + '/' + name)
        os.mkdir(tmp + '/merged')
        subprocess.run(['%s/fuzz/%s_fuzz' % (build, name), '-merge=1', '-max_len=%d' % largest,
                        tmp + '/merged'] + sources, check=True, capture_output=True)
        kept = sorted((open(tmp + '/merged/' + f, 'rb').read() for f in os.listdir(tmp + '/merged')),
                      key=len)
    # The hand-written ones stay whatever they add; of the rest every k-th, so that all lengths are there.
    seeds = [s for s in seeds_of(name) if len(s) <= largest]
    rest = [k for k in kept if k not in seeds and len(k) <= largest]
    room = max(0, total - sum(map(len, seeds)))
    step = max(1, -(-sum(map(len, rest)) // max(room, 1)))
    seeds += rest[::step]
    folder = HERE + '/corpus/' + name
    shutil.rmtree(folder, ignore_errors=True)
    write(folder, seeds)
    print('%s: %d inputs, %d bytes' % (name, len(seeds), sum(map(len, seeds))))


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__.strip())
    for name in LIMITS:
        make(name, sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else None)


main()
