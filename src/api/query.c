/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Questions about an address space.
 *
 * Terms.  The *published tree* is what the last finished write section left.  It never changes: the
 * next section publishes another one, with one store, and RCU keeps the old one for those who are
 * still in it.  An *entry* of it has an area's bounds, its flags (the tag) and the VMA (the item).
 * The VMA's own bounds and flags belong to the writer; its class-1 fields (types.h) do not change
 * while it is attached.
 *
 * mm_range_ok() asks bounds and flags only, so entries of one published tree are the whole answer.
 *
 * mm_query() also wants the file, its offset and the name, which are the VMA's.  The VMA may be
 * removed, and its memory used for another area, while it looks.  So:
 *
 *	1. load the published tree, find the entry
 *	2. pin the VMA: from here on it is not detached, nor its memory used again
 *	3. load the published tree again; another one: unpin, go to 1
 *	4. read the class-1 fields, take the file, copy the name
 *	5. unpin
 *
 *  (A) If 2 fails the VMA is detached.  vma/lock.c publishes before it detaches, so there is a
 *      newer tree by then: going back to 1 makes progress.
 *  (B) If 3 finds the tree of 1, the pinned VMA is the entry's.  Were it another one, in the same
 *      memory, the entry's VMA would have been removed by a section that published before the pin
 *      succeeded, and the pin's acquire, which pairs with the attachment of the new one, would let
 *      3 see that.  A tree that is looked at is not freed and made anew at the same address: this
 *      is one RCU read section.
 *  (C) A pinned VMA holds its file: file_get_rcu() fails only if the count has been 0.
 *  (D) The name is the one field of a VMA here that a writer may be changing: it is one pointer,
 *      and what it points to is freed after RCU readers.
 *
 * Anywhere.  The two take no lock, allocate nothing, print nothing, and nothing they do is waited
 * for by themselves:
 *  - Interrupting a write section on the same thread: nothing the section has done so far is in the
 *    published tree, or all of it is, since publishing is one store.  In the second case the dead
 *    VMAs may still be attached, but the tree does not lead to them.  The section may be waiting
 *    for the pins of other threads; ours has come and gone before it goes on.  Going back to 1
 *    needs another publication, which the interrupted thread cannot make and other writers cannot
 *    either: at most once, for the load that was under way.
 *  - Interrupting another mm_query() on the same thread: each has a count of its own in vm_refcnt,
 *    and RCU read sections nest.
 *  - In the child of a host fork: other threads are gone, as if stopped for ever at some point.  A
 *    writer among them leaves the published tree as it was; a VMA it was write-locking can be
 *    pinned nevertheless, since a pin does not look at VMA_WRITER; a pin of theirs stays, and costs
 *    a later writer, not us.
 *  - The lock checker of debug builds keeps its notes in the thread's own memory, which a handler
 *    may find half-written: so it is RCU of the port here, not of sync/.
 *
 * Progress: mm_range_ok() is wait-free.  mm_query() is lock-free: it goes round only because a
 * write section ended.
 *
 * Rejected for mm_for_each_area(): the same without a lock.  A walk that must begin anew at each
 * publication has no end beside a busy writer.  It holds the mmap lock for read while it copies,
 * and not while it calls.
 */
#include "base/str.h"
#include "mm/mm.h"

/* -------------------------------------------------------------- ranges */

static bool allows(const struct rt_entry *entry, vm_flags_t want)
{
	return (entry->tag & want) == want;
}

/* The rest of a range whose part below @from is all right. */
static bool rest_ok(struct rt_snapshot tree, unsigned long from, unsigned long end,
		    vm_flags_t want)
{
	struct rt_entry entry;
	struct rt_iter it;

	rt_iter_init(&it, tree, from);
	while (from < end) {
		if (!rt_iter_next(&it, &entry) || entry.start != from || !allows(&entry, want))
			return false;
		from = entry.end;
	}
	return true;
}

static bool snapshot_range_ok(struct rt_snapshot tree, unsigned long addr, unsigned long end,
			      vm_flags_t want)
{
	struct rt_entry entry;

	if (!rt_snap_find(tree, addr, &entry) || !allows(&entry, want))
		return false;
	return entry.end >= end || rest_ok(tree, entry.end, end, want);
}

bool mm_range_ok(struct mm_user *user, unsigned long addr, unsigned long len, unsigned long prot)
{
	struct mm_struct *mm = mm_from_user(user);
	unsigned long end;
	bool ok;

	if (!len)
		return true;
	if (check_add_overflow(addr, len, &end))
		return false;
	port_rcu_read_lock();
	ok = snapshot_range_ok(rt_snapshot_rcu(&mm->areas), addr, end,
			       vm_flags_of_prot(prot));
	port_rcu_read_unlock();
	return ok;
}

/* --------------------------------------------------------------- names */

/*
 * The name that is computed rather than kept, or nothing.  [heap] and [stack] are wherever the mm's
 * numbers say at this moment; relaxed, as they may be changing.
 */
static void format_name(struct text *name, const struct vm_area_struct *vma, unsigned long start,
			unsigned long end)
{
	const struct mm_struct *mm = vma->vm_mm;
	/* Acquire pairs with the release of who set it: the text is there. */
	const struct anon_name *given = atomic_load_acquire(&vma->anon_name);
	unsigned long stack = atomic_load_relaxed(&mm->start_stack);

	if (vma->vm_file && !given)
		return;
	if (!vma->vm_file) {
		if (vma->special)
			return text_str(name, vma->special);
		if (start < atomic_load_relaxed(&mm->brk) &&
		    end > atomic_load_relaxed(&mm->start_brk))
			return text_str(name, "[heap]");
		if (start <= stack && end >= stack)
			return text_str(name, "[stack]");
		if (!given)
			return;
	}
	text_str(name, vma->vm_file ? "[anon_shmem:" : "[anon:");
	text_str(name, anon_name_text(given));
	text_char(name, ']');
}

/* With the mmap lock held: the driver is asked first. */
static void format_name_locked(struct text *name, struct vm_area_struct *vma)
	__must_hold_shared(vma_stable) __may_sleep
{
	const char *own = vma_ops_name(vma);

	if (own)
		text_str(name, own);
	else
		format_name(name, vma, vma->vm_start, vma->vm_end);
}

/* ------------------------------------------------------------ one area */

/* Steps 4 and 5; @entry is of the tree that led to the pinned VMA. */
static void copy_pinned(const struct rt_entry *entry, struct area_info *info)
{
	struct vm_area_struct *vma = entry->item;
	struct text name = text_in(info->name, sizeof(info->name));

	info->start = entry->start;
	info->end = entry->end;
	info->flags = entry->tag;
	info->pgoff = vma_pgoff_at(vma, entry->start);
	info->file = vma->vm_file;
	if (info->file && VM_WARN_ON(!file_get_rcu(info->file), "(C)"))
		info->file = NULL;
	format_name(&name, vma, entry->start, entry->end);
	vma_unpin(vma);
}

enum query { QUERY_AT, QUERY_FROM };

static bool find_entry(struct rt_snapshot tree, enum query which, unsigned long addr,
		       struct rt_entry *entry)
{
	return which == QUERY_AT ? rt_snap_find(tree, addr, entry) :
				   rt_snap_find_first(tree, addr, entry);
}

static int query_rcu(struct mm_struct *mm, enum query which, unsigned long addr,
		     struct area_info *info)
{
	struct rt_snapshot tree;
	struct rt_entry entry;

	for (;;) {
		tree = rt_snapshot_rcu(&mm->areas);
		if (!find_entry(tree, which, addr, &entry))
			return -ENOENT;
		if (!vma_pin_rcu(entry.item))
			continue;					/* (A) */
		if (rt_snapshot_rcu(&mm->areas).root == tree.root)
			break;						/* (B) */
		vma_unpin(entry.item);
	}
	copy_pinned(&entry, info);
	return 0;
}

static int query(struct mm_user *user, enum query which, unsigned long addr,
		 struct area_info *info)
{
	int err;

	port_rcu_read_lock();
	err = query_rcu(mm_from_user(user), which, addr, info);
	port_rcu_read_unlock();
	return err;
}

int mm_query(struct mm_user *user, unsigned long addr, struct area_info *info)
{
	return query(user, QUERY_AT, addr, info);
}

int mm_query_next(struct mm_user *user, unsigned long addr, struct area_info *info)
{
	return query(user, QUERY_FROM, addr, info);
}

void area_info_put(struct area_info *info)
{
	if (info->file)
		file_put(info->file);
	info->file = NULL;
}

/* ----------------------------------------------------------- all areas */

/* One area in the copy; the next record begins after the name's 0, aligned. */
struct record {
	unsigned long start, end;
	vm_flags_t flags;
	unsigned long pgoff;
	struct file *file;			/* a reference */
	size_t bytes;				/* of the record with its name */
	char name[];
};

struct copy {
	char *buf;
	size_t room;
	size_t filled;				/* by records */
	size_t needed;				/* more than @room: not all are there */
};

static void record_area(struct copy *copy, struct vm_area_struct *vma, const struct text *name)
	__must_hold_shared(vma_stable)
{
	size_t bytes = ALIGN(sizeof(struct record) + name->len + 1, sizeof(long));
	struct record *record;

	copy->needed += bytes;
	if (!copy->buf || copy->needed > copy->room)
		return;
	record = (struct record *)(copy->buf + copy->filled);
	copy->filled = copy->needed;
	record->start = vma->vm_start;
	record->end = vma->vm_end;
	record->flags = vma->vm_flags;
	record->pgoff = vma_pgoff_at(vma, vma->vm_start);
	record->file = vma->vm_file ? file_get(vma->vm_file) : NULL;
	record->bytes = bytes;
	memcpy(record->name, name->buf, name->len + 1);
}

/* The mmap lock is held.  What does not fit is only measured. */
static void copy_areas(struct mm_struct *mm, unsigned long start, unsigned long end,
		       struct copy *copy)
	__must_hold_shared(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = vma_in(mm, start, end);
	char buf[sizeof(((struct area_info *)0)->name)];

	copy->filled = 0;
	copy->needed = 0;
	for (; vma && vma->vm_start < end; vma = vma_after(vma)) {
		struct text name = text_in(buf, sizeof(buf));

		format_name_locked(&name, vma);
		record_area(copy, vma, &name);
	}
}

static struct record *record_at(const struct copy *copy, size_t at)
{
	return (struct record *)(copy->buf + at);
}

static void put_copy(struct copy *copy)
{
	for (size_t at = 0; at < copy->filled; at += record_at(copy, at)->bytes) {
		struct file *file = record_at(copy, at)->file;

		if (file)
			file_put(file);
	}
	port_free(copy->buf, copy->room);
}

/*
 * Measures, allocates without the lock, and looks again; with an eighth more, for the map may have
 * grown by then.  0 or -ENOMEM.
 */
static int copy_moment(struct mm_struct *mm, unsigned long start, unsigned long end,
		       struct copy *copy) __may_sleep
{
	size_t room;

	*copy = (struct copy){ 0 };
	for (;;) {
		mm_read_lock(mm);
		copy_areas(mm, start, end, copy);
		mm_read_unlock(mm);
		if (copy->needed <= copy->room)
			return 0;
		room = copy->needed + copy->needed / 8;
		put_copy(copy);
		*copy = (struct copy){ .buf = port_alloc(room), .room = room };
		if (!copy->buf)
			return -ENOMEM;
	}
}

static int visit_copy(const struct copy *copy,
		      int (*visit)(const struct area_info *info, void *arg), void *arg)
{
	int result = 0;

	for (size_t at = 0; at < copy->filled && !result; at += record_at(copy, at)->bytes) {
		const struct record *record = record_at(copy, at);
		struct area_info info = {
			.start = record->start, .end = record->end, .flags = record->flags,
			.pgoff = record->pgoff, .file = record->file,
		};

		str_copy(info.name, sizeof(info.name), record->name);
		result = visit(&info, arg);
	}
	return result;
}

int mm_for_each_area(struct mm_user *user, unsigned long start, unsigned long end,
		     int (*visit)(const struct area_info *info, void *arg), void *arg)
{
	witness_call();
	struct copy copy;
	int result = copy_moment(mm_from_user(user), start, end, &copy);

	if (result)
		return result;
	result = visit_copy(&copy, visit, arg);
	put_copy(&copy);
	return result;
}

/* ---------------------------------------------------------- statistics */

void mm_get_stats(struct mm_user *user, struct mm_stats *stats)
{
	witness_call();
	struct mm_struct *mm = mm_from_user(user);
	struct pages_stats pages;

	pages = pages_get_stats(mm);
	mm_read_lock(mm);
	*stats = (struct mm_stats){
		.nr_areas = rt_count(&mm->areas),
		.total_pages = mm->total_vm,
		.data_pages = mm->data_vm,
		.exec_pages = mm->exec_vm,
		.stack_pages = mm->stack_vm,
		.locked_pages = mm->locked_vm,
		.committed_pages = mm_count_committed(mm),
		.start_brk = mm->start_brk,
		.brk = mm->brk,
		.bytes = sizeof(*mm) + rt_memory_bytes(&mm->areas) +
			 (rt_count(&mm->areas) + mm->nr_spare) * sizeof(struct vm_area_struct),
		.anon_pages = pages.anon, .file_pages = pages.file,
		.shmem_pages = pages.shmem, .swap_pages = pages.swap,
		.table_pages = pages.tables,
	};
	mm_read_unlock(mm);
}
