/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * VMAs and address spaces for the code that is handed them: the type of a handle says which lock
 * is held, and so what may be done.
 *
 * There are two objects, an mm and a VMA.  A handle is the pointer to one of them, and costs
 * nothing; its type is the proof.  (In a debug build it also carries where it came from, and each
 * use is checked.  So compare what two handles name, mm_user_mm() or vma_start(), not the handles.)
 *
 *	struct mm_struct	an mm, mmgrab()bed: it may be dead already
 *	struct mm_user		an mm with mm_users > 0		mmget_not_zero(), mmget()
 *	struct mmap_read	its mmap lock, held for read	mmap_read_lock(), ...
 *	struct mmap_write	its mmap lock, held for write	mmap_write_lock(), ...
 *
 *	struct vma_ref		a VMA that is stable: the mmap lock (either way)
 *				or its VMA lock is held		vma_lookup(), lock_vma_under_rcu()
 *	struct vma_mixedmap	the same, and VM_MIXEDMAP set	vma_as_mixedmap(), vma_set_mixedmap()
 *	struct vma_pfnmap	the same, and VM_PFNMAP set	driver_fault.h
 *	struct vma_mut		the same, and write-locked	vma_start_write()
 *	struct vma_new		a VMA inside its mmap() hook, known to nobody else
 *
 * Three rules, which the compilers check (docs/HANDLES.md says which compiler checks what):
 *
 *  - A handle is gone with the lock it came from.  Look up again; never keep one in a struct or a
 *    global, never hand one to another thread.
 *  - A function that is handed a VMA says so on its prototype: __must_hold_shared(vma_stable).
 *  - Test a returned pointer with if (!p) or if (p) before anything else.
 *
 * Addresses and lengths are in bytes; `end` is exclusive.  A function that may sleep is marked
 * __may_sleep; all others may be called in atomic context (a spinlock or the RCU read lock held).
 */
#ifndef VMAREA_DRIVER_H
#define VMAREA_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmarea/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* To clang --analyze a function of the system's keeps no pointer: nor do these. */
#ifdef __clang_analyzer__
# pragma clang system_header
#endif

/* A wrong handle is an error, not the warning that gcc before 14 makes it.  To C++ it always is. */
#ifndef __cplusplus
#pragma GCC diagnostic error "-Wincompatible-pointer-types"
#pragma GCC diagnostic error "-Wint-conversion"
#pragma GCC diagnostic error "-Wunused-result"
#endif

__nonnull_begin

#ifndef VMAREA_API
# define VMAREA_API	__attribute__((visibility("default")))
#endif

struct vmarea;
struct mm_struct;
struct mm_user;
struct mmap_read;
struct mmap_write;
struct vma_ref;
struct vma_mixedmap;
struct vma_pfnmap;
struct vma_mut;
struct vma_new;
struct vm_fault;
struct page;
struct file;
struct vm_operations_struct;

/*
 * VMAs do not change or go away: this thread holds an mmap lock or a VMA lock.  Held exclusively,
 * this thread may change them: it is the mmap write lock.
 */
token_context_lock(vma_stable, __reentrant_ctx_lock);

/* We are in an mmap() hook, and the VMA is not yet known to anyone else. */
token_context_lock(vma_setup, );
#define __in_mmap_hook		__must_hold(vma_setup, vma_stable)

/*
 * Arguments of functions that want "at least a vma_ref", "at least a read lock".  The checkers that
 * follow a pointer do not follow it into a union, so they are shown a plain one.  C++ has no such
 * union, but constructors; what is passed is the pointer, here as there.
 */
#if defined(__cplusplus)
struct vma_any {
	const void *vma;
	vma_any(const struct vma_ref *ref) : vma(ref) {}
	vma_any(const struct vma_mixedmap *mixedmap) : vma(mixedmap) {}
	vma_any(const struct vma_pfnmap *pfnmap) : vma(pfnmap) {}
	vma_any(const struct vma_mut *mut) : vma(mut) {}
	vma_any(const struct vma_new *new_) : vma(new_) {}
};

struct mmap_any {
	void *lock;
	mmap_any(struct mmap_read *read) : lock(read) {}
	mmap_any(struct mmap_write *write) : lock(write) {}
};
#elif defined(VMAREA_BORROWCK) || defined(__clang_analyzer__)
typedef const void *vma_any;
typedef void *mmap_any;
#else
typedef union {
	const struct vma_ref		*ref;
	const struct vma_mixedmap	*mixedmap;
	const struct vma_pfnmap		*pfnmap;
	const struct vma_mut		*mut;
	const struct vma_new		*new_;
} vma_any __attribute__((__transparent_union__));

typedef union {
	struct mmap_read		*read;
	struct mmap_write		*write;
} mmap_any __attribute__((__transparent_union__));
#endif

/* ------------------------------------------------------------------ mm -- */

/* The struct stays, alive or dead, until the matching mmdrop(). */
VMAREA_API void mmgrab(struct mm_struct *mm);
VMAREA_API void mmdrop(struct mm_struct *mm);

/*
 * The last mmput() tears the address space down: it takes the mmap lock and calls the drivers'
 * close() hooks, and then release() of files.  No lock of the mm may be held.
 */
VMAREA_API void mmput(struct mm_user *mm)		__may_sleep __consumes_arg;
/*
 * The same from any context but a signal handler: a last put is carried out by another thread,
 * soon; vmarea_destroy() waits for it.
 */
VMAREA_API void mmput_async(struct mm_user *mm)		__consumes_arg;

/* NULL if the address space is already gone.  End with either mmput. */
VMAREA_API struct mm_user *__nullable mmget_not_zero(struct mm_struct *mm)
	__must_check __ended_by(mmput) __ended_by(mmput_async);

/*
 * One more reference for somebody who has one already, and a handle of its own for it: put each by
 * its own.
 */
VMAREA_API struct mm_user *mmget(struct mm_user *mm)
	__must_check __ended_by(mmput) __ended_by(mmput_async);

/* The mm itself, good for as long as @mm is; mmgrab() it to keep it. */
VMAREA_API struct mm_struct *mm_user_mm(struct mm_user *mm);

/* ----------------------------------------------------------- mmap lock -- */

VMAREA_API void mmap_read_unlock(struct mmap_read *lock)
	__releases_shared(vma_stable) __consumes_arg;

/*
 * Ends every VMA write lock of the section, and makes its changes visible to readers at once.
 * Waits for who still looks at VMAs that went, and drops their files.
 */
VMAREA_API void mmap_write_unlock(struct mmap_write *lock)
	__releases(vma_stable) __may_sleep __consumes_arg;

/*
 * The mmap lock is the outer one: no other, nor a VMA lock, may be held, nor itself for read.
 * Fair: a writer that waits holds back the readers that come after it.  Never NULL.
 */
VMAREA_API struct mmap_read *mmap_read_lock(struct mm_user *mm)
	__must_not_hold(vma_stable) __acquires_shared(vma_stable) __may_sleep
	__must_check __ended_by(mmap_read_unlock);

/* NULL if it cannot be had at once.  The reclaim side, which comes from inner locks, uses it. */
VMAREA_API struct mmap_read *__nullable mmap_read_trylock(struct mm_user *mm)
	__cond_acquires_shared(nonnull, vma_stable)
	__must_check __ended_by(mmap_read_unlock);

/* Write to read without a moment in between; the handles of the write section end here. */
VMAREA_API struct mmap_read *mmap_write_downgrade(struct mmap_write *lock)
	__releases(vma_stable) __acquires_shared(vma_stable) __may_sleep
	__consumes_arg __must_check __ended_by(mmap_read_unlock);

VMAREA_API struct mmap_write *mmap_write_lock(struct mm_user *mm)
	__must_not_hold(vma_stable) __acquires(vma_stable) __may_sleep
	__must_check
	__ended_by(mmap_write_unlock) __ended_by(mmap_write_downgrade);

VMAREA_API struct mmap_write *__nullable mmap_write_trylock(struct mm_user *mm)
	__cond_acquires(nonnull, vma_stable)
	__must_check
	__ended_by(mmap_write_unlock) __ended_by(mmap_write_downgrade);

/*
 * The same with a way out.  NULL if it would have to wait, or go on waiting, after mm_kill()
 * (vmarea.h): the caller backs out with -EINTR.
 */
VMAREA_API struct mmap_read *__nullable mmap_read_lock_killable(struct mm_user *mm)
	__must_not_hold(vma_stable) __cond_acquires_shared(nonnull, vma_stable) __may_sleep
	__must_check __ended_by(mmap_read_unlock);
VMAREA_API struct mmap_write *__nullable mmap_write_lock_killable(struct mm_user *mm)
	__must_not_hold(vma_stable) __cond_acquires(nonnull, vma_stable) __may_sleep
	__must_check
	__ended_by(mmap_write_unlock) __ended_by(mmap_write_downgrade);

/*
 * NULL if it could not be had by @deadline_ns, in nanoseconds of the port's monotonic clock (Linux:
 * CLOCK_MONOTONIC).  A lock that is free is given at any time.
 */
VMAREA_API struct mmap_read *__nullable mmap_read_lock_until(struct mm_user *mm,
							     uint64_t deadline_ns)
	__must_not_hold(vma_stable) __cond_acquires_shared(nonnull, vma_stable) __may_sleep
	__must_check __ended_by(mmap_read_unlock);
VMAREA_API struct mmap_write *__nullable mmap_write_lock_until(struct mm_user *mm,
							       uint64_t deadline_ns)
	__must_not_hold(vma_stable) __cond_acquires(nonnull, vma_stable) __may_sleep
	__must_check
	__ended_by(mmap_write_unlock) __ended_by(mmap_write_downgrade);

/*
 * For a reader that needs no lock, only to know that nothing changed between two moments:
 *
 *	if (mmap_lock_speculate_try_begin(mm, &seq)) {
 *		... look, believe nothing ...
 *		if (!mmap_lock_speculate_retry(mm, seq))
 *			... what was seen was true at one moment ...
 *	}
 *
 * The first is false while a writer is inside, the second true if one has been, whether it changed
 * anything or not.  To look is to ask mm_range_ok() and its kind; VMA handles still need a lock.
 */
VMAREA_API bool mmap_lock_speculate_try_begin(struct mm_user *mm, unsigned int *seq) __must_check;
VMAREA_API bool mmap_lock_speculate_retry(struct mm_user *mm, unsigned int seq) __must_check;

/* ----------------------------------------------------------- find a VMA -- */

/* The VMA that contains @addr, or NULL; good for as long as @lock is held. */
VMAREA_API struct vma_ref *__nullable vma_lookup(mmap_any lock, unsigned long addr)
	__must_hold_shared(vma_stable) __must_check;

/* The first VMA that ends above @addr, or NULL: with vma_end() a loop over a range. */
VMAREA_API struct vma_ref *__nullable vma_find(mmap_any lock, unsigned long addr)
	__must_hold_shared(vma_stable) __must_check;

VMAREA_API void vma_end_read(struct vma_ref *vma)
	__releases_shared(vma_stable) __consumes_arg;

/*
 * The VMA that contains @addr, read-locked, without the mmap lock.  NULL if there is none, or if it
 * is being written, or on contention: then take the mmap lock and look there.
 */
VMAREA_API struct vma_ref *__nullable lock_vma_under_rcu(struct mm_user *mm, unsigned long addr)
	__cond_acquires_shared(nonnull, vma_stable)
	__must_check __ended_by(vma_end_read);

/*
 * Waits for the readers of this one VMA and keeps new ones out.  It ends with the mmap write lock:
 * there is no unlock.
 */
VMAREA_API struct vma_mut *vma_start_write(struct mmap_write *lock, struct vma_ref *vma)
	__must_hold(vma_stable) __may_sleep __must_check;

/* ------------------------------------------------------------- any VMA -- */

typedef uint64_t vm_flags_t;
#define VM_NONE		0x00000000ul
#define VM_READ		0x00000001ul
#define VM_WRITE	0x00000002ul
#define VM_EXEC		0x00000004ul
#define VM_SHARED	0x00000008ul
#define VM_MAYREAD	0x00000010ul
#define VM_MAYWRITE	0x00000020ul
#define VM_MAYEXEC	0x00000040ul
#define VM_MAYSHARE	0x00000080ul
#define VM_GROWSDOWN	0x00000100ul
#define VM_UFFD_MISSING	0x00000200ul
#define VM_PFNMAP	0x00000400ul
#define VM_MAYBE_GUARD	0x00000800ul
#define VM_UFFD_WP	0x00001000ul
#define VM_LOCKED	0x00002000ul
#define VM_IO		0x00004000ul
#define VM_SEQ_READ	0x00008000ul
#define VM_RAND_READ	0x00010000ul
#define VM_DONTCOPY	0x00020000ul
#define VM_DONTEXPAND	0x00040000ul
#define VM_LOCKONFAULT	0x00080000ul
#define VM_ACCOUNT	0x00100000ul
#define VM_NORESERVE	0x00200000ul
#define VM_HUGETLB	0x00400000ul
#define VM_SYNC		0x00800000ul
#define VM_ARCH_1	0x01000000ul
#define VM_WIPEONFORK	0x02000000ul
#define VM_DONTDUMP	0x04000000ul
#define VM_SOFTDIRTY	0x08000000ul
#define VM_MIXEDMAP	0x10000000ul
#define VM_HUGEPAGE	0x20000000ul
#define VM_NOHUGEPAGE	0x40000000ul
#define VM_MERGEABLE	0x80000000ul
#define VM_DROPPABLE	0x10000000000ul
#define VM_UFFD_MINOR	0x20000000000ul
#define VM_SEALED	0x40000000000ul

VMAREA_API unsigned long vma_start(vma_any vma)			__must_hold_shared(vma_stable);
VMAREA_API unsigned long vma_end(vma_any vma)			__must_hold_shared(vma_stable);
VMAREA_API vm_flags_t vma_flags(vma_any vma)			__must_hold_shared(vma_stable);
/* The file offset of vma_start(), in pages. */
VMAREA_API unsigned long vma_pgoff(vma_any vma)			__must_hold_shared(vma_stable);
/*
 * The mm it belongs to, good for as long as the handle is.  A copy that fork() made has the same
 * ops and data and another mm: compare mm_user_mm() of it with the one you remember.  In close() it
 * may have no user left, since it ends: mmgrab() it, since mmget() ends the program then, and
 * mmget_not_zero() later.
 */
VMAREA_API struct mm_user *vma_mm(vma_any vma)			__must_hold_shared(vma_stable);
/* NULL for an anonymous VMA. */
VMAREA_API struct file *__nullable vma_file(vma_any vma)	__must_hold_shared(vma_stable);
VMAREA_API void *__nullable vma_private_data(vma_any vma)	__must_hold_shared(vma_stable);

/*
 * Is this a VMA that vma_set_owner() was called on with this @ops *and* this @data?  A driver that
 * remembers an address asks before it touches what is there now: the process may have unmapped the
 * driver's VMA and mapped something else.  Two NULLs are nobody's: false.
 */
VMAREA_API bool vma_is_owner(vma_any vma, const struct vm_operations_struct *__nullable ops,
			     const void *__nullable data)
	__must_hold_shared(vma_stable);

/*
 * Removes the pages in [addr, addr + size), and their references; accesses fault from then on.  A
 * range that is not wholly inside the VMA, that overflows, or that is not page-aligned does nothing
 * and is reported; nor does a VMA that no driver's mmap() hook has set up: that memory is the
 * program's.
 */
VMAREA_API void zap_vma_range(vma_any vma, unsigned long addr, unsigned long size)
	__must_hold_shared(vma_stable) __may_sleep;

/* ------------------------------------------------------- VM_MIXEDMAP -- */

/* NULL if the VMA has no VM_MIXEDMAP. */
VMAREA_API struct vma_mixedmap *__nullable vma_as_mixedmap(struct vma_ref *vma)
	__must_hold_shared(vma_stable) __must_check;

/* The same, and NULL too unless vma_is_owner(): for an address remembered from earlier. */
VMAREA_API struct vma_mixedmap *__nullable
vma_as_owned_mixedmap(struct vma_ref *vma, const struct vm_operations_struct *__nullable ops,
		      const void *__nullable data)
	__must_hold_shared(vma_stable) __must_check;

/*
 * Makes one page visible at @addr.  Takes a reference of its own: the caller still has to
 * __free_page() the page.  A shared VMA may write to it if it may write at all; a private one gets
 * a copy with its first write.
 *
 * -EFAULT: @addr is outside the VMA.  -EINVAL: @addr is not page-aligned, or @page is no page of
 * alloc_page() from this mm's instance.  -EBUSY: something is at @addr already.  -ENOMEM: no frame
 * for a page table, or the page is mapped 2^30 times.  -EOPNOTSUPP: the mm keeps areas only and has
 * nowhere to put a page.  Nothing changed.
 */
VMAREA_API int vm_insert_page(struct vma_mixedmap *vma, unsigned long addr, struct page *page)
	__must_hold_shared(vma_stable) __may_sleep __must_check;

/* -------------------------------------------------- write-locked VMA -- */

/*
 * Names an anonymous VMA "[anon:@name]" in maps; NULL takes the name away.  -EBADF: the VMA has a
 * file.  -EINVAL: a character that maps could not show, longer than 80 bytes with its end, or an
 * instance without area names.  -ENOMEM.  The old name stays on an error.
 */
VMAREA_API int vma_set_anon_name(struct vma_mut *vma, const char *__nullable name)
	__must_hold(vma_stable) __may_sleep __must_check;

/* ------------------------------------------------------ mmap() hooks -- */

/*
 * The flags a hook may set, given as constants so that the compiler can check them.  VM_MIXEDMAP
 * and VM_PFNMAP (driver_fault.h) have functions of their own: the first one called counts, the
 * other is reported and does nothing, so no VMA is both.  VM_MAY* can only be cleared.
 */
#define VM_HOOK_MAY_SET	(VM_IO | VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP)

#define __VM_HOOK_MAY_SET_TEXT							\
	"vm_flags_set() sets VM_IO, VM_DONTEXPAND, VM_DONTCOPY and VM_DONTDUMP only"
#ifdef __cplusplus
# define vm_flags_set(vma, flags)						\
	__extension__ ({ static_assert(!((flags) & ~VM_HOOK_MAY_SET), __VM_HOOK_MAY_SET_TEXT); \
		__vm_flags_set((vma), (flags)); })
#else
# define vm_flags_set(vma, flags)						\
	__vm_flags_set((vma), (flags) + 0 * sizeof(struct {			\
		_Static_assert(!((flags) & ~VM_HOOK_MAY_SET), __VM_HOOK_MAY_SET_TEXT); \
		int unused; }))
#endif
VMAREA_API void __vm_flags_set(struct vma_new *vma, vm_flags_t flags)	__in_mmap_hook;

VMAREA_API struct vma_mixedmap *vma_set_mixedmap(struct vma_new *vma)	__in_mmap_hook;
/*
 * What the process can take back: VM_DONTCOPY with MADV_DOFORK, unless VM_IO is set; VM_DONTDUMP
 * with MADV_DODUMP, unless VM_IO, VM_DONTEXPAND or VM_MIXEDMAP is.
 */
#define vma_set_io(vma)			vm_flags_set((vma), VM_IO)
#define vma_set_dontexpand(vma)		vm_flags_set((vma), VM_DONTEXPAND)
#define vma_set_dontcopy(vma)		vm_flags_set((vma), VM_DONTCOPY)
#define vma_set_dontdump(vma)		vm_flags_set((vma), VM_DONTDUMP)

/*
 * @ops stays until release() has returned.  The last call counts; two NULLs are no owner.  VMAs with
 * different ops or data are never joined, whatever else they have in common.
 */
VMAREA_API void vma_set_owner(struct vma_new *vma,
			      const struct vm_operations_struct *__nullable ops,
			      void *__nullable data)			__in_mmap_hook;

/* 0; -EINVAL if the VMA is now readable (writable, executable).  There is no way back. */
VMAREA_API int vma_try_clear_mayread(struct vma_new *vma)	__in_mmap_hook __must_check;
VMAREA_API int vma_try_clear_maywrite(struct vma_new *vma)	__in_mmap_hook __must_check;
VMAREA_API int vma_try_clear_mayexec(struct vma_new *vma)	__in_mmap_hook __must_check;

/*
 * What a driver supplies for its files.  Each hook says under which locks it is called; under any
 * it must not take the mmap lock of that mm, nor make a memory call on it.  All may sleep.
 *
 * An answer that is none, a page, a range or a flag that the driver may not have: it is reported
 * once at each place, with the driver's name, nothing of it is done, and the call fails: -EINVAL,
 * or SIGBUS for a fault, -EIO for a page that is read or written.
 */
struct file_operations {
	const char *owner;		/* the driver's name, for reports */

	/*
	 * mmap() of this file: configure @vma.  0 or -errno, which mmap() returns; the VMA is then
	 * undone without open or close.  mmap write lock held.  Declare your hook with
	 * __in_mmap_hook: the analysis stops at function pointers.  NULL: -ENODEV.
	 *
	 * Not called for a mapping that carries on one of the same file with the flags that are
	 * asked for: as on Linux that VMA grows, and nobody is told.  One with VM_IO, VM_DONTEXPAND
	 * or VM_MIXEDMAP does not.
	 */
	int (*__nullable mmap)(struct file *file, struct vma_new *vma);

	/*
	 * The last reference to the file is gone.  No lock of an mm is held, so any call may be
	 * made; by whatever thread dropped it, also a background thread.  Called once.
	 */
	void (*__nullable release)(struct file *file);

	/*
	 * Reads the @bytes bytes of the file at @offset to @to: a whole page that is needed and not
	 * there, or what of it lies before the end of the file; the rest is zeroed.  What has never
	 * been written is zero.  0; or -errno, which the reader is told: a fault makes it SIGBUS,
	 * and -ENOMEM out of memory.  Not asked for FILE_SHMEM and FILE_HUGETLB, whose pages begin
	 * as zeros; nor are those of a file without this hook.
	 *
	 * No mmap lock and no VMA lock is held, only the lock of this page, and that of the file
	 * against truncation, for read, or for write by a file_write() that appends.  So it may take
	 * its time, and ask about other files; on this inode it must not change the size, punch,
	 * read or write, nor fault in a mapping of it; and it must wait for no mmap lock, of any
	 * mm: a fault may have that, and wait for this page.  So no memory calls.  Two pages may be
	 * asked for at once, never one twice at the same time.
	 */
	int (*__nullable read_page)(struct file *file, uint64_t offset, void *to, size_t bytes);

	/*
	 * Writes the @bytes bytes at @from, of a page that was stored to, to the file at @offset: a
	 * whole page, or what of it lies before the end of the file.  0; or -errno: the page stays
	 * dirty, and who syncs next is told (file.h).  Asked of files that are FILE_WRITE, and not
	 * for FILE_SHMEM and FILE_HUGETLB.  NULL: what is stored stays in the pages.
	 *
	 * The same locks are held as for read_page(), and the same holds here, but that the file may
	 * become longer meanwhile.  The bytes may change while they are read: the page is written
	 * again then.  Also called while the last reference goes, before release().
	 */
	int (*__nullable write_page)(struct file *file, uint64_t offset, const void *from,
				     size_t bytes);

	/*
	 * file_truncate(): the file's bytes end at @bytes from now on where they are kept; what
	 * comes after an old end reads as zeros.  0 or -errno, which the call returns: nothing
	 * changed.
	 *
	 * This and the next two are called with the lock of the file against truncation, for write:
	 * nobody reads or writes a page of it meanwhile.  No lock of an mm is held, but for
	 * punch_hole() by MADV_REMOVE the mmap lock for read.  What holds for read_page() does here.
	 */
	int (*__nullable set_size)(struct file *file, uint64_t bytes);
	/*
	 * The range reads as zeros from now on, the size stays; which is file_size(), though what made
	 * the file so long may not have been written yet and be in the hole.  0 or -errno: nothing
	 * changed.
	 */
	int (*__nullable punch_hole)(struct file *file, uint64_t offset, uint64_t bytes);
	/*
	 * file_refresh(): *bytes is how long the file is here; if it was made longer or shorter
	 * where its bytes are kept, by others, then how long it is now.  0 or -errno.  Asked again,
	 * with the old size, if that could not be taken over: for want of memory, or an error of
	 * read_page().
	 */
	int (*__nullable get_size)(struct file *file, uint64_t *bytes);
};

/* What a hook says of a fault: VM_FAULT_*, of vmarea/driver_fault.h. */
typedef unsigned int vm_fault_t;

/* Each may be NULL: nothing to be told. */
struct vm_operations_struct {
	/*
	 * A VMA with these ops came to be by a copy (fork: @vma is the child's; mremap) or a split.
	 * mmap write lock, in a fork also the parent's.
	 */
	void (*__nullable open)(struct vma_mut *vma);
	/*
	 * It goes away: once for each that mmap() or open() was called for.  mmap write lock; its
	 * readers have left.  A VMA whose ops have it is not joined away.
	 */
	void (*__nullable close)(struct vma_mut *vma);
	/*
	 * May it be split at @addr?  0 or -errno, which the call returns.  mmap write lock.  Asked
	 * perhaps twice for one split, and for splits that then do not come.
	 */
	int (*__nullable may_split)(struct vma_ref *vma, unsigned long addr);
	/*
	 * It was moved by mremap(): @vma is the new place, after its open().  0 or -errno, which
	 * the call returns: it stays where it was, and the new place is closed.  mmap write lock.
	 */
	int (*__nullable mremap)(struct vma_mut *vma);
	/*
	 * mprotect() of [start, end), a part of @vma, to @newflags is about to be done.  0 or
	 * -errno, which the call returns; what came before @start is changed.  mmap write lock.
	 */
	int (*__nullable mprotect)(struct vma_mut *vma, unsigned long start, unsigned long end,
				   vm_flags_t newflags);
	/*
	 * What maps shows in place of the file's name; NULL for the usual.  Lives with the VMA; 95
	 * bytes of it are shown.  mmap lock, for read.
	 */
	const char *__nullable (*name)(struct vma_ref *vma);

	/*
	 * Faults, of an mm with pages: vmarea/driver_fault.h.  Called with the VMA lock or the mmap
	 * lock and with nothing else, whichever thread it is that needs the page.
	 *
	 * Nothing is at vmf->address: what is to be?
	 */
	vm_fault_t (*__nullable fault)(struct vma_ref *vma, struct vm_fault *vmf);
	/*
	 * The same, asked first, for the 2^@order pages around vmf->address: vm_insert_pfn_pmd().
	 * And asked with VMF_WRITE when such are shown, and cannot be written to.
	 */
	vm_fault_t (*__nullable huge_fault)(struct vma_ref *vma, struct vm_fault *vmf,
					    unsigned int order);
	/*
	 * vmf->page is shown there in a shared VMA and is about to become writable.  VM_FAULT_DONE
	 * lets it.  Asked anew each time that the right to write was taken away.
	 */
	vm_fault_t (*__nullable page_mkwrite)(struct vma_ref *vma, struct vm_fault *vmf);
	/* The same for a frame without a page: vm_insert_pfn(), vm_insert_mixed(). */
	vm_fault_t (*__nullable pfn_mkwrite)(struct vma_ref *vma, struct vm_fault *vmf);
	/*
	 * vmf->address is read and nothing is there: what of [start, end), 64 KiB around it or less,
	 * is at hand may be inserted.  If it is not among that, fault() is asked.
	 */
	void (*__nullable map_pages)(struct vma_ref *vma, struct vm_fault *vmf,
				     unsigned long start, unsigned long end);
	/*
	 * A debugger reads or writes @len bytes at @addr, inside @vma, which has VM_IO or VM_PFNMAP
	 * and so no page to do it by.  How many bytes it was, or -errno.  @buf is the library's.
	 * mmap lock, for read.
	 */
	long (*__nullable access)(struct vma_ref *vma, unsigned long addr, void *buf, size_t len,
				  bool write);
};

/* The driver's own word with the file, as file_create() was given it. */
VMAREA_API void *__nullable file_private_data(struct file *file);

/* -------------------------------------------------------------- pages -- */

/* Drops a reference; the last frees the page. */
VMAREA_API void __free_page(struct page *page)			__consumes_arg;
/* A zeroed page of @instance's memory, one reference; NULL when there is none: see reclaim.h. */
VMAREA_API struct page *__nullable alloc_page(struct vmarea *instance)
	__may_sleep __must_check __ended_by(__free_page);
/* Its 4096 bytes, good for as long as a reference is. */
VMAREA_API void *page_address(struct page *page);

/* ---------------------------------------------------------- by scope -- */

/*
 *	struct mm_user *mm __free(mmput_async) = mmget_not_zero(range->mm);
 *	CLASS(mmap_read, lock)(mm);
 *
 * Unlock such a lock by leaving its block, never by hand.
 */
#ifndef __cplusplus
DEFINE_FREE(mmput, struct mm_user *, if (_T) mmput(_T), __may_sleep)
DEFINE_FREE(mmput_async, struct mm_user *, if (_T) mmput_async(_T), )
DEFINE_FREE(free_page, struct page *, if (_T) __free_page(_T), )

typedef struct mmap_read *class_mmap_read_t;
static __always_inline class_mmap_read_t class_mmap_read_constructor(struct mm_user *mm)
	__scope_acquires_shared(vma_stable) __may_sleep
{
	class_mmap_read_t lock = mmap_read_lock(mm);

	return lock;
}
static __always_inline void class_mmap_read_destructor(class_mmap_read_t *lock)
	__scope_releases_shared(vma_stable)
{
	mmap_read_unlock(*lock);
}

typedef struct mmap_write *class_mmap_write_t;
static __always_inline class_mmap_write_t class_mmap_write_constructor(struct mm_user *mm)
	__scope_acquires(vma_stable) __may_sleep
{
	class_mmap_write_t lock = mmap_write_lock(mm);

	return lock;
}
static __always_inline void class_mmap_write_destructor(class_mmap_write_t *lock)
	__scope_releases(vma_stable) __may_sleep
{
	mmap_write_unlock(*lock);
}
#endif

__nonnull_end

/*
 * gcc as a borrow checker: an object file that nobody runs, in which a handle is its lock plus
 * something and a lock its mm plus something, so that -Wuse-after-free sees what outlives what.
 *
 *	gcc -O1 -Wall -Werror -Wno-mismatched-dealloc -DVMAREA_BORROWCK -c -o /dev/null
 */
#ifdef VMAREA_BORROWCK
ptrdiff_t __borrow_offset(const void *p);
# define __borrow(owner, expr)						\
	((__typeof__(expr))((char *)(owner) + __borrow_offset(expr)))
# define mmap_read_lock(mm)		__borrow(mm, mmap_read_lock(mm))
# define mmap_read_trylock(mm)		__borrow(mm, mmap_read_trylock(mm))
# define mmap_read_lock_killable(mm)	__borrow(mm, mmap_read_lock_killable(mm))
# define mmap_read_lock_until(mm, ns)	__borrow(mm, mmap_read_lock_until(mm, ns))
# define mmap_write_lock(mm)		__borrow(mm, mmap_write_lock(mm))
# define mmap_write_trylock(mm)		__borrow(mm, mmap_write_trylock(mm))
# define mmap_write_lock_killable(mm)	__borrow(mm, mmap_write_lock_killable(mm))
# define mmap_write_lock_until(mm, ns)	__borrow(mm, mmap_write_lock_until(mm, ns))
# define lock_vma_under_rcu(mm, addr)	__borrow(mm, lock_vma_under_rcu(mm, addr))
# define vma_lookup(lock, addr)		__borrow(lock, vma_lookup(lock, addr))
# define vma_find(lock, addr)		__borrow(lock, vma_find(lock, addr))
# define vma_start_write(lock, vma)	__borrow(lock, vma_start_write(lock, vma))
# define vma_as_mixedmap(vma)		__borrow(vma, vma_as_mixedmap(vma))
# define vma_as_owned_mixedmap(vma, ops, data) \
	__borrow(vma, vma_as_owned_mixedmap(vma, ops, data))
# define vma_mm(vma)			__borrow(vma, vma_mm(vma))
# define mm_user_mm(mm)			__borrow(mm, mm_user_mm(mm))
#endif

#ifdef __cplusplus
}
#endif
#endif
