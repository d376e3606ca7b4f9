/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The two structs that everything above floor 2 is about: an address space and an area of it.
 *
 * What guards a field is the letter in front of its comment, from src/TAGS:
 *
 *	m	the mmap lock: read to read, write to write
 *	V	mmap write lock and the VMA's write lock to write; either lock, any mode, to read
 *	w	the lock that a tree's writer has (mmap write lock, mapping lock), to read or write
 *	1	written once, before anyone else can see the object
 *	a	atomic; the comment at the use says what it pairs with
 *	p	page_table_lock with the mmap lock in any mode, or as V, to write; mmap write lock
 *		to rely on
 *	t	page_table_lock, to read or write
 *	f	the lock of the chain of free VMAs that it is in: the mmap write lock, the pool's
 *	i	what is inside: a lock, or something with a lock of its own
 *
 * A field of class m, V, w, 1, p, t or f is written through the accessors of vma/guard.h, which in
 * a debug build check just that.
 *
 * m, V and w are one token to the analysis of locks (VMA_GUARDED): it sees that a lock is held, and
 * that it is one for writing where there is a write.
 */
#ifndef VMA_TYPES_H
#define VMA_TYPES_H

#include <vmarea/driver.h>
#include <vmarea/vmarea.h>

#include "base/bits.h"
#include "base/bug.h"
#include "base/errno.h"
#include "base/list.h"
#include "ds/interval_tree.h"
#include "ds/range_tree.h"
#include "instance/instance.h"
#include "sync/kill_group.h"
#include "sync/rwsem.h"
#include "sync/spinlock.h"

#define VMA_GUARDED		__guarded_by(vma_stable)

/* Who alone knows the mm, before it is made known and from the last mmput() on; 0: nobody. */
#ifdef CONFIG_VMAREA_DEBUG
# define MM_PRIVATE_MEMBER	u32 known_to;
#else
# define MM_PRIVATE_MEMBER
#endif

struct address_space;
struct anon_chain;
struct anon_vma;
struct pgtable;
struct anon_name;
struct user_faults;

struct vm_area_struct {
	unsigned long vm_start VMA_GUARDED;	/* V	bytes */
	unsigned long vm_end VMA_GUARDED;	/* V	exclusive */
	vm_flags_t vm_flags VMA_GUARDED;	/* V	and a copy is the tree entry's tag */

	/*
	 * File page of an address: (addr >> PAGE_SHIFT) + vm_pgdelta, modulo 2^64.  A split or a
	 * merge changes start and pgoff together, so their difference is one value for life, and
	 * readers without a lock can use it.
	 */
	unsigned long vm_pgdelta;		/* 1 */
	struct mm_struct *vm_mm;		/* 1	until the memory is used again */
	struct file *vm_file;			/* 1	a reference */
	const struct vm_operations_struct *vm_ops; /* 1	after the mmap() hook */
	void *vm_private_data;			/* 1/V	after the mmap() hook; V if VM_HUGETLB */

	struct anon_chain *anon;		/* p	NULL until touched; back under w + V */
	struct anon_name *anon_name VMA_GUARDED; /* V	readers under RCU may copy it out */
	struct user_faults *user_faults VMA_GUARDED; /* V	who answers: one of the mm's list */
	const char *special;			/* 1	"[vdso]" and its like, else NULL */

	u32 vm_lock_seq;			/* a	== mm_lock_seq: write-locked */
	u32 vm_refcnt;				/* a	0 detached, else 1 + readers; VMA_WRITER */

	struct vm_area_struct *next_free;	/* f	mm->spare, mm->dead, the pool */

	/* Where the reverse maps have it: rmap_place.c.  Behind what lookups read. */
	struct it_node file_place;		/* i_mmap_lock	by file page */
	struct it_node anon_place;		/* root->tree_lock	the same, of its chain */
};

/* A VMA of which nobody may say it is anonymous must have ops: these, if it has no others. */
extern const struct vm_operations_struct file_vm_ops;
extern const struct vm_operations_struct special_vm_ops;
/* Those of what mmap() makes for MAP_SHARED | MAP_ANONYMOUS. */
extern const struct vm_operations_struct shared_anon_vm_ops;

/* The locks of reverse maps that a writer has now: see rmap_place.h. */
struct rmap_hold {
	struct address_space *mapping;		/* w	its i_mmap_lock; NULL: none */
	struct anon_vma *root;			/* w	its family's lock; NULL: none */
	unsigned int depth;			/* w	0: neither */
};

/* Who answers faults of an mm: struct user_faults. */
struct user_faults_list {
	struct spinlock lock;			/* i	rank: instance */
	struct list_head all __guarded_by(&lock); /* lock	on_mm: a reference each */
};

struct mm_struct {
	struct range_tree areas;		/* m	RCU to read the published root */

	/* What each fault reads, and nobody writes. */
	struct vmarea *instance __cacheline_aligned; /* 1 */
	struct pgtable *pgt;			/* 1	NULL: areas only, no pages */
	unsigned long resident_limit;		/* a	relaxed: pages; 0: none */

	/* What each lookup reads, and each write section writes. */
	u32 mm_lock_seq __cacheline_aligned;	/* a	odd while the mmap lock is held for write */
	u32 map_count VMA_GUARDED;		/* m	areas; also those a call is about to make */

	/* What mmget() and mmgrab() write. */
	u32 mm_users __cacheline_aligned;	/* a */
	u32 mm_count;				/* a	all of mm_users count as one */

	struct rwsem mmap_lock __cacheline_aligned;	/* i */
	struct spinlock page_table_lock;	/* i */
	struct kill_group kill;			/* i	who waits killably for mmap_lock */

	struct vm_area_struct *spare VMA_GUARDED; /* w	for the next split: it cannot fail */
	struct vm_area_struct *dead VMA_GUARDED; /* w	out of the tree at the next publish */
	u32 nr_spare VMA_GUARDED;		/* w */
	struct anon_chain *spare_anon;		/* t	for the next write faults */
	struct user_faults_list faults_list;	/* i */

	unsigned long total_vm VMA_GUARDED;	/* m	all these in pages */
	unsigned long data_vm VMA_GUARDED;	/* m */
	unsigned long exec_vm VMA_GUARDED;	/* m */
	unsigned long stack_vm VMA_GUARDED;	/* m */
	unsigned long locked_vm VMA_GUARDED;	/* m */
	unsigned long locked_stray VMA_GUARDED;	/* m	of locked_vm: in no area now (mremap.c) */
	vm_flags_t def_flags VMA_GUARDED;	/* m	VM_LOCKED..., VM_MERGEABLE: on new areas */

	unsigned long task_size VMA_GUARDED;	/* m	and relaxed, for checks before the lock */
	unsigned long mmap_base VMA_GUARDED;	/* m */
	unsigned long mmap_legacy_base VMA_GUARDED; /* m */
	bool bottom_up VMA_GUARDED;		/* m */
	bool thp_disable VMA_GUARDED;		/* m */
	bool memory_merge VMA_GUARDED;		/* m */
	unsigned long start_code VMA_GUARDED;	/* m */
	unsigned long end_code VMA_GUARDED;	/* m */
	unsigned long start_data VMA_GUARDED;	/* m */
	unsigned long end_data VMA_GUARDED;	/* m */
	unsigned long start_brk VMA_GUARDED;	/* m	and relaxed, for names without a lock */
	unsigned long brk VMA_GUARDED;		/* m	the same */
	unsigned long start_stack VMA_GUARDED;	/* m	the same */
	unsigned long rlimit[MM_NR_RLIMITS];	/* a	relaxed: set by another at any time */
	u32 caps;				/* a	relaxed */
	u32 personality;			/* a	relaxed */
	unsigned long reclaim_hand;		/* a	relaxed: where to look for pages next */
	struct rmap_hold rmap_hold VMA_GUARDED;	/* w	what of the reverse maps is locked */

	/* Of its beginning and its end only.  Its neighbours on the roll write here, too. */
	struct roll_entry on_roll __cacheline_aligned;	/* i	its instance's */
	struct port_work put_work;		/* i	mmput_async(), by the last user only */
	u64 number;				/* 1	mm_number() */
	MM_PRIVATE_MEMBER			/* a	debug builds: see vma/guard.h */
};

static inline unsigned long vma_pages(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
}

static inline unsigned long vma_pgoff_at(const struct vm_area_struct *vma, unsigned long addr)
{
	return (addr >> PAGE_SHIFT) + vma->vm_pgdelta;
}

/* Anonymous is what has no ops: a private mapping of /dev/zero has a file and is anonymous. */
static inline bool vma_is_anonymous(const struct vm_area_struct *vma)
{
	return !vma->vm_ops;
}

/* A write is, or may come to be, to a copy. */
static inline bool vma_copies_writes(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return (vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE;
}

/* Never merged, never grown: what a driver or hardware put there is not ours to join. */
#define VM_SPECIAL		(VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP)
/* Differ as they may, areas merge; and what is joined has them if any part had. */
#define VM_STICKY		(VM_SOFTDIRTY | VM_MAYBE_GUARD)
#define VM_IGNORE_MERGE		VM_STICKY
#define VM_ACCESS_FLAGS		(VM_READ | VM_WRITE | VM_EXEC)
#define VM_MAY_FLAGS		(VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)
/* Faults that the embedder answers; and never where one of the second is set. */
#define VM_UFFD_MASK		(VM_UFFD_MISSING | VM_UFFD_WP | VM_UFFD_MINOR)
#define VM_NO_ANSWER		(VM_IO | VM_PFNMAP | VM_MIXEDMAP | VM_HUGETLB | VM_DROPPABLE)
#define VM_LOCKED_MASK		(VM_LOCKED | VM_LOCKONFAULT)

#endif
