#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Follows docs/TESTING-YOUR-DRIVER.md word for word, and holds it to what happens.

    tutorial.py BUILD               with what BUILD would install
    tutorial.py --from-scratch      everything, from a clone on; takes minutes
    tutorial.py --update BUILD      write the output that comes into the document

Each ```sh block is run, all in one shell, in an empty home; what it prints has to be the ```text
block behind it.  Each ```c block has to be part of the example's files.

With BUILD, `make install PREFIX=DIR` puts into DIR what is built there already.  Everything else is
done as it stands.  `--replay` gets the token that was printed before, as a reader's would be, whose
compiler may be another one.

What is compared: every line, in order; a line of ... stands for any others.  Numbers do not count,
but for those of threads and of lines in the example's files: they differ with the compiler.  Nor
do stack frames inside the library, which may be inlined.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOCUMENT = os.path.join(ROOT, "docs", "TESTING-YOUR-DRIVER.md")
EXAMPLES = os.path.join(ROOT, "examples", "testing")
READERS_HOME = "/home/you"
TOKEN = re.compile(r"(?:path|random|pct):[^'\s]*")

INSTALL = r"""
make() {
	case "$#:$1:$2" in 2:install:PREFIX=*) ;; *) echo "make $*: not followed here" >&2; return 2 ;; esac
	meson install -C '%(build)s' --no-rebuild --quiet --destdir "$HOME/staged" >/dev/null || return
	staged=$HOME/staged$(sed -n 's/^prefix=//p' $(find "$HOME/staged" -name vmarea-testing.pc))
	mv "$staged" "${2#PREFIX=}" || return
	find "${2#PREFIX=}" -name '*.pc' -exec sed -i "s|^prefix=.*|prefix=${2#PREFIX=}|" {} +
	rm -r "$HOME/staged"
}
"""


class Block:
    def __init__(self, language, first, lines):
        self.language, self.first, self.lines = language, first, lines    # first: index in the document


def read_blocks(document):
    blocks, lines = [], None
    for i, line in enumerate(document):
        if line.startswith("```"):
            if lines is None:
                language, first, lines = line[3:], i + 1, []
            else:
                blocks.append(Block(language, first, lines))
                lines = None
        elif lines is not None:
            lines.append(line)
    return blocks


class Shell:
    """One bash for all blocks, so that cd and export last."""
    END = "@@ end of block, status "

    def __init__(self, home, cwd, prelude):
        keep = ("PATH", "LANG", "USER", "TERM", "TMPDIR")
        env = {k: os.environ[k] for k in keep if k in os.environ}
        env["HOME"] = home
        self.block = os.path.join(home, ".block")
        self.bash = subprocess.Popen(["bash", "--norc"], cwd=cwd, env=env, text=True, bufsize=1,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT)
        self.run(prelude)

    def run(self, text):
        """Its output as lines, and its exit status."""
        with open(self.block, "w") as f:
            f.write(text + "\n")
        self.bash.stdin.write(f". {self.block} </dev/null; status=$?; echo; echo '{self.END}'$status\n")
        out = []
        for line in self.bash.stdout:
            line = line.rstrip("\n")
            if line.startswith(self.END):
                while out and not out[-1].strip():
                    out.pop()
                return out, int(line[len(self.END):])
            out.append(line)
        raise SystemExit("tutorial.py: the shell has ended:\n" + "\n".join(out))


def same_for_all(line):
    """The line without what may differ between two machines."""
    line = re.sub(r"[^\s(]*\bsrc/", "src/", line)
    line = re.sub(r" \(\d+ alike\)", "", line)
    line = TOKEN.sub("TOKEN", line)
    line = re.sub(r"= [0-9a-f]+\b", "= #", line)
    line = re.sub(r"\b(ring\w*\.[ch]:\d+|T\d)\b|0x[0-9a-f]+|\d+", lambda m: m[1] or "#", line)
    return " ".join(line.split())


def counts(line):
    return not re.match(r"\s+at \S*(src|testing)/\S+ \(", line)


def align(expected, actual):
    """For each expected line that counts the actual one that it is, None for a line of dots; or the
    first expected one that is not there, as a number."""
    found, at, free = [], 0, False
    for i, line in enumerate(expected):
        if line == "...":
            found.append(None)
            free = True
            continue
        want = same_for_all(line)
        while free and at < len(actual) and same_for_all(actual[at]) != want:
            at += 1
        if at == len(actual) or same_for_all(actual[at]) != want:
            return i
        found.append(actual[at])
        at, free = at + 1, False
    return found if free or at == len(actual) else len(expected)


def complain(block, expected, actual, which):
    print(f"{DOCUMENT}:{block.first}: the output is not what the document says; its line "
          f"{which + 1} that counts: {expected[which] if which < len(expected) else '(the end)'}")
    print("----- the output\n" + "\n".join(actual) + "\n-----")
    print("tutorial.py --update BUILD writes it; lines beside ... are kept if they are still there")
    return False


def check_output(block, actual):
    expected = [line for line in block.lines if counts(line)]
    shown = [line for line in actual if counts(line)]
    found = align(expected, shown)
    return complain(block, expected, actual, found) if isinstance(found, int) else True


def update_output(block, actual):
    if "..." not in block.lines:
        block.lines = [line.rstrip() for line in actual]
        return True
    found = align(block.lines, actual)
    if isinstance(found, int):
        return complain(block, block.lines, actual, found)
    block.lines = ["..." if line is None else line.rstrip() for line in found]
    return True


def with_token(block, said):
    """The block, with the token that was printed for its scenario."""
    scenario = re.search(r"--scenario (\S+) --replay", "\n".join(block.lines))
    tokens = [line for line in said if "replay: " in line and scenario and
              f"--scenario {scenario[1]} " in line]
    if not tokens:
        return block.lines
    return [TOKEN.sub(lambda m: TOKEN.search(tokens[-1])[0], line) for line in block.lines]


def follow(blocks, shell, home, update):
    good, said, nr = True, [], 0
    for i, block in enumerate(blocks):
        if block.language != "sh":
            continue
        nr += 1
        output = blocks[i + 1] if i + 1 < len(blocks) and blocks[i + 1].language == "text" else None
        commands = with_token(block, said) if "--replay" in "\n".join(block.lines) else block.lines
        lines, status = shell.run("\n".join(commands))
        lines = [line.replace(home, READERS_HOME) for line in lines]
        said += lines
        if update:
            block.lines = commands
        if output:
            good &= (update_output if update else check_output)(output, lines)
        finds = "\n".join(output.lines if output else [])
        want = 1 if re.search(r": FOUND$|^[a-z ]+ error: ", finds, re.M) else 0
        if status != want:
            print(f"{DOCUMENT}:{block.first}: exit status {status}, not {want}")
            print("\n".join(lines))
            good = False
        if not good and not update:
            break
    return good, nr


def check_sources(blocks):
    texts = []
    for name in sorted(os.listdir(EXAMPLES)):
        with open(os.path.join(EXAMPLES, name)) as f:
            texts.append(f.read())
    good = True
    for block in blocks:
        if block.language == "c" and not any("\n".join(block.lines) in text for text in texts):
            print(f"{DOCUMENT}:{block.first}: not part of any file in {EXAMPLES}")
            good = False
    return good


def write_document(document, blocks):
    for block in reversed(blocks):
        end = document.index("```", block.first)
        document[block.first:end] = block.lines
    with open(DOCUMENT, "w") as f:
        f.write("\n".join(document) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", metavar="BUILD")
    parser.add_argument("--from-scratch", action="store_true")
    parser.add_argument("--update", action="store_true")
    args = parser.parse_args()
    if bool(args.build) == args.from_scratch:
        parser.error("either BUILD or --from-scratch")

    with open(DOCUMENT) as f:
        document = f.read().splitlines()
    blocks = read_blocks(document)
    good = check_sources(blocks)
    home = os.path.realpath(tempfile.mkdtemp())
    try:
        cwd, prelude = ROOT, INSTALL % {"build": os.path.abspath(args.build or "")}
        if args.from_scratch:
            cwd, prelude = os.path.join(home, "checkout"), ""
            subprocess.run(["git", "clone", "-q", ROOT, cwd], check=True)
        followed, nr = follow(blocks, Shell(home, cwd, prelude), home, args.update)
        good &= followed
    finally:
        shutil.rmtree(home)
    if args.update:
        write_document(document, blocks)
    print(f"{nr} blocks of commands, " + ("all as written" if good else "not all as written"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
