/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A software TLB, for the virtual CPU of an emulator: from a guest's address to the bytes here, in a
 * compare and an add.
 *
 *	soft_tlb_create(10, &tlb);			1024 entries: 4 MiB of guest memory
 *	soft_tlb_attach(tlb, mmu, &space);		once for each address space it will run
 *	soft_tlb_switch(tlb, space);
 *
 *	soft_tlb_begin(tlb);				run guest code
 *	for (each block of code) {
 *		soft_tlb_poll(tlb);			the safepoint
 *		...
 *		if (!soft_tlb_load(tlb, addr, &value, 8))
 *			deliver(tlb->fault, tlb->fault_addr);
 *		...
 *	}
 *	soft_tlb_end(tlb);				before anything that waits
 *
 * One thread at a time uses a TLB.  Between begin and end it is in an *access section*: whoever takes
 * a page away from the address space (munmap, mprotect, a copy-on-write) waits until the section has
 * polled or ended, if the TLB has that page; it may be holding locks and keeping others waiting.  So:
 *
 *  - poll at least every few microseconds: at the end of each block, at each loop back;
 *  - inside of a section call nothing of this library but this header's functions: a memory call
 *    could wait for this very section.  A system call of the guest, a lock, a sleep: end first.  (A
 *    miss does so itself.)
 *  - a pointer from soft_tlb_read() and its kind is good until the next call for the same TLB,
 *    whatever that is.
 *
 * Entries stay good over end and begin.  To know of one access only, bracket it: that costs two
 * fences, and a hit between them two nanoseconds or less.
 *
 * Nobody is told of stores.  Who translates the guest's code keeps a bit for each page that it has
 * translations of, and looks at it before it stores to a page; that a page went, or may not be
 * executed any more, it hears by a notifier (mmu.h).  What the program's threads do to it by way of
 * system calls (read(2) to its own code) is a store as well: mm_write().
 *
 * What a hardware TLB and walker do is done: accessed and dirty are set in the page tables when an
 * entry is made, and a page can be written to only through an entry that says dirty.
 */
#ifndef VMAREA_SOFT_TLB_H
#define VMAREA_SOFT_TLB_H

#include <vmarea/mmu.h>

#ifdef __cplusplus
extern "C" {
#endif
__nonnull_begin

#define SOFT_TLB_PAGE_SHIFT	12
#define SOFT_TLB_PAGE_MASK	(~(uint64_t)0 << SOFT_TLB_PAGE_SHIFT)
#define SOFT_TLB_MIN_LOG2	4u
#define SOFT_TLB_MAX_LOG2	16u

/* No entry has it: its low bits are no ASID. */
#define SOFT_TLB_NO_TAG		(~(uint64_t)0)

/*
 * What guards a field: v the thread that uses the TLB, whose plain field it is; a atomic, written by
 * others too; 1 written at creation.
 */
struct soft_tlb_entry {
	uint64_t tag[3];		/* a	by enum mm_access: page | ASID, or SOFT_TLB_NO_TAG */
	uint64_t addend;		/* v	address here - address there */
};

struct soft_tlb_space;

struct soft_tlb {
	struct soft_tlb_entry *entries;	/* 1 */
	uint64_t index_mask;		/* 1	(number of entries - 1) * sizeof(entry) */
	uint64_t asid;			/* v	of the space that is current */
	uint32_t seen;			/* v	the request up to which all is known */
	enum mm_fault fault;		/* v	why the last access failed; DONE: it crosses a page */
	uint64_t fault_addr;		/* v	and the first byte that could not be had */
	struct soft_tlb_space *current;	/* a */
	uint32_t section;		/* a	futex; odd: in an access section */
	uint32_t request __attribute__((aligned(64))); /* a	one more with each invalidation */
	uint32_t waiters;		/* a	wait for a change of section */
};

/*
 * @log2_entries from SOFT_TLB_MIN_LOG2 to SOFT_TLB_MAX_LOG2; an entry is 32 bytes.  0; -EINVAL:
 * @log2_entries; -ENOMEM.
 */
VMAREA_API int soft_tlb_create(unsigned int log2_entries, struct soft_tlb **out)
	__may_sleep __must_check;
/* Outside of a section, everything detached. */
VMAREA_API void soft_tlb_destroy(struct soft_tlb *tlb)		__may_sleep;

/* Lets @tlb run in the address space of @mmu; up to 64 of them.  0; -ENOSPC; -ENOMEM. */
VMAREA_API int soft_tlb_attach(struct soft_tlb *tlb, struct mmu *mmu, struct soft_tlb_space **out)
	__may_sleep __must_check;
/* Outside of a section.  If @space is current, none is afterwards. */
VMAREA_API void soft_tlb_detach(struct soft_tlb *tlb, struct soft_tlb_space *space) __may_sleep;

/* The guest's context switch; outside of a section.  Entries of other spaces stay good. */
VMAREA_API void soft_tlb_switch(struct soft_tlb *tlb, struct soft_tlb_space *space);

/* ------------------------------------------------------------------------ access sections -- */

/* Not to be called: what the functions below do when there is more to do. */
VMAREA_API void soft_tlb_enter(struct soft_tlb *tlb);
VMAREA_API void soft_tlb_leave(struct soft_tlb *tlb);
VMAREA_API void soft_tlb_acknowledge(struct soft_tlb *tlb);
VMAREA_API void *__nullable soft_tlb_miss(struct soft_tlb *tlb, uint64_t addr, unsigned int bytes,
					  enum mm_access access);
VMAREA_API bool soft_tlb_copy_slow(struct soft_tlb *tlb, uint64_t addr, void *buf,
				   unsigned int bytes, enum mm_access access);

static inline void soft_tlb_begin(struct soft_tlb *tlb)
{
	soft_tlb_enter(tlb);
}

static inline void soft_tlb_end(struct soft_tlb *tlb)
{
	soft_tlb_leave(tlb);
}

/* The safepoint: a load and a compare, unless somebody has invalidated something. */
static inline void soft_tlb_poll(struct soft_tlb *tlb)
{
	if (__builtin_expect(__atomic_load_n(&tlb->request, __ATOMIC_RELAXED) != tlb->seen, 0))
		soft_tlb_acknowledge(tlb);
}

/* --------------------------------------------------------------------------------- access -- */

/* NULL: not in the TLB, or it crosses a page.  An access that does has its last byte in no entry. */
static inline void *__nullable soft_tlb_hit(struct soft_tlb *tlb, uint64_t addr, unsigned int bytes,
					    enum mm_access access)
{
	/* Five bits less than a page: an entry is 32 bytes. */
	struct soft_tlb_entry *entry = (struct soft_tlb_entry *)((char *)tlb->entries +
		((addr >> (SOFT_TLB_PAGE_SHIFT - 5)) & tlb->index_mask));
	uint64_t tag = ((addr + bytes - 1) & SOFT_TLB_PAGE_MASK) | tlb->asid;

	if (__builtin_expect(__atomic_load_n(&entry->tag[access], __ATOMIC_RELAXED) != tag, 0))
		return NULL;
	return (void *)(uintptr_t)(addr + entry->addend);
}

/*
 * The bytes at @addr, for one access of 1 to 4096 @bytes that lies in one page.  NULL: tlb->fault
 * says why, or is MM_FAULT_DONE if the access crosses a page.  In a section; after NULL too.
 */
static inline void *__nullable soft_tlb_access(struct soft_tlb *tlb, uint64_t addr,
					       unsigned int bytes, enum mm_access access)
{
	void *p = soft_tlb_hit(tlb, addr, bytes, access);

	return __builtin_expect(p != NULL, 1) ? p : soft_tlb_miss(tlb, addr, bytes, access);
}

static inline const void *__nullable soft_tlb_read(struct soft_tlb *tlb, uint64_t addr,
						   unsigned int bytes)
{
	return soft_tlb_access(tlb, addr, bytes, MM_ACCESS_READ);
}

static inline void *__nullable soft_tlb_write(struct soft_tlb *tlb, uint64_t addr,
					      unsigned int bytes)
{
	return soft_tlb_access(tlb, addr, bytes, MM_ACCESS_WRITE);
}

static inline const void *__nullable soft_tlb_exec(struct soft_tlb *tlb, uint64_t addr,
						   unsigned int bytes)
{
	return soft_tlb_access(tlb, addr, bytes, MM_ACCESS_EXEC);
}

/*
 * Copies 1 to 4096 @bytes, which may cross a page.  False: tlb->fault says why, nothing was written,
 * neither to @to nor, by a store that crosses, to the page that could be written to.
 */
static inline bool soft_tlb_load(struct soft_tlb *tlb, uint64_t addr, void *to, unsigned int bytes)
{
	const void *p = soft_tlb_hit(tlb, addr, bytes, MM_ACCESS_READ);

	if (__builtin_expect(!p, 0))
		return soft_tlb_copy_slow(tlb, addr, to, bytes, MM_ACCESS_READ);
	__builtin_memcpy(to, p, bytes);
	return true;
}

static inline bool soft_tlb_store(struct soft_tlb *tlb, uint64_t addr, const void *from,
				  unsigned int bytes)
{
	void *p = soft_tlb_hit(tlb, addr, bytes, MM_ACCESS_WRITE);

	if (__builtin_expect(!p, 0))
		return soft_tlb_copy_slow(tlb, addr, (void *)(uintptr_t)from, bytes,
					  MM_ACCESS_WRITE);
	__builtin_memcpy(p, from, bytes);
	return true;
}

__nonnull_end
#ifdef __cplusplus
}
#endif
#endif
