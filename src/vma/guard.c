/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the accessors of guard.h check, in debug builds.
 *
 * "Holds" means this thread: that somebody holds the lock, which the lock's own word could tell, is
 * no reason for anybody else to write.
 */
#include "base/str.h"
#include "vma/guard.h"

#ifdef CONFIG_VMAREA_DEBUG

/* Nobody is counted, and nobody can be: see lock.c. */
static bool is_detached(const struct vm_area_struct *vma)
{
	return !atomic_load_relaxed(&vma->vm_refcnt);
}

static bool is_write_locked(const struct vm_area_struct *vma)
{
	return atomic_load_relaxed(&vma->vm_lock_seq) ==
	       atomic_load_relaxed(&vma->vm_mm->mm_lock_seq);
}

static bool is_private(const struct mm_struct *mm)
{
	return atomic_load_relaxed(&mm->known_to) == port_thread_id();
}

static bool holds_mmap_write(const struct mm_struct *mm)
{
	return witness_holds(&mm->mmap_lock, WITNESS_EXCLUSIVE);
}

static bool may_set(const struct vm_area_struct *vma)
{
	return holds_mmap_write(vma->vm_mm) && (is_detached(vma) || is_write_locked(vma));
}

/* The letter that was broken, in words, and the way to keep it. */
struct broken {
	const char *type;
	const char *needs;
	const char *advice;
};

static void text_range(struct text *t, const struct vm_area_struct *vma)
	__context_unsafe("for a message")
{
	text_str(t, "  VMA: [0x");
	text_hex(t, vma->vm_start);
	text_str(t, ", 0x");
	text_hex(t, vma->vm_end);
	text_str(t, ")");
}

/* "field written under too little: vm_area_struct.vm_end of 0x55d0c8a0", and what goes with it. */
static __cold void complain(const void *object, struct guard_site site, const struct broken *b,
			    const char *details)
{
	char summary[160], rule[320];
	struct text s = text_in(summary, sizeof(summary)), r = text_in(rule, sizeof(rule));
	const struct witness_finding finding = {
		.summary = summary, .place = site.place, .rule = rule, .details = details,
		.advice = b->advice,
	};

	text_str(&s, "field written under too little: ");
	text_str(&s, b->type);
	text_str(&s, ".");
	text_str(&s, site.field);
	text_str(&s, " of 0x");
	text_hex(&s, (uintptr_t)object);
	text_str(&r, "to write ");
	text_str(&r, site.field);
	text_str(&r, " needs ");
	text_str(&r, b->needs);
	text_str(&r, " (src/vma/types.h has the letter of each field)");
	witness_report_finding(&finding);
}

static __cold void complain_vma(const struct vm_area_struct *vma, struct guard_site site,
				const struct broken *b)
{
	char details[160];
	struct text t = text_in(details, sizeof(details));

	text_range(&t, vma);
	text_str(&t, is_detached(vma) ? ", not attached" : ", attached");
	if (vma->vm_mm)
		text_str(&t, is_write_locked(vma) ? ", write-locked" : ", not write-locked");
	complain(vma, site, b, details);
}

void guard_vma_init(const struct vm_area_struct *vma, struct guard_site site)
{
	static const struct broken b = {
		.type = "vm_area_struct",
		.needs = "a VMA that nobody can find: new, and not attached",
		.advice = "set it before map_insert(); or write-lock the VMA and use vma_set()",
	};

	if (!is_detached(vma))
		complain_vma(vma, site, &b);
}

void guard_vma_set(const struct vm_area_struct *vma, struct guard_site site)
{
	static const struct broken b = {
		.type = "vm_area_struct",
		.needs = "the mmap lock of its mm, held for write by this thread, and the VMA's "
			 "write lock",
		.advice = "mm_write_lock() in a caller, then vma_lock_write() on this VMA",
	};

	if (!may_set(vma))
		complain_vma(vma, site, &b);
}

void guard_vma_anon(const struct vm_area_struct *vma, struct guard_site site)
{
	static const struct broken b = {
		.type = "vm_area_struct",
		.needs = "page_table_lock and the mmap lock, both held by this thread; or the mmap "
			 "lock for write and the VMA's write lock",
		.advice = "anon_prepare() does it for a fault; else vma_lock_write() on this VMA",
	};
	const struct mm_struct *mm = vma->vm_mm;

	if (witness_holds(&mm->page_table_lock, WITNESS_SPIN) &&
	    witness_holds(&mm->mmap_lock, WITNESS_SHARED))
		return;
	if (!may_set(vma))
		complain_vma(vma, site, &b);
}

void guard_vma_next(const struct vm_area_struct *vma, const void *lock, struct guard_site site)
{
	static const struct broken b = {
		.type = "vm_area_struct",
		.needs = "the lock of the chain that the VMA goes on, held by this thread",
		.advice = "mm_write_lock() for the mm's chains, the pool's lock for the pool",
	};

	if (!witness_holds(lock, WITNESS_EXCLUSIVE))
		complain_vma(vma, site, &b);
}

void guard_mm_init(const struct mm_struct *mm, struct guard_site site)
{
	static const struct broken b = {
		.type = "mm_struct",
		.needs = "an mm that nobody else knows yet",
		.advice = "set it in mm_alloc(), before mm_make_known()",
	};

	if (!is_private(mm))
		complain(mm, site, &b, NULL);
}

void guard_mm_set(const struct mm_struct *mm, struct guard_site site)
{
	static const struct broken b = {
		.type = "mm_struct",
		.needs = "its mmap lock, held for write by this thread",
		.advice = "mm_write_lock() in a caller, or mm_write_lock_killable()",
	};

	if (!holds_mmap_write(mm) && !is_private(mm))
		complain(mm, site, &b, NULL);
}

void guard_mm_ptl(const struct mm_struct *mm, struct guard_site site)
{
	static const struct broken b = {
		.type = "mm_struct",
		.needs = "its page_table_lock, held by this thread",
		.advice = "spin_lock(&mm->page_table_lock) around it",
	};

	if (!witness_holds(&mm->page_table_lock, WITNESS_SPIN))
		complain(mm, site, &b, NULL);
}

#endif
