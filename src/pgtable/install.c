/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Install: from empty to present, or from one page to another.
 *
 * Whoever installs has looked at the entry before, without a lock, and has then done what takes
 * time: found a page, read it, copied it.  So the entry is looked at again under the lock, and if
 * it is not what it was, somebody else was faster and nothing is done.
 */
#include "pgtable/table.h"

/* ------------------------------------------------------------------------------- stashes -- */

static void stash_push(struct pt_stash *stash, struct page *table)
{
	table->next = stash->first;
	stash->first = table;
	stash->nr++;
}

static struct page *stash_pop(struct pt_stash *stash)
{
	struct page *table = stash->first;

	if (table) {
		stash->first = table->next;
		stash->nr--;
	}
	return table;
}

void pt_stash_empty(struct pt_stash *stash)
{
	struct page *table;

	while ((table = stash_pop(stash)))
		table_free(table);
}

int stash_fill(struct pgtable *pt, struct pt_stash *stash, unsigned long nr)
{
	unsigned long goal = stash->nr + nr;

	while (stash->nr < goal) {
		struct page *table = table_alloc(pt);

		if (!table)
			goto undo;
		stash_push(stash, table);
	}
	return 0;
undo:
	while (stash->nr > goal - nr)
		table_free(stash_pop(stash));
	return -ENOMEM;
}

void missing_add(struct pgtable *pt, struct pt_missing *missing, unsigned long addr,
		 unsigned int level)
{
	unsigned int at = level;
	pte_t seen;

	rcu_read_lock();
	pt_descend(pt, addr, &at, &seen);
	rcu_read_unlock();
	while (at-- > level) {
		if (addr < missing->until[at])
			continue;
		missing->nr++;
		missing->until[at] = entry_start(addr, at + 1) + level_reach(at + 1);
	}
}

int pt_prepare(struct pgtable *pt, struct pt_stash *stash, unsigned long start, unsigned long end,
	       enum pt_level level)
{
	struct pt_missing missing = { 0 };

	for (unsigned long addr = start; addr < end; addr = entry_end(addr, level + 1, end))
		missing_add(pt, &missing, addr, level);
	return stash_fill(pt, stash, missing.nr);
}

/* -------------------------------------------------------------------------- tables, slot -- */

pte_t *make_tables(struct pgtable *pt, struct pt_stash *stash, unsigned long addr,
		   unsigned int level)
{
	for (;;) {
		unsigned int at = level;
		struct page *table;
		pte_t seen, *entry = pt_descend(pt, addr, &at, &seen);

		if (at == level) {
			if (level > PT_PTE)
				note_used(pt, entry);
			return entry;
		}
		table = pte_none(seen) ? stash_pop(stash) : NULL;
		if (!table)
			return NULL;
		if (!table_link(pt, entry, at, table))
			stash_push(stash, table);
	}
}

static bool is_place_for(const struct pgtable *pt, unsigned int level, pte_t e)
{
	return level == PT_PTE || !pte_is_table(pt->format, level, e);
}

/* Locks the entry of @level if its tables are there.  A PTE table is entered anew, by its PMD. */
static bool slot_lock_level(struct pgtable *pt, unsigned long addr, enum pt_level level,
			    struct pt_slot *slot)
	__context_unsafe("makes the handle of a lock")
{
	pte_t seen, *pmd = pt_find_pmd(pt, addr, &seen);

	if (!pmd)
		return false;
	slot->pt = pt;
	slot->level = level;
	slot->addr = entry_start(addr, level);
	if (level == PT_PTE) {
		slot->table = table_lock(pt, pmd, 0);
		if (!slot->table)
			return false;
		slot->entry = pt_table_entries(slot->table) + entry_index(addr, PT_PTE);
		return true;
	}
	slot->entry = pmd;
	slot->table = table_around(pt, pmd);
	note_used(pt, pmd);
	spin_lock(&slot->table->table_lock);
	if (is_place_for(pt, level, pte_load(pmd)))
		return true;
	spin_unlock(&slot->table->table_lock);
	return false;
}

/* Why there was nothing to lock: -EAGAIN for good, or 0: tables are missing. */
static int slot_obstacle(struct pgtable *pt, unsigned long addr, unsigned int level)
{
	unsigned int at = level;
	pte_t seen;

	rcu_read_lock();
	pt_descend(pt, addr, &at, &seen);
	rcu_read_unlock();
	if (at == level)
		return is_place_for(pt, level, seen) ? 0 : -EAGAIN;
	return pte_none(seen) ? 0 : -EAGAIN;
}

/* The tables that are missing now: into the stash if that is empty, and on into the tree. */
static int slot_tables(struct pgtable *pt, struct pt_stash *stash, unsigned long addr,
		       unsigned int level)
{
	struct pt_missing missing = { 0 };
	int err = slot_obstacle(pt, addr, level);

	if (!err && !stash->nr) {
		missing_add(pt, &missing, addr, level);
		err = stash_fill(pt, stash, missing.nr);
	}
	if (!err)
		make_tables(pt, stash, addr, level);
	return err;
}

/* Another round only after somebody took out a table that was there. */
int pt_slot_make(struct pgtable *pt, struct pt_stash *stash, unsigned long addr,
		 enum pt_level level, struct pt_slot *slot)
	__context_unsafe("makes the handle of a lock")
{
	struct pt_stash own = { 0 };
	int err = 0;

	while (!err && !slot_lock_level(pt, addr, level, slot))
		err = slot_tables(pt, stash ? stash : &own, addr, level);
	pt_stash_empty(&own);
	return err;
}

/* ------------------------------------------------------------------------------ exchange -- */

/* The frame stays: what the hardware notes meanwhile is kept. */
static pte_t exchange_rights(struct pt_slot *slot, pte_t now)
{
	const struct pt_format *f = slot->pt->format;
	struct pt_change change = { .clear = ~(f->accessed | f->dirty), .set = now.raw };

	return pte_apply(slot->entry, change, &now);
}

static pte_t exchange_page(struct pt_slot *slot, pte_t old, pte_t now)
{
	struct pgtable *pt = slot->pt;

	if (pte_in_use(pt, old)) {
		old = pte_take(slot->entry, PTE_NONE);
		pt_invalidate(pt, slot->addr, slot->addr + level_reach(slot->level), MMU_LEAVES);
	}
	pte_store(slot->entry, now);				/* (A) */
	return old;
}

static pte_t exchange(struct pt_slot *slot, pte_t now)
	__must_hold(slot)
{
	struct pgtable *pt = slot->pt;
	const struct pt_format *f = pt->format;
	pte_t old = pte_load(slot->entry);
	struct pt_sums sums = { 0 };

	if (pte_present(f, old) && pte_present(f, now) && pte_pfn(f, old) == pte_pfn(f, now)) {
		old = exchange_rights(slot, now);
		if (pte_in_use(pt, old) && pte_is_less(f, old, (pte_t){ now.raw | f->dirty }))
			pt_invalidate(pt, slot->addr, slot->addr + level_reach(slot->level),
				      MMU_LEAVES);
	} else {
		old = exchange_page(slot, old, now);
	}
	sums_add(&sums, pt, slot->level, old, -1);
	sums_add(&sums, pt, slot->level, now, 1);
	pt_add_sums(pt, &sums);
	return old;
}

pte_t pt_slot_exchange(struct pt_slot *slot, pte_t now)
{
	VM_DEBUG_ON(slot->level == PT_PMD && pte_none(pt_slot_get(slot)) != pte_none(now),
		    "%lx: an entry of 2 MiB without a table put aside", slot->addr);
	return exchange(slot, now);
}

/* With the table that an entry at the PMD has beside it; comes back with one that is left over. */
static int install(struct pgtable *pt, struct pt_stash *stash, struct pt_slot *slot, pte_t before,
		   pte_t now, struct page **spare)
	__context_unsafe("the slot is on the caller's stack")
{
	int err = pt_slot_make(pt, stash, slot->addr, (enum pt_level)slot->level, slot);

	if (err)
		return err;
	if (pte_same(pt->format, before, pt_slot_get(slot))) {
		exchange(slot, now);
		if (*spare) {
			spare_put(pt, slot->entry, *spare);
			*spare = NULL;
		} else if (slot->level == PT_PMD && pte_none(now) && !pte_none(before)) {
			*spare = spare_take(pt, slot->entry);
		}
	} else {
		err = -EAGAIN;
	}
	pt_slot_unlock(slot);
	return err;
}

int pt_install(struct pgtable *pt, struct pt_stash *stash, unsigned long addr, enum pt_level level,
	       pte_t before, pte_t now)
{
	struct pt_slot slot = { .addr = addr, .level = level };
	struct page *spare = NULL;
	int err;

	if (level == PT_PMD && pte_none(before) && !pte_none(now)) {
		spare = table_alloc(pt);
		if (!spare)
			return -ENOMEM;
	}
	err = install(pt, stash, &slot, before, now, &spare);
	if (spare)
		table_free(spare);
	return err;
}
