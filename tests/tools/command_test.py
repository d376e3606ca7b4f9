#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
The command vmarea: record, replay, maps, draw, and what they say to a person who is wrong.

    command_test.py VMAREA ALLOCATOR_LOAD EVERY_CALL TOUCHES TRACES

VMAREA is the command, the next three are programs to be recorded, TRACES is the directory of the
recordings in the repository.  Prints TAP.
"""
import array
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
import xml.dom.minidom

GOOD, CHECK, USAGE, DEFECT = 0, 1, 2, 3

HEADER = '''vmarea-trace 1
kernel 6.18.0
machine x86_64
ram-pages 1000000
swap-pages 0
overcommit 0 ratio=50 kbytes=0 user-reserve=131072 admin-reserve=8192
max-map-count 65530
mmap-min-addr 4096
lsm-mmap-min-addr 65536
stack-guard-gap 256
thp madvise
features mseal,thp
command "a test"
events
'''
LINES = HEADER.count('\n')

EXEC = '''exec 7 m1 task-size=0x7ffffffff000 base=0x7f0000000000 legacy-base=0x2aaaaaaab000 brk=0x600000-0x600000 stack=0x7ffffffde000 stack-limit=0x800000 "/bin/program"
 400000-401000 rd,ex,mr,mw,me f1
 7ffffffdd000-7ffffffff000 rd,wr,mr,mw,me,gd,ac touched
end
'''
FILE = 'file f1 08:01 99 mode=r place=huge size=4096 "/bin/program"\n'

MAP = ''' 00400000-00401000 r-xp 00000000 08:01 99                                 /bin/program
 7efffffff000-7f0000000000 rw-p 00000000 00:00 0~
 7ffffffdd000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]
'''.replace('~', ' ')    # maps has a blank there

RUN = ('mmap 7 0 0x1000 3 0x22 - 0 = 0x7efffffff000\n'
       'munmap 7 0x7efffffff000 5 = 0\n'
       'mprotect 7 0x10000 0x1000 1 = -ENOMEM\n'
       'mmap 7 0 0x1000 3 0x22 - 0 = 0x7efffffff000\n')

# A line behind a good beginning, and what is said of it.
BAD_LINES = [
    ('what 7', "there is no event 'what'"),
    ('mmap 7 0 0x1000 3 0x22 - = 0x1000', 'mmap: too few arguments'),
    ('mmap 7 0 0x1000 3 0x22 - 0 0 = 0x1000', "mmap: '0' where '=' should be"),
    ('mmap 7 0 0x1000 3 0x22 - 0 = 0x1000 1', "'1' is too much at the end of the line"),
    ('mmap 7 0 many 3 0x22 - 0 = 0x1000', "mmap: 'many' is not a number"),
    ('mmap 7 0 0x1000 3 0x22 fd 0 = 0x1000', "mmap: 'fd' is not a file"),
    ('munmap 7 0 0x1000 =', 'the result is missing'),
    ('munmap 7 0 0x1000 = -EWHAT', "munmap: there is no error 'EWHAT'"),
    ('munmap 7 0 0x1000 = here', "munmap: the result 'here' is not a number"),
    ('munmap x 0 0x1000 = 0', "task: 'x' is not a number"),
    ('munmap 0 0 0x1000 = 0', 'task: 0 is no task number'),
    ('munmap 8 0 0x1000 = 0', 'there is no task 8'),
    ('touch 1 0x1000', "'1' is not an mm (m1 and up)"),
    ('touch m9 0x1000', 'there is no mm m9'),
    ('touch m1', 'address is missing'),
    ('file f2 8 99 mode=r "x"', 'the device is not major:minor in hexadecimal'),
    ('file f2 08:01 99 mode=q "x"', "file: 'mode=q' is not understood"),
    ('file f2 08:01 99 mode=r', "the file's name in quotes is missing"),
    ('file f2 08:01 99 mode=r "x', "the file's name: the closing quote is missing"),
    ('file f2 08:01 99 mode=r "x\\q"', "the file's name: an unknown escape after a backslash"),
    ('file f1 08:01 99 mode=r "x"', 'file f1: error 17'),
    ('rename f7 "x"', 'there is no file f7'),
    ('map m1 now', "map: 'now' is neither final nor check"),
    ('map m1 final\n 1000-2000 rw-p', 'the map in line {first} has no \'end\''),
    ('map m1 final\n1000-2000 rw-p', "a line of a map begins with a space; 'end' ends it"),
    ('exec 7 m2 base=x "/p"', "exec: 'base=x' is not a number"),
    ('exec 7 m2 "/p"\n 1000 rd\nend', "an area's START-END, or 'end', is missing"),
    ('exec 7 m2 "/p"\n 1000-2001 rd\nend', 'the area 1000-2001 is not whole pages'),
    ('exec 7 m2 "/p"\n 1000-2000 rd,zz\nend', "'zz' is no flag of VmFlags that is known"),
    ('exec 7 m2 "/p"\n 1000-2000 rd', 'the map of the exec in line {first} has no \'end\''),
    ('process_madvise 7 - 4 0 0x1000 = 0', 'process_madvise: a range is not ADDRESS+LENGTH'),
    ('limits 7 1 2 3', 'memlock is missing'),
    ('exec 7 m2 "/p"\n 1000-2000 rd "[a]" "[b]"\nend', "area: '[b]' is a second name"),
]

# The same in a recording with pages.
BAD_PAGE_LINES = [
    ('store m1 0x7ffffffde010 0x0:00', 'the address 0x7ffffffde010 is not that of a page'),
    ('store m1 0x7ffffffde000 0', 'a piece of a page is not OFFSET:BYTES, with an OFFSET below 0x1000'),
    ('store m1 0x7ffffffde000 0x1000:00',
     'a piece of a page is not OFFSET:BYTES, with an OFFSET below 0x1000'),
    ('store m1 0x7ffffffde000 0x0:0', 'the bytes at 0x0 are not pairs of hexadecimal digits'),
    ('store m1 0x7ffffffde000 0x10:0g', 'the bytes at 0x10 are not pairs of hexadecimal digits'),
    ('store m1 0x7ffffffde000 0xfff:0000', 'the bytes at 0xfff go beyond the end of the page'),
    ('store m1 0x7ffffffde000 0x8:0000 0x9:00',
     'the bytes at 0x9 are behind those at 0x8, or in them'),
    ('store m1 0x7ffffffde000 =x', "'=x' is not = and the number of a page's contents"),
    ('store m1 0x7ffffffde000 =1 0x0:00', "'0x0:00' is too much at the end of the line"),
    ('store m9 0x7ffffffde000 0x0:00', 'there is no mm m9'),
    ('page f9 0 0x0:00', 'there is no file f9'),
    ('page f1 0x4000000000000 0x0:00', 'a file has no page 1125899906842624'),
    ('own m1 0x7ffffffde000 0', '0 pages: a line has 1 to 65536'),
    ('read m1 0x7ffffffde000 65537', '65537 pages: a line has 1 to 65536'),
    ('read m1 0xfffffffffffff000 2', 'the pages go beyond the last address'),
    ('check m1 0x7ffffffde000 2 other:0+1=1', "'other:0' does not begin own:PAGE+COUNT=NUMBER, "
     'zero:PAGE+COUNT or file:PAGE+COUNT=NUMBER'),
    ('check m1 0x7ffffffde000 2 own:0+1', "'own:0' does not begin own:PAGE+COUNT=NUMBER, "
     'zero:PAGE+COUNT or file:PAGE+COUNT=NUMBER'),
    ('check m1 0x7ffffffde000 2 own:1+1=1 zero:1+1',
     'the pages 1+1 are not behind the ones before, or not among the 2'),
    ('check m1 0x7ffffffde000 2 zero:1+2',
     'the pages 1+2 are not behind the ones before, or not among the 2'),
    ('size f1', 'size is missing'),
    ('rss m1 x', "pages: 'x' is not a number"),
]

# Of a page of 1, 2, 3, 4 and zeros, by docs/TRACE-FORMAT.md.
NUMBER_OF_1234 = '35e67e4efbe94b06'

# What comes of pages, behind a recording's beginning; without words: no difference.
PAGES = [
    ('store m1 0x7ffffffde000 0x0:01020304\ncheck m1 0x7ffffffdd000 2 own:1+1=%s\nrss m1 1\n', ''),
    ('store m1 0x7ffffffde000 0x0:01020305\ncheck m1 0x7ffffffdd000 2 own:1+1=%s\n',
     'the page at 0x7ffffffde000 has other contents'),
    ('check m1 0x7ffffffdd000 2 own:1+1=%s\n', 'the page at 0x7ffffffde000\n  recorded: is there\n'
     '  here:     is not there'),
    ('store m1 0x7ffffffde000 whole 0x0:01020304\ncheck m1 0x7ffffffdd000 2\n',
     'the page at 0x7ffffffde000\n  recorded: is not there\n  here:     is there'),
    ('read m1 0x7ffffffde000 1\ncheck m1 0x7ffffffdd000 2 zero:1+1\nrss m1 0\n', ''),
    ('own m1 0x7ffffffde000 1\nrss m1 2\n', 'pages of its own\n  recorded: 2\n  here:     1'),
    ('store m1 0x10000 0x0:01\n', 'the page at 0x10000 was written to\n'
     '  here:     SIGSEGV, nothing is mapped there'),
    ('page f1 0 0x0:01020304\nread m1 0x400000 1\ncheck m1 0x400000 1 file:0+1=%s\n', ''),
    ('page f1 0 =77\nstore m1 0x400000\ncheck m1 0x400000 1 own:0+1=77\nrss m1 1\n', ''),
]

# Two processes with pages of their own, of a file, and in common.
SHOWN = ('store m1 0x7ffffffde000 0x0:01\nread m1 0x400000 1\nfork 7 8 m2\n'
         'store m2 0x7ffffffdf000 0x0:01\n')
PAGEMAP = '''# process 8, /bin/program, still alive
7ffffffde000-7ffffffdf000 present
7ffffffdf000-7ffffffe0000 present exclusive

# process 7, /bin/program, still alive
400000-401000 present file exclusive
7ffffffde000-7ffffffdf000 present
'''
DRAWN = '''a test
0 calls of 2 processes, Linux 6.18.0
pages: # present, s shared, H huge, ~ swapped, . not there

process 8, /bin/program, after 0 calls: 2 areas, 4 KiB present, 4 KiB shared
  7ffffffdd000 rw-p  136 KiB [.s#.............................] [stack]
                     128 TiB free
  000000400000 r-xp    4 KiB [.]                                /bin/program

process 7, /bin/program, after 0 calls: 2 areas, 4 KiB present, 4 KiB shared
  7ffffffdd000 rw-p  136 KiB [.s..............................] [stack]
                     128 TiB free
  000000400000 r-xp    4 KiB [#]                                /bin/program
'''

# Lines that are well-formed and cannot be; without words: a difference.
NONSENSE = [
    ('exec 7 m2 "/p"\n 1000-3000 rd,mr\n 2000-4000 rd,mr\nend\n',
     'the area 2000-4000 overlaps another'),
    ('exec 7 m2 "/p"\n 1000-3000 rd,ex,mr\nend\n', 'the area 1000-3000 cannot be'),
    ('exec 7 m2 "/p"\n 1000-3000 rd,mr,sh,ms\nend\n', 'the area 1000-3000 cannot be'),
    ('exec 7 m2 "/p"\n 1000-3000 rd,mr f5\nend\n', 'there is no file f5'),
    ('exec 7 m2 base=0xfffffffffffff000 "/p"\nend\n',
     'exec: no address space can be like this: error 22'),
    ('shmat 7 f9 0 0 = 0x1000\n', 'there is no file f9'),
    ('shmat 7 f1 0 0 = 0x1000\n', 'shmat: f1 is no segment'),
    ('mmap 7 0 0x1000 3 2 f9 0 = 0x1000\n', 'there is no file f9'),
    ('file f4294967295 08:01 99 mode=r "/p"\n',
     'file f4294967295: numbers go up by one, the last was f1'),
    ('mmap 7 0 0x1000000000 3 0x22 - 0 = 0x7ef000000000\n' + ''.join(
        f'fork 7 {n} m{n}\n' for n in range(8, 600)), ''),
]

BAD_HEADERS = [
    ('vmarea-trace 3\nevents\n', 1, 'version 3 is not known, only 1 and 2'),
    ('vmarea-trace\n', 1, 'version is missing'),
    ('vmarea-trace 1\ncolour red\n', 2, "the header has no 'colour'"),
    ('vmarea-trace 1\novercommit 3\n', 2, 'overcommit: 3 is not 0, 1 or 2'),
    ('vmarea-trace 1\nmax-map-count 4294967297\n', 2, 'max-map-count: 4294967297 is too large, at '
     'most 4294967295'),
    ('vmarea-trace 1\nstack-guard-gap 0x100000000\n', 2, 'stack-guard-gap: 4294967296 is too large, '
     'at most 4294967295'),
    ('vmarea-trace 1\nfeatures wings\n', 2, "features: there is no 'wings'"),
    ('vmarea-trace 1\nkernel 6\n', 3, "the header does not end with 'events'"),
    ('hello\n', 1, "this is neither a recording (it would begin with 'vmarea-trace') nor a log of "
     'strace'),
    ('', 1, "this is neither a recording (it would begin with 'vmarea-trace') nor a log of strace"),
]

# Arguments, and what is said of them.
WRONG_USES = [
    (['replay'], 'vmarea replay: which file? (vmarea replay FILE...)'),
    (['replay', '--speed'], 'vmarea replay: unknown option --speed'),
    (['replay', '-x'], 'vmarea replay: unknown option -x'),
    (['replay', '/nowhere'], 'vmarea replay: /nowhere: No such file or directory'),
    (['replay', '/'], 'vmarea replay: /: Is a directory'),
    (['record'], 'vmarea record: which program? (vmarea record -- PROGRAM ARGS)'),
    (['record', '-o'], 'vmarea record: -o needs a value'),
    (['record', '--check-every', '0', 'true'], 'vmarea record: --check-every: 0 is too small, at '
     'least 1'),
    (['record', '--touch', '--touch-every', '0', 'true'], 'vmarea record: --touch-every: 0 is too '
     'small, at least 1'),
    (['record', '--touch-bytes', '5', 'true'], 'vmarea record: --touch-bytes is about pages: add '
     '--touch'),
    (['replay', '--arena', '0', 'x'], 'vmarea replay: --arena: 0 is too small, at least 1'),
    (['record', '-o', '/nowhere/x', 'true'], 'vmarea record: /nowhere/x: No such file or directory'),
    (['maps'], 'vmarea maps: which file? (vmarea maps FILE)'),
    (['maps', 'a', 'b'], 'vmarea maps: one file at a time'),
    (['maps', '--json', '--smaps', 'a'], 'vmarea maps: --json and --smaps: one form at a time'),
    (['maps', '--arena', '0', 'a'], 'vmarea maps: --arena: 0 is too small, at least 1'),
    (['maps', '--at', 'x', 'a'], 'vmarea maps: --at: x is not a number'),
    (['maps', '--pid', '99999999999', 'a'], 'vmarea maps: --pid: 99999999999 is too large, at most '
     '2147483647'),
    (['draw', 'a'], 'vmarea draw: -o is missing: where shall the picture go?'),
    (['draw', '--columns', '17', 'a', '-o', 'b'], 'vmarea draw: --columns: 17 is too large, at most '
     '16'),
    (['replay', '--json=1', 'a'], 'vmarea replay: --json takes no value'),
    (['maps', '--pid=7', '-x'], 'vmarea maps: unknown option -x'),
    (['maps', '--at', '08x', 'a'], 'vmarea maps: --at: 08x is not a number'),
    (['draw', '--arena', '0', 'a', '-o', 'b'], 'vmarea draw: --arena: 0 is too small, at least 1'),
    (['fly'], "vmarea: there is no command 'fly'"),
    (['--fly'], 'vmarea: unknown option --fly'),
]

LOG = '''7 execve("/nowhere/program", ["program"], 0x7ffd0 /* 3 vars */) = 0
7 brk(NULL)                         = 0x600000
7 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000010000
7 brk(0x621000)                     = 0x621000
7 munmap(0x7f0000010000, 4096)      = 0
7 mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000010000
'''

# Two threads, whose calls overlap: in the order in which they returned, the second mmap() could not
# have got the address that it got.
OVERLAP = LOG + '''7 clone3({flags=CLONE_VM|CLONE_THREAD, child_tid=0x1} => {parent_tid=[8]}, 88) = 8
7 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0 <unfinished ...>
8 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0 <unfinished ...>
8 <... mmap resumed>) = 0x7f000000e000
7 <... mmap resumed>) = 0x7f000000f000
8 munmap(0x7f000000e000, 4096 <unfinished ...>
7 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0 <unfinished ...>
8 <... munmap resumed>) = 0
7 <... mmap resumed>) = 0x7f000000d000
8 +++ exited with 0 +++
7 +++ exited with 0 +++
'''

LOGS = [
    # what, the text, calls, differences, reasons
    ('plain', LOG, 5, 0, {}),
    ('times', re.sub(r'^7 ', '7 12:00:01.000001 ', LOG, flags=re.M), 5, 0, {}),
    ('seconds', re.sub(r'^7 ', '7 1700000000.000001 ', LOG, flags=re.M), 5, 0, {}),
    ('unnamed', re.sub(r'^7 ', '', LOG, flags=re.M), 5, 0, {}),
    ('terminal', re.sub(r'^([78]) ', r'[pid     \1] ', OVERLAP, flags=re.M), 9, 0, {}),
    ('overlap', OVERLAP, 9, 0, {}),
    ('cut', LOG + '7 clone3({flags=CLONE_VM|CLONE_THREAD}, 88strace: Process 8 attached\n'
     ' <unfinished ...>\n8 munmap(0x7f0000010000, 8192) = 0\n'
     '7 <... clone3 resumed> => {parent_tid=[8]}, 88) = 8\n', 6, 0, {}),
    ('wrong', LOG + '7 mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = '
     '0x7f0000007000\n7 munmap(0x7f0000007000, 4095) = -1 EINVAL (Invalid argument)\n', 7, 1,
     {'an area that was there before the first call of the log': 1}),
    ('unseen', LOG + '7 mprotect(0x400000, 4096, PROT_READ) = 0\n', 6, 0,
     {'an area that was there before the first call of the log': 1}),
    ('limit', LOG + '7 mlock(0x7f0000011000, 4096) = -1 ENOMEM (Cannot allocate memory)\n', 6, 0,
     {'a limit, or memory, that the log does not show': 1}),
    ('limit of another', LOG + '7 prlimit64(8, RLIMIT_AS, {rlim_cur=4*1024, rlim_max=4*1024}, NULL) = 0\n'
     '7 mmap(NULL, 8192, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f000000e000\n', 6, 0, {}),
    ('no such limit', LOG + '7 setrlimit(4096, {rlim_cur=1, rlim_max=2}) = 0\n', 5, 0, {}),
    ('its own child', LOG + '9 fork() = 9\n9 munmap(0x1000, 4096) = 0\n', 6, 0, {}),
    ('fork of nothing', LOG + '9 fork() = 10\n10 munmap(0x1000, 4096) = 0\n', 6, 0, {}),
    ('no such address', '7 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = '
     '0xfffffffff0000001\n7 brk(NULL) = 0xffffffffff000000\n', 2, 2, {}),
    ('not followed', LOG + '7 mbind(0x7f0000010000, 4096, MPOL_DEFAULT, NULL, 0, 0) = 0\n', 5, 0,
     {'mbind: not followed': 1}),
]


class Skip(Exception):
    pass


class Tests:
    def __init__(self, vmarea, load, every, touches, traces):
        self.vmarea, self.load, self.every, self.traces = vmarea, load, every, traces
        self.touches = touches
        self.dir = tempfile.mkdtemp(prefix='vmarea-command-')

    def run(self, *args):
        done = subprocess.run([self.vmarea, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=240, cwd=self.dir)
        return done.returncode, done.stdout, done.stderr

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        return path

    def replayed(self, path):
        status, out, err = self.run('replay', '--json', path)
        assert out, err
        return status, json.loads(out)[0]

    def record(self, path, *command):
        release = os.uname().release
        if tuple(map(int, re.match(r'(\d+)\.(\d+)', release).groups())) < (6, 18):
            raise Skip(f'the library follows Linux 6.18, this is {release}')
        status, _, err = self.run('record', '-q', '-o', path, '--', *command)
        if 'cannot trace' in err:
            raise Skip(err.strip())
        assert not err, err
        return status

    # ------------------------------------------------------------------------------ a person

    def test_help(self):
        for command in ('record', 'replay', 'diff', 'maps', 'draw', 'core'):
            status, out, err = self.run(command, '--help')
            assert status == GOOD and not err, err
            assert out.startswith(f'usage: vmarea {command} '), out
            assert 'Example' in out, out
        status, out, err = self.run('--help')
        assert status == GOOD and 'record' in out and not err
        assert self.run()[0] == USAGE

    def test_wrong_uses(self):
        for args, words in WRONG_USES:
            status, out, err = self.run(*args)
            assert status == USAGE, (args, status)
            assert err.splitlines()[0] == words, (args, err)
            assert not out, (args, out)

    def test_output_that_is_lost(self):
        path = self.write('good.vtrace', HEADER + FILE + EXEC + RUN)
        for args in (['--help'], ['replay', '--help'], ['replay', path], ['replay', '--json', path],
                     ['maps', path], ['maps', '--json', path], ['draw', '--text', path]):
            with open('/dev/full', 'w', encoding='utf-8') as full:
                done = subprocess.run([self.vmarea, *args], stdout=full, stderr=subprocess.PIPE,
                                      text=True, timeout=240, cwd=self.dir)
            assert done.returncode == DEFECT, (args, done)
            assert 'cannot be written' in done.stderr, (args, done)

    def test_the_file_that_is_read_stays(self):
        text = HEADER + FILE + EXEC + RUN
        path = self.write('only.vtrace', text)
        os.symlink('only.vtrace', os.path.join(self.dir, 'link.vtrace'))
        for command in ('draw', 'core'):
            for output in (path, 'link.vtrace'):
                status, _, err = self.run(command, path, '-o', output)
                assert status == USAGE and err.splitlines()[0] == (
                    f'vmarea {command}: {output} is the file to be read: another one for -o'), err
                with open(path, encoding='utf-8') as f:
                    assert f.read() == text, command

    def on_a_small_disk(self, *args):
        """No file there gets longer than 16 KiB."""
        return subprocess.run(['sh', '-c', 'ulimit -f 32; trap "" XFSZ; exec "$@"', 'sh',
                               self.vmarea, *args], capture_output=True, text=True, timeout=240,
                              cwd=self.dir)

    def test_half_a_file_is_none(self):
        """What cannot be written whole leaves what was there, be it nothing."""
        trace = os.path.join(self.traces, 'gcc.vtrace.zst')
        loop = 'for i in 1 2 3 4 5 6 7 8; do ls / >/dev/null; done'
        os.mkdir(os.path.join(self.dir, 'half'))
        os.symlink('old', os.path.join(self.dir, 'half', 'link'))
        for command in (['draw', trace, '-o'],
                        ['record', '-q', '-o', '{}', '--', 'sh', '-c', loop]):
            for name in ('old', 'link', 'new'):
                old = self.write('half/old', 'kept')
                args = [arg.format(f'half/{name}') for arg in command]
                args += [] if '--' in args else [f'half/{name}']
                done = self.on_a_small_disk(*args)
                assert done.returncode == DEFECT and f'half/{name}: ' in done.stderr, done
                with open(old, encoding='utf-8') as f:
                    assert f.read() == 'kept', args
                assert sorted(os.listdir(os.path.dirname(old))) == ['link', 'old'], args

    def test_whole_files_take_the_place_of_old_ones(self):
        def mode(name):
            return os.stat(os.path.join(self.dir, name)).st_mode & 0o7777

        trace = self.write('good.vtrace', HEADER + FILE + EXEC + RUN)
        os.chmod(self.write('private', 'old'), 0o640)
        os.link(self.write('one', 'o' * 100000), os.path.join(self.dir, 'two'))
        os.symlink('private', os.path.join(self.dir, 'link'))
        os.symlink('late', os.path.join(self.dir, 'early'))
        umask = os.umask(0o027)
        try:
            for name in ('private', 'link', 'one', 'early', 'created'):
                assert self.run('draw', trace, '-o', name) == (GOOD, '', ''), name
                xml.dom.minidom.parse(os.path.join(self.dir, name))
        finally:
            os.umask(umask)
        assert mode('private') == 0o640 and mode('created') == 0o640
        assert os.path.islink(os.path.join(self.dir, 'link'))
        assert os.path.islink(os.path.join(self.dir, 'early'))
        xml.dom.minidom.parse(os.path.join(self.dir, 'late'))
        # What has two names keeps both.
        assert os.stat(os.path.join(self.dir, 'one')).st_nlink == 2
        status, _, err = self.run('draw', trace, '-o', '/dev/full')
        assert status == DEFECT and err == 'vmarea draw: /dev/full: cannot be written\n', err
        assert not [name for name in os.listdir(self.dir) if '.new-' in name]

    def test_who_has_the_file_open_writes_to_it_still(self):
        path = self.write('good.vtrace', HEADER + FILE + EXEC + RUN)
        shell = '"$0" draw "$1" -o "$2" && echo after'
        for output in ('/dev/stdout', '/proc/self/fd/1', 'log'):
            log = self.write('log', '')
            with open(log, 'a', encoding='utf-8') as to:
                done = subprocess.run(['sh', '-c', shell, self.vmarea, path, output], stdout=to,
                                      timeout=240, cwd=self.dir)
            assert done.returncode == GOOD, done
            with open(log, encoding='utf-8') as f:
                text = f.read()
            assert text.startswith('<svg') and text.endswith('</svg>\nafter\n'), (output, text[-80:])

    def test_a_file_that_may_not_be_written_to_stays(self):
        def as_other():
            if not os.geteuid():
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)

        path = self.write('good.vtrace', HEADER + FILE + EXEC + RUN)
        os.chmod(self.dir, 0o777)
        os.chmod(self.write('mine', 'kept'), 0o444)
        if not os.geteuid():
            os.chown(os.path.join(self.dir, 'mine'), 65534, 65534)
        try:
            done = subprocess.run([self.vmarea, 'draw', path, '-o', 'mine'], capture_output=True,
                                  text=True, timeout=240, cwd=self.dir, preexec_fn=as_other)
        except PermissionError as why:
            raise Skip('others cannot run it') from why
        assert done.returncode == USAGE
        assert done.stderr == 'vmarea draw: mine: Permission denied\n', done
        with open(os.path.join(self.dir, 'mine'), encoding='utf-8') as f:
            assert f.read() == 'kept'

    def test_a_file_keeps_its_group(self):
        groups = [1000] if not os.geteuid() else [g for g in os.getgroups() if g != os.getegid()]
        if not groups:
            raise Skip('this user has one group')
        path = self.write('good.vtrace', HEADER + FILE + EXEC + RUN)
        old = self.write('shared.svg', 'old')
        os.chown(old, -1, groups[0])
        os.chmod(old, 0o664)
        assert self.run('draw', path, '-o', old) == (GOOD, '', '')
        st = os.stat(old)
        assert (st.st_gid, st.st_mode & 0o7777) == (groups[0], 0o664), st
        xml.dom.minidom.parse(old)

    def test_no_name_is_no_file(self):
        path = self.write('good.vtrace', HEADER + FILE + EXEC + RUN)
        ran = os.path.join(self.dir, 'ran')
        for args in (['draw', path, '-o', ''], ['record', '-o', '', '--', 'touch', ran]):
            status, _, err = self.run(*args)
            assert status == USAGE and 'No such file or directory' in err, (status, err)
        assert not os.path.exists(ran)

    def test_numbers_are_not_octal(self):
        path = self.write('good.vtrace', HEADER + FILE + EXEC + RUN * 4)
        for number in ('010', '10', '0xa'):
            status, out, err = self.run('maps', '--at', number, path)
            assert status == GOOD and 'after 10 calls' in out, (number, out, err)
        path = self.write('octal.vtrace', HEADER + FILE + EXEC + 'munmap 7 0 010 = -EPERM\n')
        told = self.replayed(path)[1]
        assert 'munmap(0x0, 0xa)' in told['first_difference'], told

    # ------------------------------------------------------------------------------ replay

    def test_a_slow_pipe(self):
        """Whose first bytes come one at a time."""
        for name in ('gcc.vtrace.zst', 'shell-touch.vtrace.zst'):
            with open(os.path.join(self.traces, name), 'rb') as f:
                whole = f.read()
            with subprocess.Popen([self.vmarea, 'replay', '-'], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as replay:
                fd = replay.stdin.fileno()
                for at in range(3):
                    os.write(fd, whole[at:at + 1])
                    while replay.poll() is None and self.unread(fd):    # until it has been taken
                        time.sleep(0.001)
                out, err = replay.communicate(whole[3:])
            assert replay.returncode == GOOD and b' 0 differences' in out, (out, err)

    def unread(self, fd):
        nr = array.array('i', [0])
        fcntl.ioctl(fd, termios.FIONREAD, nr)
        return nr[0]

    def test_a_note_of_what_is_not_followed(self):
        """A program that never was: record tells of one for 32 bits so."""
        path = self.write('note.vtrace', HEADER + 'note 7 "a 32-bit program: not followed"\n')
        status, told = self.replayed(path)
        assert status == GOOD and told['undetermined'] == 1, told

    def test_a_recording(self):
        path = self.write('good.vtrace', HEADER + FILE + EXEC + RUN + 'map m1 final\n' + MAP +
                          'end\nexit 7 0\n')
        status, told = self.replayed(path)
        assert status == GOOD, told
        assert (told['calls'], told['maps'], told['differences']) == (4, 1, 0), told
        assert told['kernel'] == '6.18.0' and told['kind'] == 'recording', told
        status, out, err = self.run('replay', '--validate', path)
        assert status == GOOD and not err and '0 differences' in out, err

    def test_a_wrong_result(self):
        path = self.write('wrong.vtrace', HEADER + FILE + EXEC + RUN.replace('-ENOMEM', '0') +
                          'mmap 7 0 0x1000 1 0x22 - 0 = 0x7efffff00000\n'
                          'munmap 7 0x7efffff00000 0x1000 = 0\n')
        status, told = self.replayed(path)
        assert status == CHECK and told['differences'] == 2, told
        first = told['first_difference']
        assert first.startswith(f'{path}:{LINES + 8}: task 7: mprotect(0x10000, 0x1000, 0x1)'), first
        assert 'recorded: 0' in first and 'here:     -ENOMEM' in first, first

    def test_a_wrong_map(self):
        wrong = MAP.replace('7efffffff000-7f0000000000 rw-p', '7efffffff000-7f0000000000 r--p')
        path = self.write('map.vtrace', HEADER + FILE + EXEC + RUN + 'map m1 check\n' + wrong +
                          'end\nmap m1 final\n' + wrong + 'end\nexit 7 0\n')
        status, told = self.replayed(path)
        assert status == CHECK, told
        assert told['differences'] == 1, 'the kernel\'s map was not taken over: %s' % told
        assert re.search(r'^    - 7efffffff000-7f0000000000 r--p', told['first_difference'], re.M)
        assert re.search(r'^    \+ 7efffffff000-7f0000000000 rw-p', told['first_difference'], re.M)
        status, out, _ = self.run('replay', path)
        assert status == CHECK and 'the first difference' in out, out

    def test_bad_lines(self):
        first = LINES + FILE.count('\n') + EXEC.count('\n') + 1
        for text, words in BAD_LINES:
            path = self.write('bad.vtrace', HEADER + FILE + EXEC + text + '\n')
            status, out, err = self.run('replay', path)
            words = words.format(first=first)
            assert status == USAGE, (text, status, err)
            assert not out, out
            at = re.fullmatch(r'(.*):(\d+): (.*)\n', err)
            assert at and at[1] == path and at[3] == words, (text, err)
            assert first <= int(at[2]) <= first + 4, (text, err)

    def test_bad_page_lines(self):
        header = HEADER.replace('vmarea-trace 1', 'vmarea-trace 2')
        for text, words in BAD_PAGE_LINES:
            path = self.write('bad.vtrace', header + FILE + EXEC + text + '\n')
            status, out, err = self.run('replay', path)
            assert status == USAGE and not out, (text, status, err)
            assert re.fullmatch(r'.*:\d+: (.*)\n', err)[1] == words, (text, err)
        path = self.write('bad.vtrace', HEADER + FILE + EXEC + 'store m1 0x1000\n')
        status, _, err = self.run('replay', path)
        assert status == USAGE and "'store' is of version 2, this is version 1" in err, err

    def test_pages(self):
        header = HEADER.replace('vmarea-trace 1', 'vmarea-trace 2')
        for text, words in PAGES:
            text = text.replace('%s', NUMBER_OF_1234)
            path = self.write('pages.vtrace', header + FILE + EXEC + text)
            status, told = self.replayed(path)
            assert status == (CHECK if words else GOOD), (text, told)
            assert told['page_differences'] == bool(words), (text, told)
            assert not words or words in told['first_difference'], (text, told)

    def test_bad_headers(self):
        for text, line, words in BAD_HEADERS:
            path = self.write('head.vtrace', text)
            status, _, err = self.run('replay', path)
            assert status == USAGE and err == f'{path}:{line}: {words}\n', (text, err)

    def test_nonsense_is_refused(self):
        for text, words in NONSENSE:
            path = self.write('nonsense.vtrace', HEADER + FILE + EXEC + text)
            status, out, err = self.run('replay', '--validate', path)
            if words:
                assert status == USAGE and not out, (text, status, out, err)
                assert re.fullmatch(r'.*:\d+: (.*)\n', err)[1] == words, (text, err)
            else:
                assert status == CHECK and not err, (text, status, err)

    def test_leader_is_himself(self):
        path = self.write('leader.vtrace', HEADER + FILE + EXEC + 'leader 7 7\n' + RUN)
        status, told = self.replayed(path)
        assert status == GOOD and told['calls'] == 4, told

    def test_a_file_cut_short(self):
        with open(os.path.join(self.traces, 'gcc.vtrace.zst'), 'rb') as f:
            whole = f.read()
        path = os.path.join(self.dir, 'short.vtrace.zst')
        for part in (whole[:len(whole) // 2], whole[:200] + b'x' * 200 + whole[400:]):
            with open(path, 'wb') as f:
                f.write(part)
            status, _, err = self.run('replay', path)
            assert status == USAGE and path in err, err

    def test_shipped_recordings(self):
        paths = sorted(os.path.join(self.traces, name) for name in os.listdir(self.traces)
                       if '.vtrace' in name)
        assert len(paths) >= 8, paths
        for path in paths:
            assert os.path.getsize(path) < 200 * 1024, path
            status, told = self.replayed(path)
            assert status == GOOD, told
            assert not told['undetermined'], told

    def test_shipped_recordings_with_pages(self):
        for name in sorted(os.listdir(self.traces)):
            status, out, err = self.run('replay', '--pages', '--json',
                                        os.path.join(self.traces, name))
            told = json.loads(out)[0]
            assert status == GOOD and not err, (told, err)
            assert (told['pages_written'] > 100) == ('touch' in name), told

    # ------------------------------------------------------------------------------ strace

    def test_logs(self):
        for what, text, calls, differences, reasons in LOGS:
            status, told = self.replayed(self.write('log', text))
            assert told['kind'] == 'strace', (what, told)
            assert told['calls'] == calls, (what, told)
            assert told['differences'] == differences, (what, told)
            assert status == (CHECK if differences else GOOD), (what, status)
            if what != 'wrong':
                assert told['reasons'] == reasons, (what, told)

    def test_a_long_line_of_ancestors(self):
        """Each is seen before the clone that made it has returned."""
        nr = 4000
        text = ''.join(f'{10 + i} clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>\n'
                       for i in range(nr))
        text += f'{10 + nr} munmap(0x1000, 4096) = 0\n'
        text += ''.join(f'{10 + i} <... clone resumed>) = {11 + i}\n' for i in reversed(range(nr)))
        path = self.write('ancestors.log', text)
        done = subprocess.run(['sh', '-c', f'ulimit -s 256; exec {self.vmarea} replay --json {path}'],
                              capture_output=True, text=True, timeout=240)
        assert done.returncode == GOOD and json.loads(done.stdout)[0]['calls'] == 1, done

    def test_many_tasks(self):
        """Each at a cost of its own, and not of all others: else these take hours."""
        nr = 6000
        tasks = range(10, 10 + nr)
        text = '1 brk(NULL) = 0x600000\n'
        text += ''.join(f'1 clone(child_stack=NULL, flags=SIGCHLD) = {tid}\n' for tid in tasks)
        text += ''.join(f'{tid} execve("/bin/p", ["p"], 0x0 /* 0 vars */) = 0\n' for tid in tasks)
        text += ''.join(f'{tid} munmap(0x1000, 4096 <unfinished ...>\n' for tid in tasks)
        text += ''.join(f'{tid} <... munmap resumed>) = 0\n' for tid in tasks)
        text += ''.join(f'{tid} +++ exited with 0 +++\n' for tid in tasks)
        status, told = self.replayed(self.write('many.log', text))
        assert status == GOOD and told['calls'] == nr + 1, told
        assert told['processes'] == nr + 1 and not told['differences'], told

    def test_strace_itself(self):
        if not shutil.which('strace'):
            raise Skip('no strace')
        log = os.path.join(self.dir, 'strace.log')
        self.record(log, 'true')  # the right kernel, and tracing is allowed
        for options in (['-f'], ['-f', '-tt', '-y']):
            done = subprocess.run(['strace', *options, '-o', log, self.load, '4', '400'],
                                  stderr=subprocess.PIPE, text=True, timeout=120)
            if done.returncode:
                raise Skip(done.stderr.strip())
            status, told = self.replayed(log)
            assert status == GOOD and told['calls'] > 100, told
            assert told['undetermined'] * 50 <= told['calls'], told

    # ------------------------------------------------------------------------------ record

    def test_exit_status_is_passed_on(self):
        path = os.path.join(self.dir, 'status.vtrace')
        assert self.record(path, 'sh', '-c', 'exit 3') == 3
        assert self.record(path, 'sh', '-c', 'kill -TERM $$') == 128 + 15
        status, _, err = self.run('record', '-o', path, '--', '/nowhere/program')
        assert status == 127 and err == ('vmarea record: /nowhere/program: No such file or '
                                         'directory\n'), err
        status, _, err = self.run('record', '-o', path, '--', '/etc/passwd')
        assert status == 126 and 'Permission denied' in err, err

    def test_what_cannot_be_run_leaves_no_trace(self):
        path = os.path.join(self.dir, 'before.vtrace')
        self.record(path, 'true')
        with open(path, 'rb') as f:
            before = f.read()
        for name in ('before.vtrace', 'new.vtrace', 'new.vtrace.zst'):
            assert self.run('record', '-o', name, '--', '/nowhere/program')[0] == 127
        with open(path, 'rb') as f:
            assert f.read() == before
        assert not any(name.startswith('new.') for name in os.listdir(self.dir))
        # And what is shorter than before is not followed by the rest of that.
        longer = self.write('longer.vtrace', '#' * 2000000)
        self.record(longer, 'true')
        assert self.replayed(longer)[0] == GOOD
        # A device is no file that could be taken away.
        fifo = os.path.join(self.dir, 'fifo')
        os.mkfifo(fifo)
        with subprocess.Popen(['cat', fifo], stdout=subprocess.PIPE) as cat:
            assert self.run('record', '-o', fifo, '--', '/nowhere/program')[0] == 127
            assert cat.communicate(timeout=60)[0] == b''
        assert os.path.exists(fifo)

    def test_nobody_reads_the_recording(self):
        """The program runs to its end all the same, and what is lost is told."""
        self.record(os.path.join(self.dir, 'true.vtrace'), 'true')
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([self.vmarea, 'record', '-o', '-', '--', 'sh', '-c',
                               'for i in 1 2 3; do (ls / >&2); done; touch ran-to-its-end'],
                              stdout=writer, stderr=subprocess.PIPE, text=True, cwd=self.dir,
                              timeout=120)
        os.close(writer)
        assert os.path.exists(os.path.join(self.dir, 'ran-to-its-end')), done
        assert done.returncode == DEFECT and 'vmarea record: -: Broken pipe' in done.stderr, done

    def test_those_left_behind_are_ended(self):
        path = os.path.join(self.dir, 'left.vtrace')
        self.record(path, 'true')
        pids = os.path.join(self.dir, 'pids')
        with subprocess.Popen([self.vmarea, 'record', '-q', '-o', path, '--', 'sh', '-c',
                               f'sleep 1000 & echo $! $$ >{pids}.new; mv {pids}.new {pids}'],
                              stdin=subprocess.DEVNULL) as recorder:
            while not os.path.exists(pids):
                time.sleep(0.01)
            with open(pids, encoding='utf-8') as f:
                left, program = map(int, f.read().split())
            while os.path.exists(f'/proc/{program}'):
                time.sleep(0.01)
            recorder.send_signal(signal.SIGTERM)
            try:
                assert recorder.wait(timeout=30) == GOOD
            finally:
                if recorder.poll() is None:
                    os.kill(left, signal.SIGKILL)
        status, told = self.replayed(path)
        assert status == GOOD and told['processes'] == 3, told

    def test_limits_of_others(self):
        """Those of a process that is not recorded are none of the recording's."""
        path = os.path.join(self.dir, 'limits.vtrace')
        self.record(path, 'true')
        with subprocess.Popen(['sleep', '1000']) as other:
            try:
                made = ('import resource\n'
                        f'for pid in {other.pid}, 0:\n'
                        '    resource.prlimit(pid, resource.RLIMIT_STACK, (8 << 20, 8 << 20))\n')
                status = self.record(path, sys.executable, '-c', made)
            finally:
                other.kill()
        assert status == 0
        with open(path, encoding='utf-8') as f:
            assert len(re.findall(r'^limits ', f.read(), re.M)) == 1
        assert self.replayed(path)[0] == GOOD

    def recorded(self, name, *command):
        path = os.path.join(self.dir, name)
        status = self.record(path, *command)
        replay_status, told = self.replayed(path)
        assert replay_status == GOOD, told
        assert not told['undetermined'], told
        return status, told

    def test_threads(self):
        path = os.path.join(self.dir, 'every.vtrace')
        status, told = self.recorded('threads.vtrace.zst', self.load, '6', '1500')
        assert status == 0 and told['calls'] > 300 and told['maps'] == 1, told
        assert self.run('record', '-q', '--check-every', '1', '-o', path, '--', self.load, '4',
                        '200')[0] == GOOD
        status, told = self.replayed(path)
        assert status == GOOD and told['maps'] == told['calls'] + 1, told

    def test_every_call_and_end(self):
        ends = {'exit': (5, 2), 'exec': (0, 3), 'kill': (128 + 9, 2), 'lead': (0, 3),
                'signal': (128 + 15, 2)}
        for how, (status, maps) in ends.items():
            got, told = self.recorded(f'{how}.vtrace', self.every, how)
            assert got == status, (how, got)
            assert told['maps'] == maps and told['processes'] == 3, (how, told)

    def test_shell(self):
        _, told = self.recorded('shell.vtrace', 'sh', '-c',
                                'for i in 1 2 3; do (echo $i | cat; true) & done; wait; ls / | wc')
        assert told['processes'] >= 8, told

    def test_a_file_that_is_written_and_run(self):
        program = os.path.join(self.dir, 'program')
        made = ("import mmap, os, subprocess\n"
                f"fd = os.open({program!r}, os.O_RDWR | os.O_CREAT, 0o755)\n"
                "text = b'#!/bin/sh\\nexit 6\\n'\n"
                "os.ftruncate(fd, len(text))\n"
                "with mmap.mmap(fd, len(text)) as m: m[:] = text\n"
                "os.close(fd)\n"
                f"raise SystemExit(subprocess.call([{program!r}]))\n")
        status, _ = self.recorded('written.vtrace', sys.executable, '-c', made)
        assert status == 6, 'the recorder kept a program open for writing'

    def test_touches(self):
        for options, how in (([], 'alone'), ([], 'threads'), (['--touch-bytes', '0'], 'alone'),
                             (['--touch-bytes', '30000', '--touch-every', '1'], 'threads')):
            path = os.path.join(self.dir, 'touches.vtrace.zst')
            self.record(path, 'true')  # the right kernel, and tracing is allowed
            status, _, err = self.run('record', '-q', '--touch', *options, '-o', path, '--',
                                      self.touches, how)
            assert status == GOOD and not err, err
            status, out, err = self.run('replay', '--validate', '--json', path)
            told = json.loads(out)[0]
            assert status == GOOD and not told['undetermined'], (options, how, told)
            assert told['processes'] == 3 and told['pages_written'] > 100, told
            assert told['pages_compared'] > 500, told
            status, out, err = self.run('maps', path)
            assert status == GOOD and '[stack]' in out, err
            status, _, err = self.run('replay', '--arena', '1', path)
            assert status == USAGE and re.fullmatch(
                r'.*:\d+: no memory is left for pages: a larger --arena is needed\n', err), err

    def test_a_byte_changed(self):
        path = os.path.join(self.dir, 'changed.vtrace')
        self.record(path, 'true')
        assert self.run('record', '-q', '--touch', '-o', path, '--', self.touches)[0] == GOOD
        with open(path, encoding='utf-8') as f:
            lines = f.readlines()
        # What exec() has put onto the stack; it is compared at once.
        at = next(i for i, line in enumerate(lines) if line.startswith('store m1 0x7ff')
                  and len(line) > 200)
        addr = lines[at].split()[2]
        digit = len(lines[at]) - 2      # the last of its bytes; before it there may be a blank
        changed = format(int(lines[at][digit], 16) ^ 1, 'x')
        lines[at] = lines[at][:digit] + changed + lines[at][digit + 1:]
        status, told = self.replayed(self.write('changed.vtrace', ''.join(lines)))
        assert status == CHECK and told['page_differences'] >= 1, told
        words = re.fullmatch(r'.*:(\d+): m\d+: the page at (0x[0-9a-f]+) has other contents\n.*',
                             told['first_difference'], re.S)
        assert words and int(words[1]) > at + 1 and words[2] == addr, (addr, told)

    # ------------------------------------------------------------------------------ maps, draw

    def test_maps(self):
        path = self.write('good.vtrace', HEADER + FILE + EXEC + RUN)
        status, out, _ = self.run('maps', path)
        assert status == GOOD
        assert out == '# process 7, /bin/program, still alive\n' + re.sub(r'^ ', '', MAP, flags=re.M)
        status, out, _ = self.run('maps', '--at', '2', '--pid', '7', path)
        assert status == GOOD and 'after 2 calls' in out and '7efffffff000' not in out, out
        status, out, _ = self.run('maps', '--smaps', path)
        assert status == GOOD and 'VmFlags: rd wr mr mw me gd ac' in out, out
        status, _, err = self.run('maps', '--pid', '8', path)
        assert status == CHECK and 'no process 8' in err, err

    def shown(self):
        return self.write('shown.vtrace', HEADER.replace('vmarea-trace 1', 'vmarea-trace 2') + FILE +
                          EXEC + SHOWN)

    def test_maps_with_pages(self):
        path = self.shown()
        status, out, _ = self.run('maps', '--smaps', path)
        assert status == GOOD and 'Rss:' not in out, out
        status, out, _ = self.run('maps', '--smaps', '--pages', '--pid', '8', path)
        assert status == GOOD and 'Shared_Dirty:          4 kB\nPrivate_Clean:         0 kB' in out, out
        status, out, _ = self.run('maps', '--rollup', '--pid', '7', path)
        assert status == GOOD and out.count('[rollup]') == 1, out
        for line in ('Rss:                   8 kB', 'Pss:                   6 kB',
                     'Pss_Anon:              2 kB', 'Pss_File:              4 kB'):
            assert line in out, (line, out)
        status, out, _ = self.run('maps', '--pagemap', path)
        assert status == GOOD and out == PAGEMAP, out
        status, out, _ = self.run('maps', '--statm', '--pid', '7', path)
        assert status == GOOD and out.splitlines()[1:] == ['35 0 0 0 0 34 0'], out
        status, out, _ = self.run('maps', '--statm', '--pages', '--pid', '7', path)
        assert status == GOOD and out.splitlines()[1:] == ['35 2 1 0 0 34 0'], out

    def test_maps_as_json(self):
        path = self.shown()
        for options, pages in (([], False), (['--pages'], True)):
            status, out, _ = self.run('maps', '--json', *options, path)
            told = json.loads(out)
            assert status == GOOD and [mm['process'] for mm in told] == [8, 7], told
            for mm in told:
                assert (mm['path'], mm['when']) == ('/bin/program', 'still alive'), mm
                assert [area['name'] for area in mm['mm']['areas']] == ['/bin/program', '[stack]'], mm
                assert ('rollup' in mm['mm']) == pages, mm
                assert mm['mm']['statm']['resident'] == (2 if pages else 0), mm
        status, out, _ = self.run('maps', '--json', '--pid', '9', path)
        assert status == CHECK and json.loads(out) == [], out
        for name in ('gcc', 'shell-touch'):
            status, out, _ = self.run('maps', '--json', '--pages',
                                      os.path.join(self.traces, name + '.vtrace.zst'))
            told = json.loads(out)
            assert status == GOOD and sum(mm['mm']['rollup']['rss'] for mm in told) > 1 << 16, told

    def test_draw_with_pages(self):
        path = self.shown()
        status, out, err = self.run('draw', '--text', '--pages', path)
        assert status == GOOD and out == DRAWN, (out, err)
        status, out, _ = self.run('draw', '--text', path)
        assert status == GOOD and out == re.sub(r'(?m)^pages:.*\n|, 4 KiB present.*| \[[.s#]*\] *(?= )',
                                                '', DRAWN), out
        status, plain, _ = self.run('draw', path, '-o', '-')
        status, out, err = self.run('draw', '--pages', path, '-o', '-')
        assert status == GOOD, err
        picture = xml.dom.minidom.parseString(out)
        fills = [rect.getAttribute('fill') for rect in picture.getElementsByTagName('rect')]
        # One in the legend, and one for each state of each part: in the parent and in the child.
        assert (fills.count('#3f6fb5'), fills.count('#2fa39a')) == (1 + 2, 1 + 2), fills
        assert (fills.count('#8a4fb0'), fills.count('#c8532b')) == (1, 1), fills
        for words in ('present', 'shared', 'huge', 'swapped'):
            assert f'>{words}</text>' in out, words
        assert '#3f6fb5' not in plain

    def test_draw_of_one_process(self):
        """Also of one whose memory another has as well."""
        path = self.write('vfork.vtrace', HEADER + FILE + EXEC + RUN + 'vfork 7 8\nthread 8 9\n')
        for pid in ('7', '8', '9'):
            status, out, err = self.run('draw', '--text', '--pid', pid, path)
            assert status == GOOD, (pid, err)
            of = '7' if pid == '7' else '8'
            assert f'\nprocess {of}, /bin/program, after 4 calls' in out, (pid, out)

    def test_a_thread_that_has_ended(self):
        """Its number means its process, as long as that is there and afterwards."""
        alive = HEADER + FILE + EXEC + RUN + 'thread 7 8\nexit 8 0\n'
        for text, when in (alive, 'still alive'), (alive + 'exit 7 0\n', 'at its end'):
            path = self.write('thread.vtrace', text)
            status, out, err = self.run('maps', '--pid', '8', path)
            assert status == GOOD and out.startswith(f'# process 7, /bin/program, {when}\n'), err
            status, out, err = self.run('draw', '--text', '--pid', '8', path)
            assert status == GOOD and '\nprocess 7, /bin/program, ' in out, err
            status, _, err = self.run('core', '--pid', '8', '-o', 'thread.core', path)
            assert status == GOOD and 'process 7, /bin/program' in err, err
            assert self.run('maps', '--pid', '9', path)[0] == CHECK

    def test_draw_in_little_memory(self):
        path = os.path.join(self.traces, 'shell-touch.vtrace.zst')
        status, _, err = self.run('draw', '--pages', '--arena', '1', path, '-o', 'x.svg')
        assert status == USAGE and 'a larger --arena is needed' in err, err
        assert self.run('draw', '--pages', '--arena', '64', path, '-o', 'x.svg')[0] == GOOD

    def test_names_in_any_bytes(self):
        """Pictures and JSON are UTF-8, whatever names are."""
        name = b'/tmp/\xff\xc3\xa9\xc3\xa9' + b'\xe2\x82\xac' * 20 + b'\xed\xa0\x80\xef\xbf\xbf'
        text = (HEADER + FILE + EXEC + RUN).encode().replace(b'/bin/program', name).replace(
            b'a test', name * 4)
        text += b'munmap 7 0x400000 0x1000 = -EPERM\nnote 7 "%s"\n' % name
        path = os.path.join(self.dir, 'bytes.vtrace')
        with open(path, 'wb') as f:
            f.write(text)

        def say(*args):
            return subprocess.run([self.vmarea, *args, path], capture_output=True,
                                  timeout=240, cwd=self.dir).stdout.decode()

        picture = xml.dom.minidom.parseString(say('draw', '-o', '-'))
        words = ''.join(node.data for element in picture.getElementsByTagName('text')
                        for node in element.childNodes if node.nodeType == node.TEXT_NODE)
        assert '\ufffd\u00e9\u00e9\u20ac' in words and '\u2026' in words, words
        told = json.loads(say('maps', '--json'))[0]
        assert told['path'].encode('utf-8', 'surrogateescape') == name, told
        told = json.loads(say('replay', '--json'))[0]
        assert '/tmp/\ufffd\u00e9' in next(iter(told['reasons'])), told

    def test_draw(self):
        for name in ('gcc', 'python', 'threads'):
            path = os.path.join(self.dir, name + '.svg')
            status, _, err = self.run('draw', os.path.join(self.traces, name + '.vtrace.zst'), '-o',
                                      path)
            assert status == GOOD, err
            with open(path, encoding='utf-8') as f:
                text = f.read()
            xml.dom.minidom.parseString(text)
            for words in ('[stack]', '[heap]', 'libc.so.6', 'free', 'r-x', 'grows down'):
                assert words in text, (name, words)
        path = self.write('good.vtrace', HEADER.replace('a test', 'a < b & c') + FILE + EXEC)
        status, out, err = self.run('draw', path, '-o', '-')
        assert status == GOOD and 'a &lt; b &amp; c' in out, err
        xml.dom.minidom.parseString(out)


def main():
    tests = Tests(*map(os.path.abspath, sys.argv[1:6]))
    names = [name for name in dir(tests) if name.startswith('test_')]
    failed = 0
    print(f'1..{len(names)}')
    for number, name in enumerate(names, 1):
        try:
            getattr(tests, name)()
            print(f'ok {number} - {name}')
        except Skip as why:
            print(f'ok {number} - {name} # SKIP {why}')
        except Exception as why:
            failed += 1
            print(f'not ok {number} - {name}')
            for line in f'{type(why).__name__}: {why}'.splitlines():
                print(f'# {line}')
        sys.stdout.flush()
    shutil.rmtree(tests.dir)
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
