/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <stdio.h>

#include "opinion.h"

#include "fault/fault.h"
#include "fault/pages.h"
#include "vma/handle.h"

struct opinion {
	struct pgtable *pt;
	const struct hw_tables *tables;
	struct mm_user *mm;			/* NULL: tables alone */
	char *why;				/* "": nothing was wrong so far */
	long nr_tables, nr_huge;
	unsigned long nr_hw, nr_lib;		/* entries that hardware uses, by either */
};

#define wrong(o, va, fmt, ...)							\
	do {									\
		if (!(o)->why[0])						\
			snprintf((o)->why, OPINION_BYTES, "second opinion at %#lx: " fmt, \
				 (unsigned long)(va), ##__VA_ARGS__);		\
	} while (0)

/* In the library's words. */
static u32 attrs_of(const struct hw_translation *t)
{
	return (t->read ? PT_READ : 0) | (t->write ? PT_WRITE : 0) | (t->exec ? PT_EXEC : 0) |
	       (t->user ? PT_USER : 0) | (t->accessed ? PT_ACCESSED : 0) |
	       (t->dirty ? PT_DIRTY : 0);
}

#define HARDWARES	(PT_RIGHTS | PT_USER | PT_ACCESSED | PT_DIRTY)

static void compare(struct opinion *o, uint64_t va, const struct hw_translation *t,
		    unsigned int level, pte_t e)
{
	const struct pt_format *format = o->pt->format;
	u32 attrs;

	if (t->result == HW_MALFORMED) {
		wrong(o, va, "malformed to hardware");
		return;
	}
	if (!pte_present(format, e) || !(pte_attrs(format, e) & PT_RIGHTS)) {
		if (t->result == HW_MAPPED)
			wrong(o, va, "hardware has a page, the library entry %#lx", (unsigned long)e.raw);
		return;
	}
	if (t->result != HW_MAPPED) {
		wrong(o, va, "a page that hardware does not see");
		return;
	}
	attrs = pte_attrs(format, e) & HARDWARES;
	if (t->page_bytes != PAGE_SIZE << (PT_INDEX_BITS * level))
		wrong(o, va, "hardware maps %lu bytes, the library level %u",
		      (unsigned long)t->page_bytes, level);
	else if (t->pa >> PAGE_SHIFT != pte_pfn(format, e))
		wrong(o, va, "hardware has frame %lu, the library %lu",
		      (unsigned long)t->pa >> PAGE_SHIFT, pte_pfn(format, e));
	else if (attrs_of(t) != attrs)
		wrong(o, va, "rights and marks are %#x to hardware, %#x to the library",
		      attrs_of(t), attrs);
	else if (!t->plain)
		wrong(o, va, "global, with a key, or no ordinary memory");
}

/* What an embedder would be told of the page. */
static void compare_mm(struct opinion *o, uint64_t va, const struct hw_translation *t, pte_t e)
{
	unsigned char in_core[PT_ENTRIES];
	struct area_info area;
	struct page *page;

	if (mm_query(o->mm, va, &area)) {
		wrong(o, va, "hardware has a page in no area");
		return;
	}
	if (va + t->page_bytes > area.end)
		wrong(o, va, "a page that is larger than its area");
	if ((t->write && !(area.flags & VM_WRITE)) || (t->exec && !(area.flags & VM_EXEC)) ||
	    !(area.flags & (VM_READ | VM_WRITE | VM_EXEC)))
		wrong(o, va, "hardware has more rights than the area gives");
	area_info_put(&area);
	if (!t->user)
		wrong(o, va, "not for user space");
	if (mm_mincore(o->mm, va, t->page_bytes, in_core))
		wrong(o, va, "mincore() fails");
	for (unsigned long i = 0; i < t->page_bytes / PAGE_SIZE; i++)
		if (!in_core[i])
			wrong(o, va + i * PAGE_SIZE, "not in core");
	/* Zeros that nobody counts: nor does it give references to them. */
	if (pte_special(o->pt->format, e))
		return;
	rcu_read_lock();
	page = gup_fast(o->pt, va, attrs_of(t) & PT_RIGHTS);
	rcu_read_unlock();
	if (!page) {
		wrong(o, va, "gup_fast() does not find it");
		return;
	}
	if (page_pfn(page_head(page)) > t->pa >> PAGE_SHIFT ||
	    page_pfn(page_head(page)) + BIT(page_order(page_head(page))) <= t->pa >> PAGE_SHIFT)
		wrong(o, va, "gup_fast() finds frame %lu", page_pfn(page));
	page_put(page_head(page));
}

static void hw_page(void *arg, uint64_t va, const struct hw_translation *t)
{
	struct opinion *o = arg;
	unsigned int level;
	pte_t e = pt_look(o->pt, va, &level);

	o->nr_hw++;
	o->nr_huge += t->page_bytes > PAGE_SIZE;
	compare(o, va, t, level, e);
	if (o->mm && !o->why[0])
		compare_mm(o, va, t, e);
}

static void hw_table(void *arg, uint64_t table_pa, int level)
{
	struct opinion *o = arg;
	const struct page *page = pfn_page(o->pt->frames, table_pa >> PAGE_SHIFT);

	o->nr_tables++;
	if (!page_refs(page) || !(page_flags(page) & PG_TABLE))
		wrong(o, table_pa, "a frame that hardware takes for a table of level %d", level);
}

static int library_entry(void *arg, unsigned long addr, unsigned int level, pte_t e)
	__context_unsafe("nobody changes anything")
{
	struct opinion *o = arg;
	struct hw_translation t = hw_translate(o->tables, addr);

	compare(o, addr, &t, level, e);
	o->nr_lib += pte_present(o->pt->format, e) && (pte_attrs(o->pt->format, e) & PT_RIGHTS);
	return o->why[0] != 0;
}

static bool form(struct opinion *o)
{
	const struct hw_visitor visitor = { .table = hw_table, .page = hw_page, .arg = o };
	long nr_tables = atomic_load_relaxed(&o->pt->nr_tables);

	o->why[0] = 0;
	hw_each(o->tables, &visitor);
	pt_walk(o->pt, 0, pt_limit(o->pt), library_entry, o);
	if (o->nr_hw != o->nr_lib)
		wrong(o, 0, "%lu pages to hardware, %lu to the library", o->nr_hw, o->nr_lib);
	/* A leaf of 2 MiB may keep the table into which it can be split. */
	if (nr_tables < o->nr_tables || nr_tables > o->nr_tables + o->nr_huge)
		wrong(o, 0, "hardware passes %ld tables, the library counts %ld", o->nr_tables,
		      nr_tables);
	return !o->why[0];
}

struct hw_tables hw_tables_of(const struct pgtable *pt, const struct hw_machine *machine)
{
	const struct port_arena *window = arena_window(pt->arena);

	return (struct hw_tables){
		.machine = machine, .memory = { window->base, window->bytes },
		.root_pa = page_pfn(pt->root) * PAGE_SIZE, .levels = (int)pt->levels,
	};
}

bool opinion_of_tables(struct pgtable *pt, const struct hw_tables *tables, char why[OPINION_BYTES])
{
	struct opinion o = { .pt = pt, .tables = tables, .why = why };

	return form(&o);
}

bool opinion_of_mm(struct mm_user *mm, char why[OPINION_BYTES])
{
	struct mm_page_table given;
	struct hw_tables tables;
	struct opinion o = { .tables = &tables, .mm = mm, .why = why };

	why[0] = 0;
	if (!mm_get_page_table(mm, &given))
		return true;
	tables = (struct hw_tables){
		.machine = given.format == MM_TABLE_RISCV ? &hw_riscv : &hw_x86,
		.memory = { given.memory, given.nr_frames * 4096 },
		.root_pa = given.root * 4096, .levels = (int)given.levels,
	};
	o.pt = mm_from_user(mm)->pgt;
	return form(&o);
}
