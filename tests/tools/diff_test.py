#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
`vmarea diff` beside the running kernel: no difference with the library as it is, and a short list of
calls from one into which a defect was built.

    diff_test.py VMAREA PLANTED

VMAREA is the command; PLANTED the same, linked with a library whose areas merge although one has
VM_NORESERVE and the other has not, and where a page may be written to although one other process has
it since a fork.  Prints TAP.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

SKIP = 77
SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'scripts')
GOOD, CHECK, USAGE, DEFECT = 0, 1, 2, 3


def run(command, *args, **environment):
    done = subprocess.run([command, 'diff', '--quiet', *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=300,
                          env={**os.environ, **environment})
    return done.returncode, done.stdout, done.stderr


def script_calls(path):
    with open(path, encoding='utf-8') as f:
        return [line for line in f if re.match(r'\d', line)]


class Tests:
    def __init__(self, vmarea, planted):
        self.vmarea, self.planted = vmarea, planted

    def test_no_difference(self):
        status, out, err = run(self.vmarea, '--seed', '11', '--calls', '60000', '--json')
        assert status == GOOD, err
        summary = json.loads(out)
        assert summary['differences'] == 0
        assert summary['calls'] == 60000
        assert sum(summary['per_call'].values()) == 60000
        assert summary['kernel'] == ' '.join((os.uname().sysname, os.uname().release))

    def test_no_difference_in_memory(self):
        """By each way to the pages, with tables of 4 and of 5 levels."""
        for seed, mmu, levels in ((21, 'none', 4), (22, 'soft', 4), (23, 'soft', 5),
                                  (24, 'host', 4), (25, 'host', 5)):
            status, out, err = run(self.vmarea, '--touch', '--mmu', mmu, '--levels', str(levels),
                                   '--seed', str(seed), '--calls', '30000', '--json')
            assert status == GOOD, err
            summary = json.loads(out)
            assert summary['differences'] == 0
            assert summary['per_call']['load'] and summary['per_call']['store']

    def test_no_difference_in_files(self):
        for seed, mmu, levels in ((31, 'none', 4), (32, 'soft', 5), (33, 'host', 4)):
            status, out, err = run(self.vmarea, '--touch', '--files', '--mmu', mmu, '--levels',
                                   str(levels), '--seed', str(seed), '--calls', '30000', '--json')
            assert status == GOOD, err
            made = json.loads(out)['per_call']
            for call in 'punch', 'file_read', 'file_write', 'file_sync', 'add_seals':
                assert made[call], made

    def test_no_difference_in_memory_alone(self):
        """The file on a disk is on none."""
        if not os.access('/dev/shm', os.W_OK):
            return
        status, _, err = run(self.vmarea, '--touch', '--files', '--mmu', 'soft', '--seed', '35',
                             '--calls', '20000', TMPDIR='/dev/shm')
        assert status == GOOD, err

    def test_scripts_of_memory(self):
        """What is stored, where it crosses into a page that is not there, and after a fork."""
        with open('memory.script', 'w', encoding='utf-8') as f:
            f.write('setup top-down capable touch soft 5-level\n'
                    '0 mmap 0x200000000000 0x2000 0x3 0x32 - 0x0\n'
                    '0 store 0x200000000ffd 0x7 0x11223344556677\n'
                    '0 store 0x200000001ffd 0x8 0x1122334455667788\n'
                    '0 store 0x200000001ffd 0x7 0x99887766554433\n'
                    '0 load 0x200000001ffc 0x4\n'
                    '0 fork 1\n'
                    '1 store 0x200000000ffe 0x4 0xcafe\n'
                    '0 load 0x200000000ffc 0x8\n'
                    '0 load 0x1fffffffffff 0x2\n')
        for mmu in ('none', 'soft', 'host'):
            with open('memory.script', encoding='utf-8') as f:
                text = f.read().replace(' soft ', f' {mmu} ')
            with open(f'{mmu}.script', 'w', encoding='utf-8') as f:
                f.write(text)
            status, out, err = run(self.vmarea, '--script', f'{mmu}.script')
            assert status == GOOD, err
            assert '9 calls, no difference' in out, out

    def test_jobs_share_the_calls(self):
        status, out, err = run(self.vmarea, '--calls', '20001', '--jobs', '2', '--json')
        assert status == GOOD, err
        assert json.loads(out)['calls'] == 20001

    def test_scripts(self):
        """A list of calls for each difference that there once was."""
        scripts = sorted(os.listdir(SCRIPTS))
        assert scripts
        for name in scripts:
            status, out, err = run(self.vmarea, '--script', os.path.join(SCRIPTS, name))
            assert status == GOOD, f'{name}: {out}{err}'

    def test_only_and_without(self):
        status, out, err = run(self.vmarea, '--calls', '5000', '--only', 'munmap', '--only',
                               'brk', '--without', 'brk', '--json')
        assert status == GOOD, err
        made = {name for name, nr in json.loads(out)['per_call'].items() if nr}
        assert made == {'mmap', 'munmap'}, made

    def test_planted_defect_is_found_and_shrunk(self):
        status, out, err = run(self.planted, '--calls', '200000', '--only', 'munmap', '--only',
                               'mprotect', '--only', 'touch')
        assert status == CHECK, out + err
        again = re.search(r'again: vmarea diff --script (\S+)', err).group(1)
        assert 1 <= len(script_calls(again)) <= 4, err
        assert 'NORESERVE' in err, err
        status, out, err = run(self.planted, '--script', again)
        assert status == CHECK, out + err
        status, out, err = run(self.vmarea, '--script', again)
        assert status == GOOD, out + err

    def test_planted_defect_of_pages_is_found_and_shrunk(self):
        status, out, err = run(self.planted, '--touch', '--calls', '200000', '--only', 'fork',
                               '--only', 'store', '--only', 'load')
        assert status == CHECK, out + err
        again = re.search(r'again: vmarea diff --script (\S+)', err).group(1)
        calls = script_calls(again)
        assert 3 <= len(calls) <= 6, err
        assert any(' fork ' in call for call in calls), err
        status, out, err = run(self.planted, '--script', again)
        assert status == CHECK, out + err
        status, out, err = run(self.vmarea, '--script', again)
        assert status == GOOD, out + err

    def test_planted_defect_is_met_again(self):
        status, _, err = run(self.planted, '--calls', '200000', '--no-shrink')
        assert status == CHECK, err
        words = re.search(r'as it was met: vmarea (diff .*)', err).group(1).split()
        again, _, err = run(self.planted, *words[1:], '--no-shrink')
        assert again == CHECK, err

    def test_usage(self):
        for args, message in (
                (('--calls', '0'), 'too small'),
                (('--only', 'mmapp'), "no call 'mmapp'"),
                (('--window', '1000000'), 'too large'),
                (('--mmu', 'soft'), '--mmu is about pages: add --touch'),
                (('--touch', '--mmu', 'hard'), "'hard' is none of none, soft, host"),
                (('--touch', '--levels', '3'), 'too small'),
                (('--only', 'load'), 'without --touch'),
                (('--files',), '--files is about pages: add --touch'),
                (('--touch', '--only', 'punch'), 'not without --files'),
                (('--what',), 'unknown option --what'),
                (('--only', 'mmap', '--without', 'mmap'), '--without: no call is left to be made'),
                (('--only', 'exit', '--without', 'mmap'),
                 'in 200 rounds none of the calls of --only could be made'),
                (('x',), "what is 'x' for?")):
            status, out, err = run(self.vmarea, *args)
            assert status == USAGE, (args, status)
            assert message in err, (args, err)
            assert not out, out

    def test_bad_scripts(self):
        for text, message in (
                ('setup sideways\n', 'bad.script:1: setup'),
                ('setup top-down\n0 mnmap 0 1\n', 'bad.script:2: no such call'),
                ('setup top-down\n0\n', "bad.script:2: no such call: ''"),
                ('setup top-down 5-level touch\n', 'bad.script:1: setup: top-down'),
                ('setup top-down 5-level touch\n', "; not '5-level'"),
                ('0 munmap 0\n', 'bad.script:1: munmap: an argument is missing, there are to be 2'),
                ('0 munmap 0 x\n', "bad.script:1: munmap: 'x' is no number"),
                ('0 munmap 0 1 2\n', "bad.script:1: munmap: too many arguments, '2' is behind the 2"),
                ('9 munmap 0 1\n', 'bad.script:1: a line begins with the number of a process, 0 to '
                 "5, not '9'"),
                ('0 fork 6\n', 'bad.script:1: fork: argument 1 is 6, not one of 0 to 5'),
                ('0 shmat 3 0 0\n', 'bad.script:1: shmat: argument 1 is 3, not one of 0 to 2'),
                ('0 truncate - 0\n', 'bad.script:1: truncate: argument 1 is -, not one of 0 to 23'),
                ('0 setrlimit 4 0\n', 'bad.script:1: setrlimit: argument 1 is 4, not one of 0 to 3'),
                ('0 touch 0 3\n', 'bad.script:1: touch: argument 2 is 3, not one of 0 to 2'),
                ('setup touch\n0 load 0 9\n', 'bad.script:2: load: argument 2 is 9, not one of 1 '
                 'to 8'),
                ('setup touch\n0 peek 0 32769 0 0\n', 'bad.script:2: peek: argument 2 is 32769, not '
                 'one of 0 to 32768'),
                ('setup touch\n0 peek 0 1 0 2\n', 'bad.script:2: peek: argument 4 is 2, not one of 0 '
                 'to 1'),
                ('# nothing\n', 'bad.script:1: there is no call in it'),
                ('0 munmap 0 ' + ' ' * 1100 + '1\n', 'bad.script:1: a line of more than 1022 bytes')):
            with open('bad.script', 'w', encoding='utf-8') as f:
                f.write(text)
            status, _, err = run(self.vmarea, '--script', 'bad.script')
            assert status == USAGE, (text, status)
            assert message in err, (text, err)
        status, _, err = run(self.vmarea, '--script', '.')
        assert status == USAGE and '.:0: Is a directory' in err, err

    def test_what_a_script_leaves_out_is_told(self):
        with open('out.script', 'w', encoding='utf-8') as f:
            f.write('setup top-down capable\n0 mmap 0x200000000000 0x2000 0x3 0x32 - 0x0\n'
                    '0 load 0x200000000000 0x4\n1 munmap 0x200000000000 0x1000\n')
        status, out, err = run(self.vmarea, '--script', 'out.script')
        assert status == GOOD and '3 calls, 2 of them left out, no difference' in out, (out, err)

    def test_a_script_that_cannot_be_saved(self):
        """What would be there of it is no script."""
        os.mkdir('full')
        for found_in in range(100):
            os.symlink('/dev/full', f'full/vmarea-diff-1-{found_in}.script')
        done = subprocess.run([self.planted, 'diff', '--quiet', '--no-shrink', '--calls', '200000',
                               '--only', 'munmap', '--only', 'mprotect', '--only', 'touch'],
                              capture_output=True, text=True, timeout=300, cwd='full')
        assert done.returncode == CHECK, done
        assert 'again: vmarea diff --script' not in done.stderr, done.stderr
        assert '.script: cannot be written: No space left' in done.stderr, done.stderr

    def test_help_has_an_example(self):
        status, out, _ = run(self.vmarea, '--help')
        assert status == GOOD
        assert 'vmarea diff --seed 7' in out


def kernel():
    major, minor = re.match(r'(\d+)\.(\d+)', os.uname().release).groups()
    return int(major), int(minor)


def main():
    tests = Tests(*map(os.path.abspath, sys.argv[1:3]))
    names = [name for name in dir(tests) if name.startswith('test_')]
    failed = 0

    if kernel() < (6, 18):
        print(f'1..0 # SKIP the library follows Linux 6.18, this is {os.uname().release}')
        return SKIP
    status, _, err = run(tests.vmarea, '--calls', '1')
    if status == DEFECT and ' here: ' in err:
        print(f'1..0 # SKIP {err.strip()}')
        return SKIP
    print(f'1..{len(names)}')
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        for nr, name in enumerate(names, 1):
            try:
                getattr(tests, name)()
                print(f'ok {nr} {name}', flush=True)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                failed += 1
                print(f'not ok {nr} {name}')
                for line in str(error).splitlines():
                    print(f'# {line}', flush=True)
        os.chdir('/')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
