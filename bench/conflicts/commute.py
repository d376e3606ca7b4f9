# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Which calls commute: in either order they return the same, and leave the same to be seen.

Each call has three sets of things: what its result depends on (asks), what it changes, and what it
counts.  Two calls commute if neither changes or counts what the other asks, nor changes what the other
changes.  Counting commutes with counting: a sum knows no order.

A thing belongs to an address space.  Those in EACH are two, one for each side; the others are one.
"""
import collections

Call = collections.namedtuple("Call", "does asks changes counts")

EACH = {
    "own",              # an area that nobody has written to, and the free pages behind it
    "touched",          # an area that somebody has written to
    "mapped",           # an area of a file
    "near",             # one of two neighbours in a leaf of the tree and in memory
    "pages",            # what is in the pages of these
    "advice",           # what they were advised, whether they are locked; not shown by maps
    "child",            # a fork of the address space
}
ONE = {
    "shared",           # an area that both sides look at; its pages are the sides' own
    "heap",             # where the break is
    "writers",          # how often it has been locked for write
    "users",            # references to the address space
    "file",             # references to the file
    "promised",         # pages that the machine has promised; far from every limit
}
AREAS = {"own", "touched", "mapped", "near", "shared", "heap"}


def call(does, asks=(), changes=(), counts=()):
    return Call(does, frozenset(asks), frozenset(changes), frozenset(counts))


def writer(does, asks=(), changes=(), counts=()):
    return call(does, asks, changes, set(counts) | {"writers", "promised"})


CALLS = {
    "range_ok": call("mm_range_ok() of the shared area", {"shared"}),
    "speculate": call("mmap_lock_speculate_try_begin(), _retry()", {"writers"}),
    "lookup_one": call("lock_vma_under_rcu(), vma_end_read() of the shared area", {"shared"}),
    "lookup_near": call("the same of neighbours", {"near"}),
    "lookup_far": call("the same of areas far apart", {"own"}),
    "query": call("mm_query() of areas far apart", {"own"}),
    "query_near": call("mm_query() of neighbours", {"near"}),
    "query_file": call("mm_query() of two areas of one file", {"mapped"}, counts={"file"}),
    "query_next": call("mm_query_next() of areas far apart", {"own"}),
    "read_lock": call("mmap_read_lock(), vma_lookup(), mmap_read_unlock()", {"own"}),
    "for_each": call("mm_for_each_area() over five areas", {"own", "touched", "mapped", "advice"},
                     counts={"file"}),
    "maps": call("mm_report_maps()", AREAS, counts={"file"}),
    "touch": call("mm_touch(): the first write to an area", {"own"}, {"pages"}),
    "touch_again": call("mm_touch(): another write", {"touched"}, {"pages"}),
    "dontneed": call("mm_madvise(MADV_DONTNEED)", {"touched"}, {"pages"}),
    "fault_first": call("mm_handle_fault(): the first write to an area", {"own"}, {"pages"}),
    "fault_far": call("the first write to the next page of an area", {"touched"}, {"pages"}),
    "fault_near": call("the same of neighbours", {"near"}, {"pages"}),
    "fault_one": call("the same of two pages of the shared area", {"shared"}, {"pages"}),
    "fault_read": call("mm_handle_fault(): a read of an area that nobody has written to", {"own"}, {"pages"}),
    "load": call("mm_read() of a byte that is there", {"touched"}),
    "store": call("mm_write() of a byte that is there", {"touched"}, {"pages"}),
    "zap": call("mm_madvise(MADV_DONTNEED) of an area with pages", {"touched"}, {"pages"}),
    "mmap": writer("mm_mmap(MAP_FIXED_NOREPLACE), anonymous", {"own"}, {"own"}),
    "mmap_file": writer("mm_mmap(MAP_FIXED_NOREPLACE) of one file", {"own"}, {"own"}, {"file"}),
    "munmap": writer("mm_munmap() of an area", {"touched"}, {"touched", "pages"}),
    "mprotect": writer("mm_mprotect() of an area", {"touched"}, {"touched"}),
    "mprotect_part": writer("mm_mprotect() of its second page", {"touched"}, {"touched"}),
    "madvise": writer("mm_madvise(MADV_RANDOM) of an area", {"touched"}, {"advice"}),
    "mlock": writer("mm_mlock() of an area", {"touched"}, {"advice", "pages"}),
    "brk": writer("mm_brk() to a break of each side's own", {"heap"}, {"heap"}),
    "fork": writer("mm_fork()", AREAS | {"pages", "advice"}, counts={"file"}),
    "exit": call("the last mmput() of a fork", {"child"}, {"child"}, {"file", "promised"}),
    "create": call("mm_create()"),
    "mmget": call("mmget(), mmput()", counts={"users"}),
    "mmgrab": call("mmgrab(), mmdrop()", counts={"users"}),
    "file_get": call("file_get(), file_put() of one file", counts={"file"}),
}


def things(names, side):
    """maps and fork look at both sides' areas, which is what each of the sides changes."""
    return {(name, s) for name in names for s in ("A", "B")
            if name not in EACH or s == side or names >= AREAS}


def verdict(x, y, place):
    """(does x of side A commute with y of side B, why)."""
    if place != "mm":
        return True, "different address spaces"
    a, b = CALLS[x], CALLS[y]
    asks = things(a.asks, "A"), things(b.asks, "B")
    changes = things(a.changes, "A"), things(b.changes, "B")
    counts = things(a.counts, "A"), things(b.counts, "B")
    for who, whom, i, k in ((x, y, 0, 1), (y, x, 1, 0)):
        for verb, what in (("changes", changes[i]), ("counts", counts[i])):
            clash = sorted(name for name, _ in what & asks[k])
            if clash:
                return False, f"{who} {verb} what {whom} asks: {clash[0]}"
    clash = sorted(name for name, _ in changes[0] & changes[1])
    if clash:
        return False, f"the second decides: {clash[0]}"
    if counts[0] & counts[1]:
        return True, "neither changes what the other asks, and what both count is a sum"
    if a.changes or b.changes or a.counts or b.counts:
        return True, "neither changes what the other asks"
    return True, "both only look"
