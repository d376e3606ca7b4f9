/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vmarea: Linux's process address-space layer, for a program that embeds it.
 *
 *	struct vmarea *v;
 *	struct mm_user *mm;
 *	struct vmarea_config config = VMAREA_CONFIG_INIT;
 *	struct mm_config mm_config = MM_CONFIG_INIT;
 *
 *	vmarea_create(&config, &v);
 *	mm_create(v, &mm_config, &mm);
 *	addr = mm_mmap(mm, 0, 1 << 20, PROT_READ | PROT_WRITE,
 *		       MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
 *	if (mm_range_ok(mm, addr, 8, PROT_READ)) ...
 *	mmput(mm);
 *	vmarea_destroy(v);
 *
 * An instance (struct vmarea) is one machine: its memory, its limits.  There are no globals; a
 * process may hold any number.  An mm is one address space, of one of two kinds:
 *
 *  - areas only (arena_bytes 0).  The program has the memory itself, in mappings of the host that it
 *    makes to follow the areas, and gets the faults: examples/tracker.c.  What the guest forks can
 *    be a process of the host's.
 *  - areas and the pages in them.  The library has the bytes, the page tables and the faults.  Loads
 *    and stores go through a soft TLB (soft_tlb.h), a window of this process's own addresses
 *    (host.h: examples/window/host.c), or mm_read() and mm_write().  What the guest forks is
 *    another mm of the same process of the host's: mm_fork().
 *
 * The memory calls take what the system call takes and return what it returns: the address or 0,
 * or -errno (never -1).  Each lists its own errors.  Beside these there are, for each:
 *
 *	-ENOMEM		no memory of the host's; no frame, and none could be taken back
 *			(vmarea/reclaim.h): nothing changed
 *	-EINTR		it would have had to wait for the mmap lock, for write, after mm_kill():
 *			nothing changed.  (mm_brk(), mm_touch() and what only reads wait on.)
 *	what a driver's may_split(), mprotect(), mremap() or mmap() returns
 *
 * Unless a call says otherwise, an error means that nothing changed; where Linux leaves a part done
 * (mprotect() up to a hole), so does the call, and says so.  An area that was split at an end of
 * the range before the error was found may stay split.  All may sleep, and take the mmap lock
 * themselves: no lock of the mm may be held, and so not by a driver's hook.
 *
 * Addresses and lengths are in bytes; what is in pages (of 4096 bytes) says so.  Any thread may
 * call anything, without having been registered.
 *
 * Signal handlers may call mm_range_ok(), mm_query(), mm_query_next() and area_info_put(), wherever
 * they interrupt, and no other function.
 *
 * A host that forks: in the child other threads are gone, as if stopped for ever.  What a signal
 * handler may call works there for every mm.  All else works for instances and mms made in the
 * child, and for an mm if no other thread was inside a call of it, or waiting for its lock, when
 * the host forked; nor inside one of an mm that is related to it by mm_fork().  So who wants to go
 * on with an mm in the child keeps the other threads out while it forks.  A hook that a background
 * thread of the library calls (mmput_async()) must not fork.
 *
 * Not so an instance with pages.  Parent and child would have the same bytes, each thinking that
 * they are its own: what one writes, or gives back, is written to, or gone, in the other, and nobody
 * is told.  There the child may call what a signal handler may, and nothing else, mmput() and
 * vmarea_destroy() neither: it leaves by exec() or _exit().
 *
 * Sources: the manual pages of the system calls (man-pages 6), Documentation/mm/process_addrs.rst,
 * and the running kernel, which decides where they differ.
 */
#ifndef VMAREA_VMAREA_H
#define VMAREA_VMAREA_H

#include <vmarea/driver.h>
#include <vmarea/uapi.h>

#ifdef __cplusplus
extern "C" {
#endif
__nonnull_begin

/* As `pkg-config --modversion vmarea` says it.  Before 1.0.0 each MINOR may break programs. */
#define VMAREA_VERSION_MAJOR	0
#define VMAREA_VERSION_MINOR	1
#define VMAREA_VERSION_PATCH	0

/* ------------------------------------------------------------- instance -- */

enum vmarea_overcommit {
	VMAREA_OVERCOMMIT_GUESS = 0,	/* refuse what can never fit */
	VMAREA_OVERCOMMIT_ALWAYS = 1,
	VMAREA_OVERCOMMIT_NEVER = 2,	/* a hard limit on what is promised */
};

/* Which anonymous areas get huge pages when they are touched: transparent_hugepage/enabled. */
enum vmarea_thp {
	VMAREA_THP_MADVISE = 0,		/* those with MADV_HUGEPAGE */
	VMAREA_THP_ALWAYS = 1,		/* all but those with MADV_NOHUGEPAGE */
	VMAREA_THP_NEVER = 2,		/* none; MADV_COLLAPSE makes them all the same */
};

/* The machine.  Begin with VMAREA_CONFIG_INIT: these are Linux's defaults, with 1 TiB of memory. */
struct vmarea_config {
	size_t size;				/* sizeof(struct vmarea_config) */
	unsigned long total_ram_pages;
	unsigned long total_swap_pages;
	enum vmarea_overcommit overcommit;
	unsigned int overcommit_ratio;		/* percent of memory, for NEVER */
	unsigned long overcommit_kbytes;	/* instead of the ratio if not 0 */
	unsigned long user_reserve_kbytes;	/* NEVER: kept from one big process */
	unsigned long admin_reserve_kbytes;	/* NEVER: kept from all but the administrator */
	unsigned int max_map_count;		/* areas in one mm */
	unsigned long mmap_min_addr;		/* bytes; lower only with MM_CAP_SYS_RAWIO */
	unsigned long lsm_mmap_min_addr;	/* bytes; hints, searches, stacks: above both */
	unsigned int stack_guard_gap_pages;
	unsigned int nr_huge_2m_pages;		/* the pool behind MAP_HUGETLB */
	unsigned int nr_huge_1g_pages;
	unsigned int features;			/* VMAREA_FEATURE_* */
	unsigned long arena_bytes;		/* memory for frames, in whole pages; 0: regions only */
	enum vmarea_thp thp;			/* with VMAREA_FEATURE_THP */
	/*
	 * A read fault on a page of a file maps what the cache has of so many bytes around it: a power
	 * of two, from a page to 2 MiB; 0: a page.
	 */
	unsigned long fault_around_bytes;
};

/* What a kernel may be built without; a call that needs it fails as there. */
#define VMAREA_FEATURE_ANON_NAMES	0x01u	/* PR_SET_VMA_ANON_NAME */
#define VMAREA_FEATURE_SOFT_DIRTY	0x02u	/* VM_SOFTDIRTY on new areas */
#define VMAREA_FEATURE_MSEAL		0x04u
#define VMAREA_FEATURE_KSM		0x08u	/* MADV_MERGEABLE */
#define VMAREA_FEATURE_THP		0x10u	/* MADV_HUGEPAGE, 2 MiB placement */
#define VMAREA_FEATURE_MULTI_MREMAP	0x20u	/* mremap() of several areas (Linux 6.17) */
#define VMAREA_FEATURE_GUARD_FLAG	0x40u	/* MADV_GUARD_INSTALL marks the area (6.18.y) */
#define VMAREA_FEATURE_HUGE_1G		0x80u	/* the CPU has 1 GiB pages */
#define VMAREA_FEATURE_MEMORY_FAILURE	0x100u	/* MADV_HWPOISON, for the administrator */
#define VMAREA_FEATURES_DEFAULT		0x1fdu	/* all but soft-dirty */

#define VMAREA_CONFIG_INIT {						\
	.size = sizeof(struct vmarea_config),				\
	.total_ram_pages = 1ul << 28, .total_swap_pages = 0,		\
	.overcommit = VMAREA_OVERCOMMIT_GUESS, .overcommit_ratio = 50, .overcommit_kbytes = 0, \
	.user_reserve_kbytes = 128 * 1024, .admin_reserve_kbytes = 8 * 1024, \
	.max_map_count = 65530, .mmap_min_addr = 4096, .lsm_mmap_min_addr = 65536, \
	.stack_guard_gap_pages = 256, .nr_huge_2m_pages = 0, .nr_huge_1g_pages = 0, \
	.features = VMAREA_FEATURES_DEFAULT, .arena_bytes = 0, .thp = VMAREA_THP_MADVISE, \
	.fault_around_bytes = 64ul << 10 }

/*
 * @config is copied.  0; -EINVAL: a value is out of range, or @config->size is not one this library
 * knows; -ENOMEM.  *out is written on success only, as by all functions that make something.
 */
VMAREA_API int vmarea_create(const struct vmarea_config *config, struct vmarea **out)
	__may_sleep __must_check;

/*
 * Every mm, file, page and shrinker of it must be gone, or on its way by mmput_async(): anything
 * left, and anything still promised, ends the program.  Waits for readers and background work; so
 * not from a hook.
 */
VMAREA_API void vmarea_destroy(struct vmarea *instance)		__may_sleep;

/* Pages promised to all its mms: what overcommit counts. */
VMAREA_API unsigned long vmarea_committed_pages(const struct vmarea *instance);

/* ---------------------------------------------------------------- files -- */

/* How a file's kind wants to be placed when there is no hint. */
enum file_placement {
	FILE_PLACE_ANY,			/* packed under what is there */
	FILE_PLACE_HUGE,		/* 2 MiB-aligned by offset: ext4, xfs, btrfs */
	FILE_PLACE_SHMEM,		/* memfd, shared anonymous, tmpfs */
};

#define FILE_READ		0x0001u	/* opened for reading */
#define FILE_WRITE		0x0002u	/* opened for writing */
#define FILE_APPEND_ONLY	0x0004u	/* the inode is append-only */
#define FILE_NOEXEC		0x0008u	/* on a mount without execution */
#define FILE_DELETED		0x0010u	/* maps says " (deleted)" */
#define FILE_SHMEM		0x0020u	/* its pages are swap-backed: memfd, tmpfs */
#define FILE_DEV_ZERO		0x0040u	/* /dev/zero: private is anonymous, shared is a new object */
#define FILE_HUGETLB		0x0080u	/* a file of hugetlbfs, or memfd with MFD_HUGETLB */
#define FILE_DAX		0x0100u	/* MAP_SYNC is possible */
#define FILE_SEAL_WRITE		0x0200u	/* F_SEAL_WRITE or F_SEAL_FUTURE_WRITE is set */
#define FILE_SEALABLE		0x0800u	/* a new FILE_SHMEM inode may be given seals (file.h) */
#define FILE_EXECUTABLE		0x1000u	/* its mode has an x: F_SEAL_EXEC brings other seals */
#define FILE_MAP_SYNC		0x0400u	/* its file system knows MAP_SYNC; refused but for FILE_DAX */

/*
 * One open file.  Two areas join only if they map the same struct file (a dup() is the same, a
 * second open() is not).
 */
struct file_desc {
	size_t size;				/* sizeof(struct file_desc) */
	/*
	 * NULL: an ordinary file.  Ops without an mmap() hook: it cannot be mapped, -ENODEV.  Not
	 * copied: they stay until release() has returned.
	 */
	const struct file_operations *__nullable ops;
	void *__nullable private_data;
	const char *name;			/* copied; as maps prints it */
	uint64_t inode;
	unsigned int dev_major, dev_minor;
	unsigned int flags;			/* FILE_* */
	enum file_placement placement;
	uint64_t size_bytes;			/* where reads end; file_set_size() later */
	uint64_t max_bytes;			/* how long it could be; 0: 2^63 - 1 */
	/*
	 * Another file that is open on the same inode, with the same FILE_SHMEM and FILE_HUGETLB:
	 * the two have one size, @size_bytes is not looked at, and the same pages.  NULL: an inode
	 * of its own.  The numbers above are what reports print, and say nothing about this.
	 */
	struct file *__nullable same_inode;
};

/*
 * One reference.  0; -EINVAL: @desc->size, an unknown flag or placement, no name, @same_inode is of
 * another instance or another kind; -ENOMEM.
 */
VMAREA_API int file_create(struct vmarea *instance, const struct file_desc *desc,
			   struct file **out) __may_sleep __must_check;
/* One more reference for somebody who has one.  Returns @file.  In atomic context, too. */
VMAREA_API struct file *file_get(struct file *file);
/*
 * The last one calls release(), on this thread, so it may do what that does; the memory goes after
 * readers that may still look.  Areas hold a reference each.
 */
VMAREA_API void file_put(struct file *file);
/*
 * As ftruncate(), for every file that is open on the inode: counts from the next access on.  Mapped
 * areas stay as they are.  Pages past a new end are dropped, and the rest of the last one is zero.
 * Who keeps the bytes (read_page()) hears nothing of it: file_truncate() (file.h) tells him, too.
 * Waits for reads and writes of pages in progress: not from read_page() or write_page().
 */
VMAREA_API void file_set_size(struct file *file, uint64_t bytes)	__may_sleep;
VMAREA_API uint64_t file_size(const struct file *file);

/*
 * The pages of a file, in an instance with an arena, are shared by all its mappings and by these,
 * which do what pread() and pwrite() do.  The buffer must not lie in memory that the library backs:
 * copy by way of one that does not.  Not from read_page().
 *
 * file_read() returns how many bytes, fewer than @bytes only at the end of the file or before an
 * error; 0 at the end.  A hole in a file of zeros costs no memory.
 * file_write() returns how many bytes, fewer only before an error, and makes the file longer as
 * needed.  What is written is in the pages until it is written back (file.h).  FILE_APPEND_ONLY: it
 * is written to the end of the file, whatever @offset is, since such an inode is opened for writing
 * with O_APPEND alone; what others append comes before it or behind.
 *
 * -EBADF: not open for that; -EINVAL: @offset is 2^63 or more, or a write to FILE_HUGETLB; -EPERM:
 * sealed; -EFBIG: @offset, or the end that is appended to, is at or past max_bytes; -ENOMEM;
 * -EOPNOTSUPP: no arena; or what read_page() returned.
 */
VMAREA_API long file_read(struct file *file, uint64_t offset, void *to, size_t bytes)
	__may_sleep __must_check;
VMAREA_API long file_write(struct file *file, uint64_t offset, const void *from, size_t bytes)
	__may_sleep __must_check;
/*
 * As fallocate() with FALLOC_FL_PUNCH_HOLE and KEEP_SIZE: the range reads as zeros, and whole pages
 * of it are dropped, so that read_page() will be asked for them again: who keeps the bytes has to
 * have punch_hole(), too.  0; -EINVAL: @bytes is 0, it or @offset 2^63 or more; -EBADF: not open for
 * writing; -EPERM: FILE_APPEND_ONLY, or sealed; -EFBIG: the end is past max_bytes; a page of which a
 * part is punched is in swap, and -ENOMEM: there is no frame for it, -EIO: it cannot be read; or
 * what punch_hole() returned.  After an error nothing changed.
 */
VMAREA_API int file_punch_hole(struct file *file, uint64_t offset, uint64_t bytes)
	__may_sleep __must_check;
/* FILE_DELETED and FILE_SEAL_WRITE may change while it is mapped.  Others: nothing changes. */
VMAREA_API void file_set_flags(struct file *file, unsigned int set, unsigned int clear);

/* ------------------------------------------------------- address spaces -- */

enum mm_rlimit { MM_RLIMIT_AS, MM_RLIMIT_DATA, MM_RLIMIT_STACK, MM_RLIMIT_MEMLOCK, MM_NR_RLIMITS };
#define MM_RLIM_INFINITY	(~0ul)

/* What the process may do that others may not (capabilities(7)). */
#define MM_CAP_IPC_LOCK		0x1u	/* mlock() without limit */
#define MM_CAP_SYS_RAWIO	0x2u	/* map below mmap_min_addr */
#define MM_CAP_SYS_ADMIN	0x4u	/* use the administrator's memory reserve */

/*
 * personality(2).  The last two are for who loads programs: the calls obey what it makes of them,
 * mm_config.bottom_up and an area at 0.
 */
#define MM_PERS_READ_IMPLIES_EXEC	0x0400000u
#define MM_PERS_ADDR_COMPAT_LAYOUT	0x0200000u	/* bottom-up */
#define MM_PERS_MMAP_PAGE_ZERO		0x0100000u

/* The machine that could walk an mm's page table. */
enum mm_table_format {
	MM_TABLE_X86_64,		/* 4 and 5 levels; 3 is no machine's */
	MM_TABLE_RISCV,			/* Sv39, Sv48, Sv57 */
};

struct mm_config {
	size_t size;			/* sizeof(struct mm_config) */
	unsigned long task_size;	/* bytes; no address at or above it */
	unsigned long mmap_base;	/* top-down placement begins below it */
	unsigned long mmap_legacy_base;	/* bottom-up placement begins at it */
	bool bottom_up;			/* the layout that exec() chose */
	unsigned long start_code, end_code, start_data, end_data;
	unsigned long start_brk, brk;
	unsigned long start_stack;	/* names [stack] in maps */
	unsigned long rlimit[MM_NR_RLIMITS];	/* bytes */
	unsigned int caps;		/* MM_CAP_* */
	unsigned int personality;	/* MM_PERS_* */
	/*
	 * Of the page table, 3 to 5, or 0 for the usual 4: task_size may be 2^38, 2^47, 2^56.  Only
	 * where the instance has frames, and for mm_exec(), 0 or what it has.
	 */
	unsigned int levels;
	enum mm_table_format table_format;	/* of the entries; for mm_exec(): as levels */
};

#define MM_CONFIG_INIT {						\
	.size = sizeof(struct mm_config),				\
	.task_size = 0x7ffffffff000, .mmap_base = 0x7ffff7fff000,	\
	.mmap_legacy_base = 0x2aaaaaaab000, .bottom_up = false,		\
	.start_code = 0, .end_code = 0, .start_data = 0, .end_data = 0,	\
	.start_brk = 0, .brk = 0, .start_stack = 0,			\
	.rlimit = { MM_RLIM_INFINITY, MM_RLIM_INFINITY, 8ul << 20, 8ul << 20 }, \
	.caps = 0, .personality = 0, .levels = 0, .table_format = MM_TABLE_X86_64 }

/*
 * An empty address space, with one user: mmput().  0; -EINVAL: @config->size, an address above
 * task_size or not page-aligned where it must be, an unknown capability, a table format or levels
 * that there are not or that task_size does not fit into; -ENOMEM.
 */
VMAREA_API int mm_create(struct vmarea *instance, const struct mm_config *config,
			 struct mm_user **out) __may_sleep __must_check;

/*
 * setrlimit() and its kind: no lock, no waiting; the new value counts from the next call on.  0;
 * -EINVAL: no such limit, an unknown capability.  mm_set_personality() is always 0.
 */
VMAREA_API int mm_set_rlimit(struct mm_user *mm, enum mm_rlimit which, unsigned long bytes);
VMAREA_API int mm_set_personality(struct mm_user *mm, unsigned int personality);
VMAREA_API int mm_set_caps(struct mm_user *mm, unsigned int caps);

/*
 * Ends every killable wait for this mm's lock with -EINTR, now and later: the process is dying.
 * What need not wait is still done.  There is no way back; a child by mm_fork() is not killed.
 * Never sleeps; not in a signal handler.
 */
VMAREA_API void mm_kill(struct mm_user *mm);

/* One area put in as it is: a program's image at exec, or a map read from elsewhere. */
struct area_desc {
	unsigned long start, end;		/* bytes, page-aligned */
	vm_flags_t flags;			/* all of them, VM_MAY* and VM_ACCOUNT too */
	struct file *__nullable file;		/* takes a reference of its own */
	unsigned long pgoff;			/* pages */
	const char *__nullable special;		/* "[vdso]": an area of no file with a fixed name; */
						/* not copied: outlives the instance */
	bool touched;				/* has been written to */
};

/*
 * 0; -EEXIST: it overlaps another; -EINVAL: bounds, an offset that wraps, or in bytes is past
 * 2^63, flags that exclude each other or lack one that they need, shared without a file, shared and
 * touched, a file of another instance, huge pages that are not whole or not the file's; -EPERM:
 * VM_SHARED and VM_MAYWRITE, and the file has F_SEAL_WRITE (file.h); -EINTR; -ENOMEM.  Counts
 * towards every total, is checked against no limit, joins no neighbour, and no hook of its file is
 * called.
 */
VMAREA_API int mm_add_area(struct mm_user *mm, const struct area_desc *area) __may_sleep;

/*
 * fork(): a new mm with this one's areas, limits and rights, and one user.  0; -ENOMEM: as for all,
 * or overcommit; -EINTR.  After an error there is no child, and no open() was called; the next
 * store to a page may take a fault.
 */
VMAREA_API int mm_fork(struct mm_user *mm, struct mm_user **child) __may_sleep __must_check;

/*
 * exec(): all areas go, sealed ones too, limits, caps and personality stay, the rest comes from
 * @config (its limits, caps and personality are not looked at).  The mm keeps its identity.  0;
 * -EINVAL: as mm_create(); -EINTR; -ENOMEM: the old program is still there.
 */
VMAREA_API int mm_exec(struct mm_user *mm, const struct mm_config *config) __may_sleep;

/* ---------------------------------------------------------- memory calls -- */

/*
 * @addr is a hint, 0 for none, or with MAP_FIXED the place.  The address; or
 *
 * -EINVAL	@len is 0; @offset_bytes or a fixed @addr is not page-aligned; no type of mapping
 *		in @flags, or one that the rest excludes; no huge pages of that size; a file of
 *		another instance
 * -EBADF	neither a file nor MAP_ANONYMOUS
 * -EACCES	the file is not open for reading; shared and writable: not for writing, or it is
 *		append-only
 * -EPERM	below mmap_min_addr; FILE_NOEXEC and PROT_EXEC; a seal of the file; MAP_LOCKED
 *		without any right to lock; MAP_FIXED over a sealed area
 * -ENODEV	this file cannot be mapped
 * -EOPNOTSUPP	a flag that MAP_SHARED_VALIDATE, or its file, does not know
 * -EOVERFLOW	the offsets do not fit into the file
 * -EEXIST	MAP_FIXED_NOREPLACE, and something is there
 * -EAGAIN	RLIMIT_MEMLOCK
 * -ENOMEM	no place; max_map_count, RLIMIT_AS, RLIMIT_DATA, overcommit; the pool of huge pages
 *
 * After an error of the file's mmap() hook, or of the promise behind shared anonymous memory, what
 * MAP_FIXED was to replace is gone; after any other it is there.  Pages that MAP_POPULATE or
 * MAP_LOCKED finds no memory for are no error.
 */
VMAREA_API long mm_mmap(struct mm_user *mm, unsigned long addr, unsigned long len,
			unsigned long prot, unsigned long flags, struct file *__nullable file,
			unsigned long offset_bytes) __may_sleep;
/*
 * A hole is no error.  0; -EINVAL: @addr is not page-aligned, @len is 0, or the range leaves the
 * address space; -EPERM: a sealed area; -ENOMEM: max_map_count.  All or nothing.
 */
VMAREA_API long mm_munmap(struct mm_user *mm, unsigned long addr, unsigned long len) __may_sleep;

/*
 * 0; -EINVAL: @addr is not page-aligned, an unknown bit, PROT_GROWSDOWN where no stack is;
 * -ENOMEM: a hole, max_map_count, RLIMIT_DATA, overcommit; -EACCES: VM_MAY* forbids it; -EPERM: a
 * sealed area.  It stops there: what came before is changed.
 */
VMAREA_API long mm_mprotect(struct mm_user *mm, unsigned long addr, unsigned long len,
			    unsigned long prot) __may_sleep;
/* @pkey -1 is mprotect(); there are no others here: -EINVAL. */
VMAREA_API long mm_pkey_mprotect(struct mm_user *mm, unsigned long addr, unsigned long len,
				 unsigned long prot, int pkey) __may_sleep;

/*
 * The new address; or
 *
 * -EINVAL	unknown or contradictory flags; not page-aligned; @new_len is 0; the target is
 *		outside the address space or overlaps the source; MREMAP_DONTUNMAP with two
 *		lengths; @old_len 0 of private memory
 * -EFAULT	nothing is there; the range leaves its area; it grows, and is VM_DONTEXPAND or
 *		VM_PFNMAP
 * -EPERM	a sealed area; below mmap_min_addr
 * -EAGAIN	RLIMIT_MEMLOCK
 * -ENOMEM	it cannot grow in place and may not move; no place; max_map_count, RLIMIT_AS,
 *		RLIMIT_DATA, overcommit
 *
 * Over several areas it moves one after the other: an error leaves the first ones moved.  An error
 * after the checks of the source leaves the target of MREMAP_FIXED unmapped, and a source that was
 * to shrink shrunk.
 */
VMAREA_API long mm_mremap(struct mm_user *mm, unsigned long addr, unsigned long old_len,
			  unsigned long new_len, unsigned long flags, unsigned long new_addr)
	__may_sleep;

/*
 * 0; -EINVAL: no such advice, @addr is not page-aligned, or not for such an area; -ENOMEM: a hole,
 * after all the rest was done (MADV_POPULATE_* stop there); -EAGAIN: max_map_count, or a driver's
 * may_split() said -ENOMEM; -EPERM: a sealed area and an advice that discards, a sealed file, no
 * MM_CAP_SYS_ADMIN; -EACCES, -ENODEV: MADV_REMOVE and a file that is not writable, or has no pages
 * to punch; -EFBIG: MADV_REMOVE beyond max_bytes; -EFAULT: MADV_POPULATE_* beyond the end of a
 * file, or of what cannot be read; -EHWPOISON: of these, what a swapoff has lost, or
 * user_faults_poison(); -EINTR: of these, killed while it waits for an answer (user_fault.h).
 * MADV_COLLAPSE: -EAGAIN: others hold a page; -EBUSY: mm_set_limit(); -ENOMEM: no free 2 MiB.
 * What came before the error is advised.
 */
VMAREA_API long mm_madvise(struct mm_user *mm, unsigned long addr, unsigned long len, int advice)
	__may_sleep;

struct mm_range {
	unsigned long addr, len;	/* bytes */
};
/*
 * process_madvise(): the bytes advised up to the first error, or if there are none that error.
 * @self: the caller's own mm, for which any advice will do.  -EINVAL: @flags are not 0, more than
 * 1024 ranges, no advice for others; -EFAULT: a range leaves the address space; else as
 * mm_madvise().
 */
VMAREA_API long mm_process_madvise(struct mm_user *mm, const struct mm_range *ranges,
				   size_t nr_ranges, int advice, unsigned int flags, bool self)
	__may_sleep;

/* The new break in bytes, or the old one if it could not be moved: never an error. */
VMAREA_API unsigned long mm_brk(struct mm_user *mm, unsigned long brk) __may_sleep;

/*
 * 0; -EINVAL: the range wraps, unknown flags; -EPERM: RLIMIT_MEMLOCK is 0 and there is no
 * MM_CAP_IPC_LOCK; -ENOMEM: RLIMIT_MEMLOCK, a hole, max_map_count, or a page that may not be
 * accessed; -EAGAIN: no memory for a page; -EINTR: also if it is killed while it waits for an
 * answer (user_fault.h).  What came before the error is locked, or unlocked; all of the range, if
 * the error is that of a page.
 * mm_munlock() and mm_munlockall() ask for no right; mm_mlockall() passes over what cannot be
 * locked, and only -EINVAL, -EPERM and -ENOMEM (RLIMIT_MEMLOCK) are its errors.
 */
VMAREA_API long mm_mlock(struct mm_user *mm, unsigned long addr, unsigned long len) __may_sleep;
VMAREA_API long mm_mlock2(struct mm_user *mm, unsigned long addr, unsigned long len, int flags)
	__may_sleep;
VMAREA_API long mm_munlock(struct mm_user *mm, unsigned long addr, unsigned long len) __may_sleep;
VMAREA_API long mm_mlockall(struct mm_user *mm, int flags) __may_sleep;
VMAREA_API long mm_munlockall(struct mm_user *mm) __may_sleep;

/*
 * 0; -EINVAL: @flags are not 0, @addr is not page-aligned; -ENOMEM: a hole: nothing is sealed;
 * max_map_count: the first areas are; -ENOSYS: a machine without.  Seals end with mm_exec().
 */
VMAREA_API long mm_mseal(struct mm_user *mm, unsigned long addr, unsigned long len,
			 unsigned long flags) __may_sleep;
/*
 * MS_SYNC is a file_sync() (file.h) of what shared areas of the range show, one after the other.
 * 0; -EINVAL: flags, @addr is not page-aligned, MS_SYNC of a driver's shared area; -ENOMEM: a hole
 * (the rest is synced); -EBUSY: MS_INVALIDATE of a locked area; or what file_sync() returned: what
 * comes behind is not synced.
 */
VMAREA_API long mm_msync(struct mm_user *mm, unsigned long addr, unsigned long len, int flags)
	__may_sleep;
/*
 * @vec: a byte a page, or NULL to check the arguments only.  A mm without pages has none in core.
 * 0; -EINVAL: @addr is not page-aligned; -ENOMEM: outside the address space, or a hole: @vec is
 * filled up to it.
 */
VMAREA_API long mm_mincore(struct mm_user *mm, unsigned long addr, unsigned long len,
			   unsigned char *__nullable vec) __may_sleep;
/*
 * 0; -EINVAL: @prot is not 0, the range is empty or wraps, or is not one shared file's with equal
 * flags; else as mm_mmap() with MAP_FIXED.  @pgoff in pages.
 */
VMAREA_API long mm_remap_file_pages(struct mm_user *mm, unsigned long addr, unsigned long size,
				    unsigned long prot, unsigned long pgoff, unsigned long flags)
	__may_sleep;

/*
 * shmat()/shmdt() of a segment: a FILE_SHMEM file of @segment's size, which is kept for as long as
 * it is attached.  The address; -EINVAL: not page-aligned without SHM_RND, something is there
 * without SHM_REMAP, SHM_REMAP at 0, a segment of another instance; -EACCES: the segment is not
 * FILE_WRITE, without SHM_RDONLY; else as mm_mmap().  mm_shmdt(): 0; -EINVAL: nothing is attached at
 * @addr.
 */
VMAREA_API long mm_shmat(struct mm_user *mm, struct file *segment, unsigned long addr, int flags)
	__may_sleep;
VMAREA_API long mm_shmdt(struct mm_user *mm, unsigned long addr) __may_sleep;

/*
 * prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME); NULL takes the name away.  0; -EINVAL: a machine without
 * names, @addr is not page-aligned, a character that maps could not show, more than 80 bytes with
 * the 0; -EBADF: a file that has a name; -ENOMEM: a hole (all the rest is named); -EAGAIN:
 * max_map_count, or a driver's may_split() said -ENOMEM.  What came before the error is named.
 */
VMAREA_API long mm_set_anon_name(struct mm_user *mm, unsigned long addr, unsigned long len,
				 const char *__nullable name) __may_sleep;
/* prctl(PR_SET_THP_DISABLE) and its question: 0 or 1. */
VMAREA_API long mm_set_thp_disable(struct mm_user *mm, bool disable) __may_sleep;
VMAREA_API long mm_get_thp_disable(struct mm_user *mm) __may_sleep;
/* prctl(PR_SET_MEMORY_MERGE) and its question: 0 or 1.  -EINVAL: a machine without. */
VMAREA_API long mm_set_memory_merge(struct mm_user *mm, bool merge) __may_sleep;
VMAREA_API long mm_get_memory_merge(struct mm_user *mm) __may_sleep;

/* --------------------------------------------------------------- faults -- */

enum mm_access { MM_ACCESS_READ, MM_ACCESS_WRITE, MM_ACCESS_EXEC };

enum mm_fault {
	MM_FAULT_DONE,
	MM_FAULT_MAPERR,	/* SIGSEGV, SEGV_MAPERR: nothing there */
	MM_FAULT_ACCERR,	/* SIGSEGV, SEGV_ACCERR: not in this way */
	MM_FAULT_BUS,		/* SIGBUS: beyond the end of the file */
	MM_FAULT_OOM,		/* no memory, or no more than it may have; who has it: usage.h */
	MM_FAULT_KILLED,	/* mm_kill(), while waiting for an answer (user_fault.h) */
};

/*
 * A page fault: @addr, any byte of the page, is about to be accessed.  The stack grows down to it,
 * protections are checked, and the page is there afterwards: zeros, the file's, or a copy, as on
 * Linux.  DONE: the access was possible at one moment; another thread may take the page away at
 * once.  Takes the lock of the VMA, and the mmap lock only if that will not do; for write if a
 * stack grows.  After an outcome other than DONE nothing has changed, except that a stack that has
 * grown stays so, a private area that was written to stays touched, and a page of a file stays in
 * the file's memory, and one of swap in the swap cache.  Waits for locks, whether mm_kill() was
 * called or not.
 *
 * In an mm without pages: mm_touch().
 */
VMAREA_API enum mm_fault mm_handle_fault(struct mm_user *mm, unsigned long addr,
					 enum mm_access access) __may_sleep;

/*
 * The part of a page fault that areas see: the stack grows down to @addr, protections are checked,
 * and a private area that is written to is touched from then on (which decides what it merges
 * with).  For a bookkeeping mm the embedder calls it when the real fault happens, but not in its
 * signal handler: it takes the mmap lock, for write if a stack grows.  A stack that has grown stays
 * so if the access is then refused.  In an mm with pages: mm_handle_fault().
 */
VMAREA_API enum mm_fault mm_touch(struct mm_user *mm, unsigned long addr, enum mm_access access)
	__may_sleep;
/*
 * The same for each area in a range, as MAP_POPULATE or read(2) into a buffer would; up to the
 * first that refuses or has no memory: those before it have been touched.  An empty range is done.
 */
VMAREA_API enum mm_fault mm_touch_range(struct mm_user *mm, unsigned long addr, unsigned long len,
					enum mm_access access) __may_sleep;

/* --------------------------------------------------------------- memory -- */

/*
 * For an mm of an instance with frames (vmarea_config.arena_bytes); any other has no bytes, and
 * these end with MM_FAULT_BUS.  Buffers are the caller's own memory.  A load or store of up to
 * eight aligned bytes is one access to other threads.  All take locks as mm_handle_fault() does.
 */

/*
 * Copies @len bytes from @addr, or to it, as the program itself would load or store them, faulting
 * as needed.  Returns how many bytes were copied; *fault is MM_FAULT_DONE if all were, else what
 * happened at the byte behind them, the first bad one.
 */
VMAREA_API size_t mm_read(struct mm_user *mm, unsigned long addr, void *to, size_t len,
			  enum mm_fault *fault) __may_sleep;
VMAREA_API size_t mm_write(struct mm_user *mm, unsigned long addr, const void *from, size_t len,
			   enum mm_fault *fault) __may_sleep;

/*
 * The same for another process (process_vm_readv(2), ptrace(2)).  The area must have PROT_READ, or
 * to write PROT_WRITE, and no VM_IO or VM_PFNMAP: MM_FAULT_ACCERR.  MM_REMOTE_FORCED goes by what
 * the area could be given instead: it reads what mprotect() made unreadable, and writes to a
 * private area that is read-only, into a copy of its page; not to a shared one; and of an area with
 * VM_IO or VM_PFNMAP it asks the driver, if that has access().  A stack grows for MM_REMOTE_FORCED
 * only.  A write without it has up to 1,024 pages before it stores to the first of them, or 16 where
 * there is no memory for a list.
 */
#define MM_REMOTE_WRITE		0x1u
#define MM_REMOTE_FORCED	0x2u
VMAREA_API size_t mm_access(struct mm_user *mm, unsigned long addr, void *buf, size_t len,
			    unsigned int flags, enum mm_fault *fault) __may_sleep;

/* Where a byte is.  The page is pinned. */
struct mm_translation {
	void *bytes;			/* the byte; to the end of its page its neighbours follow */
	unsigned long frame;		/* the number of its frame */
	unsigned long prot;		/* PROT_READ; PROT_WRITE if it was asked for; PROT_EXEC */
	struct page *page;
};

/*
 * Faults as mm_handle_fault(), and pins the page: until mm_translation_put() the frame is this
 * page, and a write to it is a write to the program's memory, also after a fork; unless the program
 * unmaps or discards it.  *out is written with MM_FAULT_DONE only.  An area with VM_IO or VM_PFNMAP
 * has no pages that could be pinned: MM_FAULT_ACCERR.
 */
VMAREA_API enum mm_fault mm_translate(struct mm_user *mm, unsigned long addr,
				      enum mm_access access, struct mm_translation *out)
	__may_sleep;
VMAREA_API void mm_translation_put(struct mm_translation *translation);

/*
 * The same for @nr_pages pages from that of @addr on, as pin_user_pages().  How many were pinned;
 * if that is none (and @nr_pages is not 0) -EFAULT, -ENOMEM, or -EINTR: killed while it waits for an
 * answer (user_fault.h).  Unpin each.  One page, and all that has never been written to is one, can
 * have a million pins; then it is out of memory.
 */
VMAREA_API long mm_pin_pages(struct mm_user *mm, unsigned long addr, unsigned long nr_pages,
			     enum mm_access access, struct page **pages) __may_sleep;
VMAREA_API void mm_unpin_pages(struct page **pages, unsigned long nr_pages);

/* ------------------------------------------------------------ questions -- */

/*
 * Is all of [addr, addr + len) mapped, and does every area of it allow @prot (PROT_*)?  An answer
 * of one moment: a whole write section is seen or not.  Takes no lock, never waits; may be called
 * in a signal handler that interrupted a memory call, and in the child of a host fork().  @len 0
 * is true, a range that wraps false.  It goes by the areas' own flags: a write-only area, which
 * hardware lets be read, is not PROT_READ, and no stack grows.
 */
VMAREA_API bool mm_range_ok(struct mm_user *mm, unsigned long addr, unsigned long len,
			    unsigned long prot);

/* One area, copied out. */
struct area_info {
	unsigned long start, end;		/* bytes; end is exclusive */
	vm_flags_t flags;
	unsigned long pgoff;			/* of start, pages */
	struct file *__nullable file;		/* a reference: area_info_put() */
	char name[96];				/* "[heap]", "[anon:...]", or "" */
};

/*
 * The area that contains @addr, or with mm_query_next() the first that ends above it.  0;
 * -ENOENT: none, and @info is not to be put.  As mm_range_ok() it takes no lock and may be called
 * anywhere.  Its name may be one that a write section is just giving; a driver's name() is not
 * asked.
 */
VMAREA_API int mm_query(struct mm_user *mm, unsigned long addr, struct area_info *info) __must_check;
VMAREA_API int mm_query_next(struct mm_user *mm, unsigned long addr, struct area_info *info)
	__must_check;
/*
 * Drops the file, if there is one.  The last reference to it calls its release(): who asks in a
 * signal handler sees to it that somebody else holds one.
 */
VMAREA_API void area_info_put(struct area_info *info);

/*
 * All areas that touch [start, end), at one moment, copied under the mmap read lock.  @visit gets
 * each in order, without a lock held, and takes a file_get() of what it keeps; it returns 0 to go
 * on, anything else ends the walk and is returned.  -ENOMEM: no memory for the copy.
 */
VMAREA_API int mm_for_each_area(struct mm_user *mm, unsigned long start, unsigned long end,
				int (*visit)(const struct area_info *info, void *__nullable arg),
				void *__nullable arg)
	__may_sleep;

/* Of one moment; pages but for brk, the areas' number and the last. */
struct mm_stats {
	unsigned long nr_areas;
	unsigned long total_pages, data_pages, exec_pages, stack_pages, locked_pages;
	unsigned long committed_pages;
	unsigned long start_brk, brk;
	size_t bytes;			/* memory the library itself uses for this mm */
	/* Frames that are mapped (RSS), swapped pages, and frames that are page tables. */
	unsigned long anon_pages, file_pages, shmem_pages, swap_pages, table_pages;
};
VMAREA_API void mm_get_stats(struct mm_user *mm, struct mm_stats *stats) __may_sleep;

__nonnull_end
#ifdef __cplusplus
}
#endif

#include <vmarea/report.h>

#endif
