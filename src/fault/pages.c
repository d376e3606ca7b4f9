/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The page half of the memory calls: what happens to entries and frames when areas go, move or
 * change.
 *
 *	the area goes		pages_zap, out of the tree, pages_free_tables
 *	the area stays		pages_zap (ZAP_PAGES): the next access begins anew
 *	rights			pages_protect: never more writable than before; a write fault, which
 *				knows the page, gives the right to write
 *	place			pages_move_prepare, pages_move
 *	fork			pages_fork.c
 *
 * A call write-locks an area before it takes its pages, so faults that were inside have left and
 * new ones wait; and it takes them before its write section ends, so nobody finds pages in what is
 * no area any more.  MADV_DONTNEED and its kind leave the area, and need no more than that it is
 * stable: a fault beside them comes before or after, page by page.
 *
 * Tables are freed when the tree that the section will publish has no area that they serve.  The
 * neighbours' limits come from that tree: a table that reaches over an end of the hole serves a
 * neighbour, too, whose faults may be installing in it.
 */
#include "fault/fault.h"
#include "fault/huge.h"
#include "fault/pages.h"
#include "file/filemap.h"
#include "mmu/mmu.h"
#include "rmap/rmap.h"
#include "swap/swap.h"
#include "vma/handle.h"
#include "vma/instance.h"
#include "vma/map.h"

#define DEFAULT_LEVELS	4u

/* ------------------------------------------------------------------------- life of a table -- */

/* What an mm with pages has: its table, and those who use what that says. */
struct pages {
	struct pgtable pgt;			/* i	mm->pgt points to it */
	struct mmu mmu;				/* i */
	struct mm_struct *mm;			/* 1 */
	struct page *huge_zero;			/* a	the arena's, once this mm uses it */
};

static struct pages *pages_of(const struct mm_struct *mm)
{
	return container_of(mm->pgt, struct pages, pgt);
}

/* A soft TLB or a window has missed. */
static enum mm_fault resolve(struct mmu *mmu, unsigned long addr, enum mm_access access)
	__may_sleep
{
	struct fault f = {
		.mm = container_of(mmu, struct pages, mmu)->mm, .addr = PAGE_ALIGN_DOWN(addr),
		.offset = addr % PAGE_SIZE, .access = access,
	};

	if (f.addr + PAGE_SIZE < f.addr)
		return MM_FAULT_MAPERR;
	return fault_run(&f);
}

struct mmu *mm_mmu(struct mm_user *user)
{
	struct mm_struct *mm = mm_from_user(user);

	return mm_has_pages(mm) ? &pages_of(mm)->mmu : NULL;
}

static const struct pt_format *const formats[] = {
	[MM_TABLE_X86_64] = &pt_format_x86_64,
	[MM_TABLE_RISCV] = &pt_format_riscv,
};

static unsigned int levels_of(struct pages_shape shape)
{
	return shape.levels ? shape.levels : DEFAULT_LEVELS;
}

bool pages_shape_valid(struct pages_shape shape, unsigned long task_size)
{
	unsigned int levels = levels_of(shape);

	if ((unsigned int)shape.format >= ARRAY_SIZE(formats))
		return false;
	return levels >= formats[shape.format]->min_levels &&
	       levels <= formats[shape.format]->max_levels &&
	       task_size <= BIT(PAGE_SHIFT + PT_INDEX_BITS * levels - 1);
}

struct pages_shape pages_shape_of(const struct mm_struct *mm)
{
	struct pages_shape shape = { 0 };

	if (!mm_has_pages(mm))
		return shape;
	shape.levels = mm->pgt->levels;
	if (mm->pgt->format == &pt_format_riscv)
		shape.format = MM_TABLE_RISCV;
	return shape;
}

bool mm_get_page_table(struct mm_user *user, struct mm_page_table *out)
{
	const struct mm_struct *mm = mm_from_user(user);
	struct pages_shape shape = pages_shape_of(mm);

	if (!mm_has_pages(mm))
		return false;
	*out = (struct mm_page_table){
		.format = shape.format, .levels = shape.levels,
		.root = page_pfn(mm->pgt->root), .memory = mm->pgt->frames,
		.nr_frames = arena_window(mm->pgt->arena)->bytes >> PAGE_SHIFT,
	};
	return true;
}

int pages_create(struct mm_struct *mm, struct pages_shape shape)
{
	struct pt_config config = {
		.arena = mm->instance->arena, .format = formats[shape.format],
		.levels = levels_of(shape), .split_block = huge_split_block,
		.swap = mm->instance->swap,
	};
	struct pages *pages;
	int err;

	if (!config.arena)
		return 0;
	pages = port_alloc(sizeof(*pages));
	if (!pages)
		return -ENOMEM;
	pages->mm = mm;
	pages->huge_zero = NULL;
	mmu_init(&pages->mmu, &pages->pgt, resolve);
	config.mmu = &pages->mmu.ops;
	err = pt_create(&pages->pgt, &config);
	if (err) {
		port_free(pages, sizeof(*pages));
		return err == -ENOMEM ? -ENOFRAME : err;
	}
	mm_init(mm, pgt, &pages->pgt);
	return 0;
}

struct page *pages_huge_zero(struct mm_struct *mm)
{
	struct pages *pages = pages_of(mm);
	/* Acquire pairs with the release below: the bytes are zero. */
	struct page *have = atomic_load_acquire(&pages->huge_zero), *page;

	if (have)
		return have;
	page = arena_huge_zero_get(pages->pgt.arena);
	/* Release pairs with the acquire above.  There is one only, so who loses has the same. */
	if (page && !atomic_cas_release(&pages->huge_zero, &have, page))
		arena_huge_zero_put(pages->pgt.arena);
	return page;
}

/* It cannot fail: the block is there. */
void pages_inherit_huge_zero(struct mm_struct *to, struct mm_struct *from)
{
	if (atomic_load_relaxed(&pages_of(from)->huge_zero))
		VM_BUG_ON(!pages_huge_zero(to), "the zero block is gone");
}

static bool is_guard(const struct mmu_gather *gather, pte_t entry)
{
	return pte_soft_type(gather->pt->format, entry) == PT_SOFT_GUARD;
}

static bool keep_guards(struct mmu_gather *gather, unsigned long addr, unsigned int level,
			pte_t entry)
{
	return is_guard(gather, entry);
}

static bool keep_all_but_guards(struct mmu_gather *gather, unsigned long addr, unsigned int level,
				pte_t entry)
{
	return !is_guard(gather, entry);
}

static bool keep_all_but_swapped(struct mmu_gather *gather, unsigned long addr, unsigned int level,
				 pte_t entry)
{
	return pte_soft_type(gather->pt->format, entry) != PT_SOFT_SWAP;
}

static const struct gather_ops zap_ops[] = {
	[ZAP_ALL] = { .removed = rmap_gone, .moved = rmap_moved_gone },
	[ZAP_PAGES] = { .removed = rmap_gone, .moved = rmap_moved_gone, .keep = keep_guards },
	[ZAP_GUARDS] = { .removed = rmap_gone, .keep = keep_all_but_guards },
	[ZAP_SWAPPED] = { .removed = rmap_gone, .keep = keep_all_but_swapped },
};

void pages_destroy(struct mm_struct *mm)
{
	struct pgtable *pt = mm->pgt;
	struct mmu_gather gather;
	struct pages *pages;

	if (!pt)
		return;
	pages = pages_of(mm);
	mmu_gather_init(&gather, pt, &zap_ops[ZAP_ALL], NULL);
	pt_zap_range(&gather, 0, pt_limit(pt));
	pt_free_tables(&gather, 0, pt_limit(pt));
	mmu_gather_flush(&gather);
	pt_destroy(pt);
	if (pages->huge_zero)
		arena_huge_zero_put(pt->arena);
	mmu_end(&pages->mmu);
	port_free(pages, sizeof(*pages));
	mm_init(mm, pgt, NULL);
}

/* ------------------------------------------------------------------------------ zap, free -- */

void pages_zap(struct mm_struct *mm, unsigned long start, unsigned long end, enum zap_what what)
{
	struct mmu_gather gather;

	if (!mm_has_pages(mm))
		return;
	mmu_gather_init(&gather, mm->pgt, &zap_ops[what], NULL);
	pt_zap_range(&gather, start, end);
	mmu_gather_flush(&gather);
}

/* As Linux from 6.14 on: what may get a block again need not stay small. */
void pages_discard(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_gather gather;

	if (!mm_has_pages(mm))
		return;
	mmu_gather_init(&gather, mm->pgt, &zap_ops[ZAP_PAGES], NULL);
	pt_zap_range(&gather, start, end);
	pt_free_empty(&gather, start, end);
	mmu_gather_flush(&gather);
}

void pages_drop_table(struct mm_struct *mm, unsigned long start, struct page *table)
{
	struct mmu_gather gather;

	mmu_gather_init(&gather, mm->pgt, &zap_ops[ZAP_ALL], NULL);
	pt_drop_table(&gather, start, table);
	mmu_gather_flush(&gather);
}

void pages_free_tables(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	const struct vm_area_struct *prev, *next;
	struct mmu_gather gather;
	struct pt_hole hole;

	if (!mm_has_pages(mm) || !atomic_load_relaxed(&mm->pgt->nr_tables))
		return;
	prev = vma_before(mm, start);
	next = vma_first(mm, end);
	hole = (struct pt_hole){
		.start = start, .end = min(end, pt_limit(mm->pgt)),
		.floor = prev ? prev->vm_end : 0,
		.ceiling = next ? next->vm_start : pt_limit(mm->pgt),
	};
	mmu_gather_init(&gather, mm->pgt, NULL, NULL);
	pt_free_tables_of(&gather, &hole);
	mmu_gather_flush(&gather);
}

/* --------------------------------------------------------------------------- change, move -- */

void pages_protect(struct mm_struct *mm, unsigned long start, unsigned long end, vm_flags_t flags)
{
	if (mm_has_pages(mm))
		pt_protect_range(mm->pgt, start, end, area_rights(flags));
}

int pages_move_prepare(struct mm_struct *mm, struct pt_stash *stash, unsigned long from,
		       unsigned long to, unsigned long bytes)
{
	*stash = (struct pt_stash){ 0 };
	if (!mm_has_pages(mm))
		return 0;
	return pt_move_prepare(mm->pgt, stash, from, to, bytes) ? -ENOFRAME : 0;
}

void pages_move(struct mm_struct *mm, struct pt_stash *stash, unsigned long from, unsigned long to,
		unsigned long bytes)
{
	if (mm_has_pages(mm) && bytes)
		pt_move_range(mm->pgt, stash, from, to, bytes);
}

void pages_move_done(struct pt_stash *stash)
{
	pt_stash_empty(stash);
}

/* ----------------------------------------------------------------------------- guards -- */

/* From @addr to the end of its table or of the range; returns where it got. */
static unsigned long guard_table(struct pgtable *pt, struct pt_stash *stash, unsigned long addr,
				 unsigned long end)
	__context_unsafe("the slot is on the stack")
{
	struct pt_slot slot;

	VM_BUG_ON(pt_slot_make(pt, stash, addr, PT_PTE, &slot), "nothing was prepared at %lx",
		  addr);
	do {
		pt_slot_exchange(&slot, pte_soft(PT_SOFT_GUARD, 0));
		addr += PAGE_SIZE;
	} while (addr < end && pt_slot_next(&slot));
	pt_slot_unlock(&slot);
	return addr;
}

int pages_guard(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct pt_stash stash = { 0 };

	if (!mm_has_pages(mm))
		return 0;
	if (pt_prepare(mm->pgt, &stash, start, end, PT_PTE))
		return -ENOFRAME;
	pages_zap(mm, start, end, ZAP_ALL);
	while (start < end)
		start = guard_table(mm->pgt, &stash, start, end);
	pt_stash_empty(&stash);
	return 0;
}

/* ---------------------------------------------------------------------------- questions -- */

struct core_walk {
	const struct pgtable *pt;
	unsigned long start, end;
	unsigned char *vec;
};

/* What is there, and what was swapped as long as it is in the swap cache. */
static bool is_in_core(const struct pgtable *pt, pte_t entry)
{
	return pte_soft_type(pt->format, entry) != PT_SOFT_SWAP ||
	       swap_is_cached(pt->swap, pte_soft_number(entry));
}

/* Does it say something that the file, whose page it hides, does not? */
static bool is_a_page(const struct pgtable *pt, pte_t entry)
{
	return pte_present(pt->format, entry) || pte_is_migrate(pt->format, entry) ||
	       pte_soft_type(pt->format, entry) == PT_SOFT_SWAP;
}

static int note_page(void *arg, unsigned long addr, unsigned int level, pte_t entry)
{
	const struct core_walk *walk = arg;
	unsigned long end = min(addr + (level == PT_PMD ? PMD_SIZE : PAGE_SIZE), walk->end);

	if (!is_a_page(walk->pt, entry))
		return 0;
	for (addr = max(addr, walk->start); addr < end; addr += PAGE_SIZE)
		walk->vec[(addr - walk->start) >> PAGE_SHIFT] = is_in_core(walk->pt, entry);
	return 0;
}

void pages_in_core(const struct vm_area_struct *vma, unsigned long start, unsigned long end,
		   unsigned char *vec)
{
	struct core_walk walk = { .pt = vma->vm_mm->pgt, .start = start, .end = end, .vec = vec };

	__builtin_memset(vec, 0, (end - start) >> PAGE_SHIFT);
	if (!mm_has_pages(vma->vm_mm))
		return;
	file_in_core(vma, start, end, vec);
	pt_walk(vma->vm_mm->pgt, start, end, note_page, &walk);
}

struct pages_stats pages_get_stats(const struct mm_struct *mm)
{
	const struct pgtable *pt = mm->pgt;

	if (!pt)
		return (struct pages_stats){ 0 };
	return (struct pages_stats){
		.anon = pt_count(pt, PT_ANON), .file = pt_count(pt, PT_FILE),
		.shmem = pt_count(pt, PT_SHMEM), .swap = pt_count(pt, PT_SWAP),
		.tables = (unsigned long)(atomic_load_relaxed(&pt->nr_tables) +
					  atomic_load_relaxed(&pt->nr_spare)) + 1,
	};
}
