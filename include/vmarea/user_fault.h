/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * User faults: page faults that the embedder answers, as with userfaultfd(2).
 *
 *	struct user_faults_config config = USER_FAULTS_CONFIG_INIT;
 *	struct user_fault_msg msg;
 *	struct user_faults *uf;
 *
 *	user_faults_create(mm, &config, &uf);
 *	user_faults_register(uf, addr, len, USER_FAULT_MISSING);
 *	...
 *	while (user_faults_read(uf, &msg, 1) == 1)		a thread of its own
 *		user_faults_copy(uf, msg.address, bytes, 4096, 0);
 *
 * A thread that faults in a registered range puts a message on a queue and waits, with no lock of
 * the library's, until somebody has put a page there or wakes it; then it faults anew.  A wake-up
 * for no reason is possible, and so is a second message for one access.
 *
 * Who waits: mm_handle_fault() and all that faults like it.  It ends with MM_FAULT_KILLED once
 * mm_kill() was called.  Not: a debugger (MM_REMOTE_FORCED), and what a memory call touches while
 * it holds its lock, which get MM_FAULT_BUS; nor gup_fast() and its like, which see no page.
 *
 * The numbers are those of <linux/userfaultfd.h>.  Errors are those of the running kernel (6.18),
 * which decides where its documentation says something else.
 */
#ifndef VMAREA_USER_FAULT_H
#define VMAREA_USER_FAULT_H

#include <vmarea/vmarea.h>

#ifdef __cplusplus
extern "C" {
#endif
__nonnull_begin

/* One for each handler; an mm may have several, an area is registered with one. */
struct user_faults;

/* What is asked for when it is made: UFFD_FEATURE_*. */
#define USER_FAULTS_SIGBUS	0x0080u	/* nobody waits: MM_FAULT_BUS, and no message */
#define USER_FAULTS_THREAD_ID	0x0100u	/* messages say which thread */
#define USER_FAULTS_EXACT	0x0800u	/* and the byte, not the page */
#define USER_FAULTS_FEATURES	(USER_FAULTS_SIGBUS | USER_FAULTS_THREAD_ID | USER_FAULTS_EXACT)

struct user_faults_config {
	size_t size;			/* sizeof(struct user_faults_config) */
	unsigned int features;		/* USER_FAULTS_* */
	/*
	 * For event loops; NULL: nobody is told.  There is a message, unless somebody has read it
	 * already.  Called by the thread that is going to wait for the answer, with no lock of the
	 * library's held; where a host's window is used, in a signal handler.
	 */
	void (*__nullable notify)(void *__nullable arg);
	void *__nullable arg;
};

#define USER_FAULTS_CONFIG_INIT {					\
	.size = sizeof(struct user_faults_config), .features = 0, .notify = NULL, .arg = NULL }

/*
 * With one reference; it keeps the mm's struct, not the address space.  0; -EINVAL: @config->size,
 * an unknown feature; -ENOMEM.
 */
VMAREA_API int user_faults_create(struct mm_user *mm, const struct user_faults_config *config,
				  struct user_faults **out) __may_sleep __must_check;
/* For one more thread that uses it.  Returns @uf. */
VMAREA_API struct user_faults *user_faults_get(struct user_faults *uf);
/* The last one closes it. */
VMAREA_API void user_faults_put(struct user_faults *uf)		__may_sleep;
/*
 * Nothing is registered with it any more, who waits for it goes on by himself, and who reads it
 * gets -EBADF.  Once is enough.  Takes the mmap lock for write.
 */
VMAREA_API void user_faults_close(struct user_faults *uf)	__may_sleep;

/* --------------------------------------------------------------------------------- ranges -- */

#define USER_FAULT_MISSING	0x1u	/* no page is there; of shared memory: nor in the file */
#define USER_FAULT_WP		0x2u	/* anonymous: a write, see user_faults_writeprotect() */
#define USER_FAULT_MINOR	0x4u	/* shared memory: it is in the file, and not mapped */

/*
 * All areas of [start, start + bytes), holes between them left aside: faults of @modes come here
 * from now on, instead of those that did before.  What is registered so already stays as it is.
 * 0; or
 *
 * -EINVAL	no mode, or an unknown one; @start or @bytes is not page-aligned, @bytes is 0, the
 *		range is outside the address space; nothing is there; an area that is neither
 *		anonymous nor shared memory (FILE_SHMEM), or of a driver, or huge, or
 *		VM_DROPPABLE; for USER_FAULT_MINOR: that is not shared memory; for
 *		USER_FAULT_WP: that is, or page tables of RISC-V
 * -EPERM	VM_MAYWRITE is not set
 * -EBUSY	an area is registered with another
 * -EBADF	it is closed
 * -ENOMEM	the mm is gone; max_map_count: areas before that one are registered
 * -EINTR	as any memory call
 */
VMAREA_API int user_faults_register(struct user_faults *uf, unsigned long start,
				    unsigned long bytes, unsigned int modes) __may_sleep;
/*
 * The opposite; who waits for a page of the range goes on.  0; -EINVAL: as above, or an area is
 * registered with another; -EBADF, -ENOMEM, -EINTR as above.
 */
VMAREA_API int user_faults_unregister(struct user_faults *uf, unsigned long start,
				      unsigned long bytes) __may_sleep;

/* ------------------------------------------------------------------------------- messages -- */

#define USER_FAULT_EVENT_PAGE	0x12u	/* msg->event */

#define USER_FAULT_FLAG_WRITE	0x1u	/* msg->flags: the access was a write */
#define USER_FAULT_FLAG_WP	0x2u	/* msg->flags: of a page that is there, and protected */
#define USER_FAULT_FLAG_MINOR	0x4u	/* msg->flags: the page is in the file */

struct user_fault_msg {
	unsigned int event;		/* USER_FAULT_EVENT_* */
	unsigned int flags;		/* USER_FAULT_FLAG_* */
	unsigned long address;		/* of the page; with USER_FAULTS_EXACT of the byte */
	unsigned int thread;		/* with USER_FAULTS_THREAD_ID; else 0 */
};

/*
 * The oldest messages that nobody has read, @nr at most: how many, at least one.  A thread that was
 * woken before its message was read has taken that back.
 *
 * -EINVAL	@nr is 0
 * -EBADF	it is closed
 * -ESRCH	the mm is gone, there will be no message
 * -EAGAIN	user_faults_try_read(): there is none
 */
VMAREA_API long user_faults_read(struct user_faults *uf, struct user_fault_msg *msgs, size_t nr)
	__may_sleep __must_check;
VMAREA_API long user_faults_try_read(struct user_faults *uf, struct user_fault_msg *msgs,
				     size_t nr) __must_check;

/* -------------------------------------------------------------------------------- answers -- */

#define USER_FAULT_DONTWAKE	0x1u	/* @flags: who waits goes on waiting */
#define USER_FAULT_PROTECT	0x2u	/* @flags: copy: and the next write is asked for */

/*
 * Pages for [start, start + bytes).  Each appears whole, and is not there before.  The range lies
 * in one area, registered with whomever.  Then wakes who waits there.
 *
 *	copy		with the bytes at @from: of any alignment, not memory of the library's
 *	zeropage	with zeros
 *	continue	those that are in the file of shared memory
 *	poison		none: from now on an access is MM_FAULT_BUS
 *
 * The first two make the page in the file, where shared memory is mapped shared.  A guard gives way
 * to a copy, and so does what was poisoned.
 *
 * A private area is touched (vmarea.h), whatever comes of it.
 *
 * How many bytes have a page now; fewer than @bytes where the next page could not be had: asking for
 * the rest tells why.  If that is the first:
 *
 * -EINVAL	@start, @bytes, @flags; USER_FAULT_PROTECT, and not registered for USER_FAULT_WP;
 *		nothing that could be answered so is there; continue past
 *		the end of the file
 * -ENOENT	no area, or it ends before the range, or it is not registered
 * -EEXIST	there is a page, or one in the file; a guard
 * -EFAULT	it is past the end of the file; or not in the file
 * -ENOMEM	no frame
 * -ESRCH	the mm is gone
 * -EOPNOTSUPP	it has no pages: no arena
 */
VMAREA_API long user_faults_copy(struct user_faults *uf, unsigned long start, const void *from,
				 unsigned long bytes, unsigned int flags) __may_sleep;
VMAREA_API long user_faults_zeropage(struct user_faults *uf, unsigned long start,
				     unsigned long bytes, unsigned int flags) __may_sleep;
VMAREA_API long user_faults_continue(struct user_faults *uf, unsigned long start,
				     unsigned long bytes, unsigned int flags) __may_sleep;
VMAREA_API long user_faults_poison(struct user_faults *uf, unsigned long start,
				   unsigned long bytes, unsigned int flags) __may_sleep;

/*
 * USER_FAULT_PROTECT: from now on a write to a page that is there now puts a message on the queue
 * and waits.  Without: no more, and who waits there goes on, but for USER_FAULT_DONTWAKE.  What
 * takes the page away, and a fork for the child, takes that with it; mprotect() leaves it.
 *
 * 0; -EINVAL: @start, @bytes, @flags or both of them; -ENOENT: nothing is there, or an area that is
 * not registered for USER_FAULT_WP: what comes before that is done; -ESRCH, -EOPNOTSUPP as above.
 */
VMAREA_API int user_faults_writeprotect(struct user_faults *uf, unsigned long start,
					unsigned long bytes, unsigned int flags) __may_sleep;

/* Who waits for a page of the range goes on.  0; -EINVAL: @start, @bytes. */
VMAREA_API int user_faults_wake(struct user_faults *uf, unsigned long start, unsigned long bytes);

__nonnull_end
#ifdef __cplusplus
}
#endif
#endif
