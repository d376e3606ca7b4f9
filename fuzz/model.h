/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An address space that is obviously right: an array with an entry for each page, and the memory
 * calls as loops over it.  It is what the library is held against by calls_fuzz.c.
 *
 * The whole address space is MODEL_PAGES long, so placement is a loop, too.  The model knows
 * nothing of areas, merging, trees or locks.  Three things hang on where one area ends and the next begins,
 * and are *observed*, not foretold: the harness writes them down after each call.
 *
 *	joined		is the page in one area with the page below it?  mremap() refuses what
 *			leaves its area, RLIMIT_STACK and RLIMIT_DATA look at areas
 *	pgoff		of private anonymous memory: an area that was touched keeps it when it moves
 *	open		flags of a page that the library may have or not: VM_ACCOUNT of memory that
 *			becomes read-only hangs on whether any page of its area was touched
 */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include <vmarea/vmarea.h>

#define PAGE		4096ul
#define MODEL_PAGES	64ul
#define MODEL_MIN	2ul		/* mmap_min_addr, in pages, as all below */
#define MODEL_LOWEST	4ul		/* of hints and searches */
#define MODEL_LEGACY	8ul
#define MODEL_TOP	60ul		/* top-down searches begin below it */
#define MODEL_GAP	3ul		/* below stacks */
#define MODEL_BRK	16ul
#define MODEL_OBJECTS	256u

/* What can be mapped.  Object 0 is private anonymous memory. */
struct model_object {
	unsigned int flags;		/* FILE_* */
	unsigned long size;		/* pages; where accesses end */
	unsigned long promised;		/* pages, for as long as anything maps it */
	vm_flags_t sets;		/* its mmap() hook does */
	bool unmappable;
	bool own_ops;			/* areas have a driver's ops */
	bool segment;			/* one attach of a segment */
	bool anonymous;			/* made for one shared anonymous mapping */
};

struct model_page {
	bool mapped, touched, joined;
	vm_flags_t flags, open;
	unsigned int object;
	unsigned long pgoff;
	unsigned int name;		/* 0: none */
};

struct model_world {
	struct model_object object[MODEL_OBJECTS];
	unsigned int nr_objects;
};

struct model {
	struct model_world *world;
	struct model_page page[MODEL_PAGES];
	unsigned long start_brk, brk;	/* bytes */
	unsigned long rlimit[MM_NR_RLIMITS];
	unsigned long stray;		/* locked pages that Linux goes on counting */
	bool stray_open;		/* that many, or more: to be observed */
	vm_flags_t locked_future;
	unsigned int caps, personality;
	bool bottom_up, memory_merge;
};

enum model_total { TOTAL_PAGES, TOTAL_DATA, TOTAL_EXEC, TOTAL_STACK, TOTAL_LOCKED, NR_TOTALS };
unsigned long model_total(const struct model *m, enum model_total which);

long model_mmap(struct model *m, unsigned long addr, unsigned long len, unsigned long prot,
		unsigned long flags, unsigned int object, unsigned long offset);
long model_munmap(struct model *m, unsigned long addr, unsigned long len);
long model_mprotect(struct model *m, unsigned long addr, unsigned long len, unsigned long prot);
long model_mremap(struct model *m, unsigned long addr, unsigned long old_len, unsigned long new_len,
		  unsigned long flags, unsigned long new_addr);
long model_madvise(struct model *m, unsigned long addr, unsigned long len, int advice);
long model_process_madvise(struct model *m, const struct mm_range *range, size_t nr, int advice,
			   unsigned int flags, bool self);
unsigned long model_brk(struct model *m, unsigned long brk);
long model_mlock(struct model *m, unsigned long addr, unsigned long len, int flags);
long model_munlock(struct model *m, unsigned long addr, unsigned long len);
long model_mlockall(struct model *m, int flags);
void model_munlockall(struct model *m);
long model_mseal(struct model *m, unsigned long addr, unsigned long len, unsigned long flags);
long model_msync(struct model *m, unsigned long addr, unsigned long len, int flags);
long model_mincore(struct model *m, unsigned long addr, unsigned long len);
long model_remap_file_pages(struct model *m, unsigned long addr, unsigned long size,
			    unsigned long prot, unsigned long pgoff, unsigned long flags);
long model_shmat(struct model *m, unsigned int segment, unsigned long addr, int flags);
long model_shmdt(struct model *m, unsigned long addr);
/* @name 0 takes it away. */
long model_set_name(struct model *m, unsigned long addr, unsigned long len, unsigned int name);
void model_set_memory_merge(struct model *m, bool merge);
enum mm_fault model_touch(struct model *m, unsigned long addr, unsigned long len,
			  enum mm_access access);
bool model_range_ok(const struct model *m, unsigned long addr, unsigned long len,
		    unsigned long prot);
void model_fork(const struct model *m, struct model *child);
void model_exec(struct model *m);

/* ---- what the files of the model share */

#define MODEL_LOCKS	(VM_LOCKED | VM_LOCKONFAULT)
#define MODEL_SPECIAL	(VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP)
#define MODEL_ACCESS	(VM_READ | VM_WRITE | VM_EXEC)
#define MODEL_MAY	(VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)

static inline unsigned long model_align(unsigned long len)
{
	return (len + PAGE - 1) & -PAGE;
}

/*
 * The pages of a range, which may reach far beyond the last: of those that do not exist one is
 * looked at, and found not to be mapped.
 */
#define for_each_page(i, start, end)						\
	for (unsigned long i = (start) < MODEL_PAGES ? (start) : MODEL_PAGES,	\
	     i##_end = (start) >= (end) ? 0 :					\
		       (end) <= MODEL_PAGES ? (end) : MODEL_PAGES + 1;		\
	     i < i##_end; i++)

/* The page, or NULL if nothing is mapped there. */
static inline struct model_page *model_at(struct model *m, unsigned long i)
{
	return i < MODEL_PAGES && m->page[i].mapped ? &m->page[i] : NULL;
}

static inline struct model_object *model_object(const struct model *m, const struct model_page *p)
{
	return &m->world->object[p->object];
}

/* A private mapping of /dev/zero is, too. */
static inline bool model_is_anon(const struct model *m, const struct model_page *p)
{
	return !p->object || model_object(m, p)->flags & FILE_DEV_ZERO;
}

static inline vm_flags_t model_flags_of_prot(unsigned long prot)
{
	return (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0) |
	       (prot & PROT_EXEC ? VM_EXEC : 0);
}

/* The first page above that is mapped, @i itself included, or MODEL_PAGES. */
unsigned long model_next(struct model *m, unsigned long i);
unsigned long model_area_start(struct model *m, unsigned long i);
unsigned long model_area_end(struct model *m, unsigned long i);
void model_clear(struct model *m, unsigned long start, unsigned long end);
/* @addr is a hint, or with MAP_FIXED the place.  The page, or -errno. */
long model_place(struct model *m, unsigned long addr, unsigned long n, unsigned long flags);
bool model_any_sealed(struct model *m, unsigned long start, unsigned long end);
bool model_may_expand(const struct model *m, vm_flags_t flags, unsigned long n);
bool model_may_lock(const struct model *m, vm_flags_t flags, unsigned long n);
bool model_may_lock_at_all(const struct model *m);
bool model_is_mergeable(vm_flags_t flags);
/* MAP_POPULATE, and locked memory that is new: those that can be. */
void model_populate(struct model *m, unsigned long start, unsigned long end);

#endif
