/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Counting the pages of areas, as smaps does.
 *
 * Terms.  A *piece* is what is counted with the mmap lock held once.  A page is *shared* if it is
 * mapped in two places or more, wherever these are.  Its *proportional share* (PSS) is its size
 * divided by the number of places, in 1/4096 of a byte, each division rounded down.
 *
 *	entry				counts as
 *	leaf, special			nothing: the zero page is nobody's
 *	leaf				rss; by its page anonymous, file or shmem; by the entry and
 *					the page clean or dirty; by the page's mappings private or
 *					shared
 *	leaf, anonymous and clean	lazy_free, too: only MADV_FREE makes it clean
 *	leaf in a VM_HUGETLB area	shared_hugetlb or private_hugetlb, a whole page of the
 *					pool with the first entry that is met of it, and nothing
 *					else
 *	leaf of 2 MiB			as its 512 pages, and anon_huge, shmem_huge or file_huge
 *	being moved			as a leaf that is neither accessed nor dirty
 *	swapped				swap, swap_pss
 *	none, of shared memory		swap, if the file has it there; not swap_pss
 *	guard, poison			nothing
 *
 * Locking.  The mmap lock for read keeps the areas, and with them the tables of the piece.  Entries
 * are looked at under the lock of their table, 512 at a time: an entry that is there then holds its
 * page, so what the page says is said of this page and not of another that the frame has become
 * since.  In how many places it is mapped may change at any time, as other mms come and go; so may
 * dirty and accessed.  A count is of that moment.
 *
 * Whoever waits to write waits for one piece at most.  An area that is larger than a piece may
 * change while it is counted: see report.h for what is promised.
 *
 * Rejected: the whole mm under one lock.  Its counts would be of one moment and a munmap() of
 * another thread would wait for milliseconds per GiB, as it did for smaps_rollup on Linux before
 * 5.10.  Also rejected: without the tables' locks, by copies of entries.  A page that was freed and
 * is a file's by now would be counted as anonymous in one line and not in the next.
 */
#include "fault/huge.h"
#include "file/swapped.h"
#include "report/entries.h"
#include "swap/swap.h"

/* -------------------------------------------------------------------------------- walking -- */

static int stop_here(void *arg, unsigned long addr, unsigned int level, pte_t entry)
{
	*(unsigned long *)arg = addr;
	return 1;
}

/* The entries from @addr to the end of its table or of the range; returns where it got. */
static unsigned long walk_table(struct pgtable *pt, unsigned long addr, unsigned long end,
				entry_fn *fn, void *arg)
	__context_unsafe("the slot is on the stack")
{
	struct pt_slot slot;

	if (!pt_slot_lock(pt, addr, &slot))
		return addr;
	do {
		pte_t entry = pt_slot_get(&slot);

		if (!pte_none(entry))
			fn(arg, slot.addr, slot.level, entry);
		addr = slot.addr + (slot.level == PT_PMD ? PMD_SIZE : PAGE_SIZE);
	} while (addr < end && pt_slot_next(&slot));
	pt_slot_unlock(&slot);
	return min(addr, end);
}

unsigned long report_entries(struct pgtable *pt, unsigned long start, unsigned long end,
			     unsigned int *budget, entry_fn *fn, void *arg)
{
	unsigned long first;

	while (start < end && *budget) {
		/* Without locks to the next table that has something; then with its lock. */
		if (!pt_walk(pt, start, end, stop_here, &first))
			return end;
		start = walk_table(pt, max(start, first), end, fn, arg);
		--*budget;
	}
	return start;
}

struct page *report_page(const struct pgtable *pt, pte_t entry)
{
	unsigned long pfn;

	switch (pte_soft_type(pt->format, entry)) {
	case 0:
		if (!pte_present(pt->format, entry) || pte_special(pt->format, entry))
			return NULL;
		pfn = pte_pfn(pt->format, entry);
		break;
	case PT_SOFT_MIGRATE_READ:
	case PT_SOFT_MIGRATE_WRITE:
		pfn = pte_migrate_pfn(entry);
		break;
	default:
		return NULL;
	}
	return pfn_page(pt->frames, pfn);
}

u64 report_nr_mapped(struct page *page)
{
	return (u64)max(page_mapcount(page), 1);
}

/* ------------------------------------------------------------------------------- counting -- */

struct counting {
	const struct pgtable *pt;
	struct mm_page_counts *counts;
	vm_flags_t flags;			/* of the area */
	unsigned long start, end;		/* what of it is asked for */
	unsigned long pool_page;		/* bytes of a page of the pool */
	unsigned long pool_done;		/* where the last one that was counted ends */
};

/* @bytes whose pages are all mapped @nr times; @flags of the page that the entry names. */
static void count_bytes(struct counting *c, u32 flags, bool dirty, u64 bytes, u64 nr)
{
	struct mm_page_counts *n = c->counts;
	const bool shared = nr > 1;
	const u64 pss = (bytes << MM_PSS_SHIFT) / nr;

	n->pss += pss;
	*(flags & PG_ANON ? &n->pss_anon : flags & PG_SHMEM ? &n->pss_shmem : &n->pss_file) += pss;
	if (c->flags & VM_LOCKED)
		n->pss_locked += pss;
	if (dirty) {
		n->pss_dirty += pss;
		*(shared ? &n->shared_dirty : &n->private_dirty) += bytes;
	} else {
		*(shared ? &n->shared_clean : &n->private_clean) += bytes;
	}
}

static void count_huge(struct counting *c, u32 flags, u64 bytes)
{
	*(flags & PG_ANON ? &c->counts->anon_huge :
	  flags & PG_SHMEM ? &c->counts->shmem_huge : &c->counts->file_huge) += bytes;
}

/* An entry names @page; what is asked for are @bytes from page @skip of it on. */
static void count_mapped(struct counting *c, struct page *page, unsigned int level, pte_t e,
			 unsigned long skip, u64 bytes)
{
	const struct pt_format *f = c->pt->format;
	const u32 flags = page_flags(page);
	const bool leaf = pte_present(f, e);
	const bool dirty = (leaf && pte_dirty(f, e)) || (flags & PG_DIRTY);
	struct mm_page_counts *n = c->counts;

	n->rss += bytes;
	if (leaf && pte_accessed(f, e))
		n->referenced += bytes;
	if (flags & PG_ANON) {
		n->anonymous += bytes;
		if (leaf && !dirty)
			n->lazy_free += bytes;
	}
	if (level == PT_PMD)
		count_huge(c, flags, bytes);
	/* A block with one reference is mapped by this leaf alone: all of it is. */
	if (leaf && page_refs(page_head(page)) == 1)
		return count_bytes(c, flags, dirty, bytes, 1);
	page += skip;
	for (u64 done = 0; done < bytes; done += PAGE_SIZE, page++)
		count_bytes(c, flags, dirty, PAGE_SIZE, report_nr_mapped(page));
}

/* Its pages are mapped one by one here, and each stands for the whole page that it is of. */
static void count_pool(struct counting *c, struct page *page, unsigned long addr)
{
	const bool shared = report_nr_mapped(page) > 1;

	if (addr < c->pool_done)
		return;
	c->pool_done = ALIGN_DOWN(addr, c->pool_page) + c->pool_page;
	*(shared ? &c->counts->shared_hugetlb : &c->counts->private_hugetlb) += c->pool_page;
}

static void count_entry(void *arg, unsigned long addr, unsigned int level, pte_t entry)
{
	struct counting *c = arg;
	const unsigned long first = max(addr, c->start);
	const unsigned long end = min(addr + (level == PT_PMD ? PMD_SIZE : PAGE_SIZE), c->end);
	struct page *page = report_page(c->pt, entry);

	if (pte_soft_type(c->pt->format, entry) == PT_SOFT_SWAP) {
		u32 users = swap_users(c->pt->swap, pte_soft_number(entry));

		c->counts->swap += end - first;
		c->counts->swap_pss += ((u64)(end - first) << MM_PSS_SHIFT) / max(users, 1u);
	} else if (page && (c->flags & VM_HUGETLB)) {
		count_pool(c, page, first);
	} else if (page) {
		count_mapped(c, page, level, entry, (first - addr) >> PAGE_SHIFT, end - first);
	}
}

/* Of shared memory the file knows what is in swap.  What an entry is of is counted by that. */
static void count_swapped(struct counting *c, const struct vm_area_struct *vma, unsigned long start,
			  unsigned long end)
	__must_hold_shared(vma_stable)
{
	const bool copies = !(c->flags & VM_SHARED) && (c->flags & VM_WRITE);
	unsigned long at, last;

	if (start >= end || !vma_maps_file(vma) || !(file_flags(vma->vm_file) & FILE_SHMEM))
		return;
	at = vma_pgoff_at(vma, start);
	last = at + ((end - start) >> PAGE_SHIFT);
	for (; filemap_next_swapped(vma->vm_file->mapping, &at, last); at++) {
		unsigned long addr = (at - vma->vm_pgdelta) << PAGE_SHIFT;
		unsigned int level;

		if (!copies || pte_none(pt_look(vma->vm_mm->pgt, addr, &level)))
			c->counts->swap += PAGE_SIZE;
	}
}

/* From @start on for as long as it may take; returns where it got. */
static unsigned long count_piece(const struct mm_struct *mm, unsigned long start,
				 unsigned long end, struct counting *c)
	__must_hold_shared(vma_stable)
{
	unsigned int budget = ENTRIES_TABLES, nr_areas = 0;
	struct vm_area_struct *vma = vma_in(mm, start, end);

	for (; vma && vma->vm_start < end; vma = vma_after(vma)) {
		c->flags = vma->vm_flags;
		c->start = max(start, vma->vm_start);
		c->end = min(end, vma->vm_end);
		if (c->flags & VM_HUGETLB)
			c->pool_page = BIT(vma->vm_file->huge_shift);
		start = report_entries(mm->pgt, c->start, c->end, &budget, count_entry, c);
		count_swapped(c, vma, c->start, start);
		if (!budget || ++nr_areas == ENTRIES_AREAS)
			return start;
	}
	return end;
}

/*
 * Would an area get huge pages, were it touched now, be they anonymous or a driver's?  One without
 * room for a whole one would not.
 */
static bool thp_eligible(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return (huge_wanted(vma) || driver_has_blocks(vma)) &&
	       ALIGN(vma->vm_start, PMD_SIZE) + PMD_SIZE <= vma->vm_end;
}

void report_count(struct mm_struct *mm, unsigned long start, unsigned long end,
		  struct area_count *count)
{
	struct counting c = { .pt = mm->pgt, .counts = &count->pages };
	const struct vm_area_struct *vma;
	unsigned long at = start;

	*count = (struct area_count){ 0 };
	if (!mm_has_pages(mm))
		return;
	while (at < end) {
		mm_read_lock(mm);
		vma = at == start ? vma_at(mm, at) : NULL;
		if (vma)
			count->thp_eligible = thp_eligible(vma);
		at = count_piece(mm, at, end, &c);
		mm_read_unlock(mm);
	}
}

void mm_count_pages(struct mm_user *user, unsigned long start, unsigned long end,
		    struct mm_page_counts *counts)
{
	witness_call();
	struct mm_struct *mm = mm_from_user(user);
	struct area_count count = { 0 };

	if (mm_has_pages(mm))
		report_count(mm, PAGE_ALIGN_DOWN(start),
			     end > pt_limit(mm->pgt) ? pt_limit(mm->pgt) : PAGE_ALIGN(end), &count);
	*counts = count.pages;
}

/* --------------------------------------------------------------------------------- names -- */

#define FIELD(field)	offsetof(struct mm_page_counts, field)

const struct count_line report_count_lines[NR_COUNT_LINES] = {
	{ "Rss", "rss", FIELD(rss), COUNT_BYTES, COUNT_EVERYWHERE },
	{ "Pss", "pss", FIELD(pss), COUNT_PSS, COUNT_EVERYWHERE },
	{ "Pss_Dirty", "pss_dirty", FIELD(pss_dirty), COUNT_PSS, COUNT_EVERYWHERE },
	{ "Pss_Anon", "pss_anon", FIELD(pss_anon), COUNT_PSS, COUNT_ROLLUP },
	{ "Pss_File", "pss_file", FIELD(pss_file), COUNT_PSS, COUNT_ROLLUP },
	{ "Pss_Shmem", "pss_shmem", FIELD(pss_shmem), COUNT_PSS, COUNT_ROLLUP },
	{ "Shared_Clean", "shared_clean", FIELD(shared_clean), COUNT_BYTES, COUNT_EVERYWHERE },
	{ "Shared_Dirty", "shared_dirty", FIELD(shared_dirty), COUNT_BYTES, COUNT_EVERYWHERE },
	{ "Private_Clean", "private_clean", FIELD(private_clean), COUNT_BYTES, COUNT_EVERYWHERE },
	{ "Private_Dirty", "private_dirty", FIELD(private_dirty), COUNT_BYTES, COUNT_EVERYWHERE },
	{ "Referenced", "referenced", FIELD(referenced), COUNT_BYTES, COUNT_EVERYWHERE },
	{ "Anonymous", "anonymous", FIELD(anonymous), COUNT_BYTES, COUNT_EVERYWHERE },
	{ "KSM", "ksm", FIELD(ksm), COUNT_BYTES, COUNT_EVERYWHERE },
	{ "LazyFree", "lazy_free", FIELD(lazy_free), COUNT_BYTES, COUNT_EVERYWHERE },
	{ "AnonHugePages", "anon_huge", FIELD(anon_huge), COUNT_BYTES, COUNT_EVERYWHERE },
	{ "ShmemPmdMapped", "shmem_huge", FIELD(shmem_huge), COUNT_BYTES, COUNT_EVERYWHERE },
	{ "FilePmdMapped", "file_huge", FIELD(file_huge), COUNT_BYTES, COUNT_EVERYWHERE },
	{ "Shared_Hugetlb", "shared_hugetlb", FIELD(shared_hugetlb), COUNT_BYTES,
	  COUNT_EVERYWHERE },
	{ "Private_Hugetlb", "private_hugetlb", FIELD(private_hugetlb), COUNT_BYTES,
	  COUNT_EVERYWHERE },
	{ "Swap", "swap", FIELD(swap), COUNT_BYTES, COUNT_EVERYWHERE },
	{ "SwapPss", "swap_pss", FIELD(swap_pss), COUNT_PSS, COUNT_EVERYWHERE },
	{ "Locked", "pss_locked", FIELD(pss_locked), COUNT_PSS, COUNT_EVERYWHERE },
};

static const u64 *field_of(const struct mm_page_counts *counts, size_t offset)
{
	return (const u64 *)((const char *)counts + offset);
}

u64 report_count_value(const struct mm_page_counts *counts, const struct count_line *line)
{
	return *field_of(counts, line->offset) >> (line->unit == COUNT_PSS ? MM_PSS_SHIFT : 0);
}

void report_add_counts(struct mm_page_counts *sum, const struct mm_page_counts *more)
{
	for (size_t i = 0; i < sizeof(*sum); i += sizeof(u64))
		*(u64 *)((char *)sum + i) += *field_of(more, i);
}
