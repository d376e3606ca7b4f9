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
 * process may hold any number.  An mm is one address space.
 *
 * The memory calls take what the system call takes and return what it returns: the address or 0,
 * or -errno (never -1).  Unless a call says otherwise, an error means that nothing changed; where
 * Linux leaves a part done (mprotect() up to a hole), so does the call, and says so.  Each call may
 * also return -ENOMEM for want of the host's memory: then nothing changed.  All may sleep, and
 * take the mmap lock for write themselves: no lock of the mm may be held.
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

/* ------------------------------------------------------------- instance -- */

enum vmarea_overcommit {
	VMAREA_OVERCOMMIT_GUESS = 0,	/* refuse what can never fit */
	VMAREA_OVERCOMMIT_ALWAYS = 1,
	VMAREA_OVERCOMMIT_NEVER = 2,	/* a hard limit on what is promised */
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
	.total_ram_pages = 1ul << 28, .overcommit_ratio = 50,		\
	.user_reserve_kbytes = 128 * 1024, .admin_reserve_kbytes = 8 * 1024, \
	.max_map_count = 65530, .mmap_min_addr = 4096, .lsm_mmap_min_addr = 65536, \
	.stack_guard_gap_pages = 256, .features = VMAREA_FEATURES_DEFAULT }

/* 0; -EINVAL: a value is out of range, or @config->size is not one this library knows; -ENOMEM. */
VMAREA_API int vmarea_create(const struct vmarea_config *config, struct vmarea **out)
	__may_sleep __must_check;

/* Every mm and file of it must be gone.  Waits for readers and background work. */
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
#define FILE_MAP_SYNC		0x0400u	/* its file system knows MAP_SYNC; refused but for FILE_DAX */

/*
 * One open file.  Two areas join only if they map the same struct file (a dup() is the same, a
 * second open() is not).
 */
struct file_desc {
	size_t size;				/* sizeof(struct file_desc) */
	/* NULL: an ordinary file.  Ops without an mmap() hook: it cannot be mapped, -ENODEV. */
	const struct file_operations *__nullable ops;
	void *__nullable private_data;
	const char *name;			/* copied; as maps prints it */
	uint64_t inode;
	unsigned int dev_major, dev_minor;
	unsigned int flags;			/* FILE_* */
	enum file_placement placement;
	uint64_t size_bytes;			/* where reads end; file_set_size() later */
	uint64_t max_bytes;			/* how long it could be; 0: 2^63 - 1 */
};

/* 0; -EINVAL: @desc->size or an unknown flag; -ENOMEM.  One reference. */
VMAREA_API int file_create(struct vmarea *instance, const struct file_desc *desc,
			   struct file **out) __may_sleep __must_check;
VMAREA_API struct file *file_get(struct file *file);
/* The last one calls release(); the memory goes after readers that may still look. */
VMAREA_API void file_put(struct file *file);
VMAREA_API void file_set_size(struct file *file, uint64_t bytes);
VMAREA_API uint64_t file_size(const struct file *file);
/* FILE_DELETED and FILE_SEAL_WRITE may change while the file is mapped. */
VMAREA_API void file_set_flags(struct file *file, unsigned int set, unsigned int clear);

/* ------------------------------------------------------- address spaces -- */

enum mm_rlimit { MM_RLIMIT_AS, MM_RLIMIT_DATA, MM_RLIMIT_STACK, MM_RLIMIT_MEMLOCK, MM_NR_RLIMITS };
#define MM_RLIM_INFINITY	(~0ul)

/* What the process may do that others may not (capabilities(7)). */
#define MM_CAP_IPC_LOCK		0x1u	/* mlock() without limit */
#define MM_CAP_SYS_RAWIO	0x2u	/* map below mmap_min_addr */
#define MM_CAP_SYS_ADMIN	0x4u	/* use the administrator's memory reserve */

/* personality(2) */
#define MM_PERS_READ_IMPLIES_EXEC	0x0400000u
#define MM_PERS_ADDR_COMPAT_LAYOUT	0x0200000u	/* bottom-up; an unlimited stack does it too */
#define MM_PERS_MMAP_PAGE_ZERO		0x0100000u

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
};

#define MM_CONFIG_INIT {						\
	.size = sizeof(struct mm_config),				\
	.task_size = 0x7ffffffff000, .mmap_base = 0x7ffff7fff000,	\
	.mmap_legacy_base = 0x2aaaaaaab000,				\
	.rlimit = { MM_RLIM_INFINITY, MM_RLIM_INFINITY, 8ul << 20, 8ul << 20 } }

/* An empty address space.  0; -EINVAL: a value out of range; -ENOMEM. */
VMAREA_API int mm_create(struct vmarea *instance, const struct mm_config *config,
			 struct mm_user **out) __may_sleep __must_check;

/* setrlimit(); the new value counts from the next call on.  -EINVAL: no such limit. */
VMAREA_API int mm_set_rlimit(struct mm_user *mm, enum mm_rlimit which, unsigned long bytes);
VMAREA_API int mm_set_personality(struct mm_user *mm, unsigned int personality);
VMAREA_API int mm_set_caps(struct mm_user *mm, unsigned int caps);

/* Ends every killable wait for this mm's lock with -EINTR, now and later: the process is dying. */
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
 * -EEXIST: it overlaps another; -EINVAL: bounds, or flags that exclude each other; -ENOMEM.  Counts
 * towards every total, is checked against no limit, and joins no neighbour.
 */
VMAREA_API int mm_add_area(struct mm_user *mm, const struct area_desc *area) __may_sleep;

/* fork(): a new mm with this one's areas.  -ENOMEM: none was made. */
VMAREA_API int mm_fork(struct mm_user *mm, struct mm_user **child) __may_sleep __must_check;

/*
 * exec(): all areas go, limits, caps and personality stay, the rest comes from @config (its limits,
 * caps and personality are not looked at).  The mm keeps its identity.
 */
VMAREA_API int mm_exec(struct mm_user *mm, const struct mm_config *config) __may_sleep;

/* ---------------------------------------------------------- memory calls -- */

VMAREA_API long mm_mmap(struct mm_user *mm, unsigned long addr, unsigned long len,
			unsigned long prot, unsigned long flags, struct file *__nullable file,
			unsigned long offset_bytes) __may_sleep;
VMAREA_API long mm_munmap(struct mm_user *mm, unsigned long addr, unsigned long len) __may_sleep;

/* Stops at a hole (-ENOMEM), a refusal (-EACCES) or a seal (-EPERM); what came before is changed. */
VMAREA_API long mm_mprotect(struct mm_user *mm, unsigned long addr, unsigned long len,
			    unsigned long prot) __may_sleep;
/* @pkey -1 is mprotect(); there are no others here: -EINVAL. */
VMAREA_API long mm_pkey_mprotect(struct mm_user *mm, unsigned long addr, unsigned long len,
				 unsigned long prot, int pkey) __may_sleep;

/* Over several areas it moves one after the other: an error leaves the first ones moved. */
VMAREA_API long mm_mremap(struct mm_user *mm, unsigned long addr, unsigned long old_len,
			  unsigned long new_len, unsigned long flags, unsigned long new_addr)
	__may_sleep;

/* Over a hole it does all the rest, and then says -ENOMEM. */
VMAREA_API long mm_madvise(struct mm_user *mm, unsigned long addr, unsigned long len, int advice)
	__may_sleep;

struct mm_range {
	unsigned long addr, len;	/* bytes */
};
/* process_madvise(): the bytes advised, or -errno if none was.  @self: the caller's own mm. */
VMAREA_API long mm_process_madvise(struct mm_user *mm, const struct mm_range *ranges,
				   size_t nr_ranges, int advice, unsigned int flags, bool self)
	__may_sleep;

/* The new break, or the old one if it could not be moved: never an error. */
VMAREA_API unsigned long mm_brk(struct mm_user *mm, unsigned long brk) __may_sleep;

VMAREA_API long mm_mlock(struct mm_user *mm, unsigned long addr, unsigned long len) __may_sleep;
VMAREA_API long mm_mlock2(struct mm_user *mm, unsigned long addr, unsigned long len, int flags)
	__may_sleep;
VMAREA_API long mm_munlock(struct mm_user *mm, unsigned long addr, unsigned long len) __may_sleep;
VMAREA_API long mm_mlockall(struct mm_user *mm, int flags) __may_sleep;
VMAREA_API long mm_munlockall(struct mm_user *mm) __may_sleep;

VMAREA_API long mm_mseal(struct mm_user *mm, unsigned long addr, unsigned long len,
			 unsigned long flags) __may_sleep;
VMAREA_API long mm_msync(struct mm_user *mm, unsigned long addr, unsigned long len, int flags)
	__may_sleep;
/* @vec: a byte a page, or NULL to check the arguments only.  A mm without pages has none in core. */
VMAREA_API long mm_mincore(struct mm_user *mm, unsigned long addr, unsigned long len,
			   unsigned char *__nullable vec) __may_sleep;
VMAREA_API long mm_remap_file_pages(struct mm_user *mm, unsigned long addr, unsigned long size,
				    unsigned long prot, unsigned long pgoff, unsigned long flags)
	__may_sleep;

/* shmat()/shmdt() of a segment: a FILE_SHMEM file of @segment's size. */
VMAREA_API long mm_shmat(struct mm_user *mm, struct file *segment, unsigned long addr, int flags)
	__may_sleep;
VMAREA_API long mm_shmdt(struct mm_user *mm, unsigned long addr) __may_sleep;

/* prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME); NULL takes the name away. */
VMAREA_API long mm_set_anon_name(struct mm_user *mm, unsigned long addr, unsigned long len,
				 const char *__nullable name) __may_sleep;
/* prctl(PR_SET_THP_DISABLE) and its question. */
VMAREA_API long mm_set_thp_disable(struct mm_user *mm, bool disable) __may_sleep;
VMAREA_API long mm_get_thp_disable(struct mm_user *mm) __may_sleep;
/* prctl(PR_SET_MEMORY_MERGE) and its question. */
VMAREA_API long mm_set_memory_merge(struct mm_user *mm, bool merge) __may_sleep;
VMAREA_API long mm_get_memory_merge(struct mm_user *mm) __may_sleep;

/* --------------------------------------------------------------- faults -- */

enum mm_access { MM_ACCESS_READ, MM_ACCESS_WRITE, MM_ACCESS_EXEC };

enum mm_fault {
	MM_FAULT_DONE,
	MM_FAULT_MAPERR,	/* SIGSEGV, SEGV_MAPERR: nothing there */
	MM_FAULT_ACCERR,	/* SIGSEGV, SEGV_ACCERR: not in this way */
	MM_FAULT_BUS,		/* SIGBUS: beyond the end of the file */
	MM_FAULT_OOM,
};

/*
 * The part of a page fault that areas see: the stack grows down to @addr, protections are checked,
 * and a private area that is written to is touched from then on (which decides what it merges
 * with).  For a bookkeeping mm the embedder calls it when the real fault happens.
 */
VMAREA_API enum mm_fault mm_touch(struct mm_user *mm, unsigned long addr, enum mm_access access)
	__may_sleep;
/* The same for each area in a range, as MAP_POPULATE or read(2) into a buffer would. */
VMAREA_API enum mm_fault mm_touch_range(struct mm_user *mm, unsigned long addr, unsigned long len,
					enum mm_access access) __may_sleep;

/* ------------------------------------------------------------ questions -- */

/*
 * Is all of [addr, addr + len) mapped, and does every area of it allow @prot (PROT_*)?  An answer
 * of one moment: a whole write section is seen or not.  Takes no lock, never waits; may be called
 * in a signal handler that interrupted a memory call, and in the child of a host fork().  @len 0
 * is true.
 */
VMAREA_API bool mm_range_ok(struct mm_user *mm, unsigned long addr, unsigned long len,
			    unsigned long prot);

/* One area, copied out. */
struct area_info {
	unsigned long start, end;
	vm_flags_t flags;
	unsigned long pgoff;			/* of start, pages */
	struct file *__nullable file;		/* a reference: area_info_put() */
	char name[96];				/* "[heap]", "[anon:...]", or "" */
};

/*
 * The area that contains @addr, or with mm_query_next() the first that ends above it.  0;
 * -ENOENT: none.  As mm_range_ok() it takes no lock and may be called anywhere.  Its name may be one
 * that a write section is just giving; a driver's name() is not asked.
 */
VMAREA_API int mm_query(struct mm_user *mm, unsigned long addr, struct area_info *info) __must_check;
VMAREA_API int mm_query_next(struct mm_user *mm, unsigned long addr, struct area_info *info)
	__must_check;
/*
 * Drops the file.  The last reference to it calls its release(): who asks in a signal handler sees to
 * it that somebody else holds one.
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

struct mm_stats {
	unsigned long nr_areas;
	unsigned long total_pages, data_pages, exec_pages, stack_pages, locked_pages;
	unsigned long committed_pages;
	unsigned long start_brk, brk;
	size_t bytes;			/* memory the library itself uses for this mm */
};
VMAREA_API void mm_get_stats(struct mm_user *mm, struct mm_stats *stats) __may_sleep;

/* -------------------------------------------------------------- reports -- */

/* @write gets text in pieces; a return other than 0 ends the report and is its result. */
typedef int (*mm_writer)(void *__nullable arg, const char *text, size_t bytes);

/* /proc/PID/maps of one consistent moment. */
VMAREA_API int mm_report_maps(struct mm_user *mm, mm_writer write, void *__nullable arg) __may_sleep;
/* The lines of /proc/PID/smaps that areas decide: the maps line, Size, page sizes, VmFlags. */
VMAREA_API int mm_report_smaps(struct mm_user *mm, mm_writer write, void *__nullable arg) __may_sleep;
/* "rd wr mr mw me ac ": VmFlags of @flags.  Returns its length; @buf holds at least 128 bytes. */
VMAREA_API size_t vm_flags_format(vm_flags_t flags, char buf[128]);

__nonnull_end
#ifdef __cplusplus
}
#endif
#endif
