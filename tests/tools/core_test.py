#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
vmarea core: gdb and readelf read what it writes, and what gdb finds is what the recording tells.

    core_test.py VMAREA TRACES

VMAREA is the command, TRACES is the directory of the recordings in the repository.  Prints TAP.
"""
import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile

GOOD, CHECK, USAGE = 0, 1, 2
PAGE = 4096
STEP = 0x9e3779b97f4a7c15   # docs/TRACE-FORMAT.md: stand-ins

# A file, private pages, some not to be dumped, some that nobody may read, and 4 TiB of nothing.
SMALL = '''vmarea-trace 2
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
file f1 08:01 99 mode=r place=huge size=4096 "/bin/program"
exec 7 m1 task-size=0x7ffffffff000 base=0x7f0000000000 legacy-base=0x2aaaaaaab000 brk=0x600000-0x600000 stack=0x7ffffffde000 stack-limit=0x800000 "/bin/program"
 400000-401000 rd,ex,mr,mw,me f1
 7ffffffdd000-7ffffffff000 rd,wr,mr,mw,me,gd,ac touched
end
page f1 0 0x0:7f454c46 0x20:0a0b0c0d
mmap 7 0x10000000 0x4000 3 0x32 - 0 = 0x10000000
madvise 7 0x10002000 0x1000 16 = 0
store m1 0x10000000 0x10:1122334455667788
store m1 0x10001000 0x0:deadbeef
store m1 0x10002000 0x0:99
store m1 0x7ffffffde000 0x8:0123
mprotect 7 0x10001000 0x1000 0 = 0
mmap 7 0x10100000000 0x40000000000 3 0x4032 - 0 = 0x10100000000
store m1 0x30100000000 0x0:77
fork 7 8 m2
store m2 0x10000000 0x10:ff
'''

WRONG_USES = [
    (['x.vtrace'], 'vmarea core: where to? (-o CORE)'),
    (['-o', 'x.core'], 'vmarea core: which file? (vmarea core -o CORE FILE)'),
    (['-o', 'x.core', 'a', 'b'], 'vmarea core: one file at a time'),
    (['-o'], 'vmarea core: -o needs a value'),
    (['--filter', '0x200', '-o', 'x.core', 'a'],
     'vmarea core: --filter: 0x200 is too large, at most 511'),
    (['--filter', 'all', '-o', 'x.core', 'a'], 'vmarea core: --filter: all is not a number'),
    (['--pid', '0', '-o', 'x.core', 'a'], 'vmarea core: --pid: 0 is too small, at least 1'),
    (['-o', '/nowhere/core', 'a'], 'vmarea core: /nowhere/core: No such file or directory'),
    (['-o', '/dev/null', 'a'],
     'vmarea core: /dev/null: not a regular file: a core file has holes'),
    (['-o', 'x.core', '/nowhere'], 'vmarea core: /nowhere: No such file or directory'),
]


def unpack(path):
    zstd = ctypes.CDLL('libzstd.so.1')
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    zstd.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p,
                                     ctypes.c_size_t]
    with open(path, 'rb') as f:
        packed = f.read()
    text = ctypes.create_string_buffer(1 << 26)
    size = zstd.ZSTD_decompress(text, len(text), packed, len(packed))
    assert size < len(text), path
    return text.raw[:size].decode()


class Recording:
    """
    What a recording says of memory, read without the command: for each mm its last map, and its
    pages that are its own, by address.
    """
    def __init__(self, text):
        self.lines = text.splitlines()
        self.maps, self.pages = {}, {}
        self.of_file, self.inode, self.mm_of = {}, {}, {}
        self.read_maps()
        for line in self.lines:
            self.event(line.split())

    def read_maps(self):
        lines = iter(self.lines)
        for line in lines:
            words = line.split()
            if words[:1] == ['map']:
                areas = self.maps[words[1]] = []
                while (line := next(lines)) != 'end':
                    span, _, offset, _, inode = line.split()[:5]
                    start, end = (int(n, 16) for n in span.split('-'))
                    areas.append((start, end, int(offset, 16), int(inode)))

    def event(self, words):
        match words:
            case ['file', file, _, inode, *_]:
                self.inode[file] = int(inode)
            case ['page', file, number, *contents]:
                put(self.of_file, (self.inode[file], int(number, 0)), contents)
            case ['exec', task, mm, *_]:
                self.mm_of[task] = mm
                self.pages[mm] = {}
            case ['fork', task, child, mm]:
                self.mm_of[child] = mm
                self.pages[mm] = {addr: bytearray(page)
                                  for addr, page in self.pages[self.mm_of[task]].items()}
            case ['store', mm, addr, *contents]:
                addr = int(addr, 0)
                if addr not in self.pages[mm]:
                    self.pages[mm][addr] = self.before(mm, addr)
                put(self.pages[mm], addr, contents)

    def before(self, mm, addr):
        """What is in a page that has not been written to: that of the file, or zeros."""
        for start, end, offset, inode in self.maps.get(mm, ()):
            if inode and start <= addr < end:
                number = (offset + addr - start) // PAGE
                return bytearray(self.of_file.get((inode, number), bytes(PAGE)))
        return bytearray(PAGE)

    def mapped(self, mm):
        return {addr: bytes(page) for addr, page in self.pages[mm].items()
                if any(start <= addr < end for start, end, *_ in self.maps[mm])}


def put(pages, key, contents):
    page = pages.setdefault(key, bytearray(PAGE))
    for word in contents:
        if word == 'whole':
            page[:] = bytes(PAGE)
        elif word.startswith('='):
            number = int(word[1:], 16)
            page[:] = b''.join(((number + i * STEP) % (1 << 64)).to_bytes(8, 'little')
                               for i in range(PAGE // 8))
        else:
            offset, data = word.split(':')
            data = bytes.fromhex(data)
            page[int(offset, 0):int(offset, 0) + len(data)] = data


class Tests:
    def __init__(self, vmarea, traces):
        self.vmarea, self.traces = vmarea, traces
        self.dir = tempfile.mkdtemp(prefix='vmarea-core-')
        self.shell = os.path.join(traces, 'shell-touch.vtrace.zst')

    def run(self, *args):
        done = subprocess.run([self.vmarea, 'core', *args], capture_output=True, text=True,
                              timeout=120, cwd=self.dir)
        return done.returncode, done.stdout, done.stderr

    def core(self, *args):
        status, out, err = self.run('-o', 'test.core', *args)
        assert status == GOOD and not out, err
        return os.path.join(self.dir, 'test.core'), err

    def small(self):
        path = os.path.join(self.dir, 'small.vtrace')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(SMALL)
        return path

    def tool(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=self.dir,
                              env=dict(os.environ, LC_ALL='C'))
        return done.stdout, done.stderr

    def gdb(self, core, *commands):
        args = [arg for command in commands for arg in ('-ex', command)]
        out, err = self.tool('gdb', '-nx', '-q', '-batch', '-c', core, *args)
        # Programs and libraries of the recorded machine need not be on this one.
        return out, re.sub(r'warning: Can.t open file .* note processing\n', '', err)

    def words_at(self, core, *addresses):
        """What x/8xb says of each, or None where it says that there is no memory."""
        found = {}
        for addr in addresses:
            out, err = self.gdb(core, f'x/8xb {addr:#x}')
            line = next((l for l in out.splitlines() if l.startswith(f'{addr:#x}:')), '')
            values = bytes(int(b, 16) for b in re.findall(r'\t0x([0-9a-f]{2})', line))
            assert values or 'Cannot access memory' in err, (out, err)
            found[addr] = values or None
        return found

    # ----------------------------------------------------------------------------------------

    def test_help(self):
        status, out, err = self.run('--help')
        assert status == GOOD and not err, err
        assert out.startswith('usage: vmarea core ') and 'Example' in out, out

    def test_wrong_uses(self):
        for args, words in WRONG_USES:
            status, out, err = self.run(*args)
            assert status == USAGE, (args, status)
            assert err.splitlines()[0] == words, (args, err)
            assert not out, (args, out)
        assert not os.path.exists(os.path.join(self.dir, 'x.core'))

    def test_no_such_process(self):
        status, _, err = self.run('--pid', '99', '-o', 'x.core', self.small())
        assert status == CHECK and 'no process 99 has an address space' in err, err
        assert not os.path.exists(os.path.join(self.dir, 'x.core'))
        with open(os.path.join(self.dir, 'kept.core'), 'w', encoding='utf-8') as f:
            f.write('kept')
        assert self.run('--pid', '99', '-o', 'kept.core', self.small())[0] == CHECK
        with open(os.path.join(self.dir, 'kept.core'), encoding='utf-8') as f:
            assert f.read() == 'kept'

    def test_a_disk_that_is_full(self):
        path = self.small()     # 4 TiB, and there may be 10 MiB
        with open(os.path.join(self.dir, 'old.core'), 'w', encoding='utf-8') as f:
            f.write('kept')
        for name in ('x.core', 'old.core'):
            done = subprocess.run(['sh', '-c', 'ulimit -f 20480; trap "" XFSZ; exec "$@"', 'sh',
                                   self.vmarea, 'core', '--arena', '4', '-o', name, path],
                                  capture_output=True, text=True, timeout=120, cwd=self.dir)
            assert done.returncode == 3, done
            assert done.stderr == f'vmarea core: {name}: File too large\n', done.stderr
        with open(os.path.join(self.dir, 'old.core'), encoding='utf-8') as f:
            assert f.read() == 'kept'
        assert not [name for name in os.listdir(self.dir) if name.startswith('x.core')]

    def test_known_bytes(self):
        core, told = self.core(self.small())
        assert re.search(r'process 7, /bin/program: 7 areas, 43980\d+ bytes, 43980\d+ of them '
                         r'holes', told), told
        assert os.stat(core).st_blocks * 512 < 1 << 20
        assert self.words_at(core, 0x10000010, 0x10001000, 0x10002000, 0x10003000, 0x7ffffffde008,
                             0x30100000000, 0x30100001000, 0x400000, 0x400020, 0x20000000) == {
            0x10000010: bytes.fromhex('1122334455667788'),
            0x10001000: bytes.fromhex('deadbeef00000000'),     # PROT_NONE
            0x10002000: bytes(8),                              # MADV_DONTDUMP
            0x10003000: bytes(8),
            0x7ffffffde008: bytes.fromhex('0123000000000000'),
            0x30100000000: bytes.fromhex('7700000000000000'),
            0x30100001000: bytes(8),
            0x400000: bytes.fromhex('7f454c4600000000'),       # the header of ELF
            0x400020: bytes.fromhex('0a0b0c0d00000000'),
            0x20000000: None,                                  # nothing is mapped
        }

    def test_another_process(self):
        core, _ = self.core('--pid', '8', self.small())
        assert self.words_at(core, 0x10000010) == {0x10000010: bytes.fromhex('ff22334455667788')}
        out, _ = self.gdb(core, 'info threads')
        assert re.search(r'\* 1 +LWP 8 ', out) or 'process 8' in out, out

    def test_filter(self):
        core, _ = self.core('--filter', '0', self.small())
        nothing = bytes(8)      # gdb's word for what the file has an area, but no bytes of
        assert self.words_at(core, 0x10000010, 0x400000) == {0x10000010: nothing,
                                                             0x400000: nothing}
        core, _ = self.core('--filter', '0x4', self.small())
        assert self.words_at(core, 0x10000010, 0x400000) == {
            0x10000010: nothing, 0x400000: bytes.fromhex('7f454c4600000000')}

    def test_a_recording_without_bytes(self):
        core, _ = self.core(os.path.join(self.traces, 'sqlite.vtrace.zst'))
        out, err = self.gdb(core, 'info proc mappings')
        assert 'libc.so.6' in out and 'warning' not in err, (out, err)

    def test_readelf(self):
        for args in ([self.shell], ['--filter', '0x1ff', self.shell], ['--filter', '0', self.shell],
                     [self.small()]):
            core, _ = self.core(*args)
            for option in ('-h', '-l', '-n'):
                out, err = self.tool('readelf', '-W', option, core)
                assert out and not err, (args, option, err)
                assert 'arning' not in out, (args, option, out)

    def test_a_log_of_strace(self):
        """Without --pid it is the first process."""
        path = os.path.join(self.dir, 'strace.log')
        with open(path, 'w', encoding='utf-8') as f:
            f.write('7 execve("/nowhere/program", ["program"], 0x7ffd0 /* 3 vars */) = 0\n'
                    '7 brk(NULL) = 0x600000\n'
                    '7 mmap(NULL, 8192, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = '
                    '0x7f0000010000\n7 fork() = 8\n7 +++ exited with 0 +++\n')
        _, told = self.core(path)
        assert 'process 7, /nowhere/program: 1 areas' in told, told
        _, told = self.core('--pid', '8', path)
        assert 'process 8, ' in told, told

    def test_areas_in_gdb(self):
        recording = Recording(unpack(self.shell))
        core, told = self.core('--filter', '0x7f', self.shell)
        areas = [area for area in recording.maps['m1'] if area[0] < 1 << 47]
        assert f'{len(areas)} areas' in told, told
        out, err = self.gdb(core, 'info files')
        assert 'warning' not in err, err
        spans = [tuple(int(n, 16) for n in span) for span in
                 re.findall(r'^\t(0x[0-9a-f]+) - (0x[0-9a-f]+) is load', out, re.M)]
        assert spans == [area[:2] for area in areas], out
        out, _ = self.gdb(core, 'info proc mappings')
        listed = [tuple(int(n, 16) for n in line) for line in
                  re.findall(r'^ +(0x[0-9a-f]+) +(0x[0-9a-f]+) +0x[0-9a-f]+ +(0x[0-9a-f]+)', out,
                             re.M)]
        assert listed == [area[:3] for area in areas if area[3]], out
        assert '/usr/bin/dash' in out and 'libc.so.6' in out, out

    def test_memory_in_gdb(self):
        """Every page that a process of the recording has written to, of six processes."""
        recording = Recording(unpack(self.shell))
        compared = 0
        for pid, mm in (('12591', 'm1'), ('12593', 'm2'), ('12595', 'm8'), ('12597', 'm7'),
                        ('12704', 'm12'), ('12705', 'm11')):
            core, _ = self.core('--pid', pid, self.shell)
            pages = recording.mapped(mm)
            _, err = self.gdb(core, *(f'dump binary memory {addr:x} {addr:#x} {addr + PAGE:#x}'
                                      for addr in pages))
            assert 'warning' not in err, err
            for addr, page in pages.items():
                with open(os.path.join(self.dir, f'{addr:x}'), 'rb') as f:
                    assert f.read() == page, (pid, hex(addr))
            compared += len(pages)
        assert compared > 100, compared


def main():
    tests = Tests(*map(os.path.abspath, sys.argv[1:3]))
    names = [name for name in dir(tests) if name.startswith('test_')]
    failed = 0
    print(f'1..{len(names)}')
    for number, name in enumerate(names, 1):
        try:
            getattr(tests, name)()
            print(f'ok {number} - {name}')
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
