/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The outside world.
 *
 * Everything the core needs and cannot compute comes through this header: memory, waiting for
 * another thread, the clock, randomness, background threads, read-copy-update, and somewhere to
 * put a message.  A port is a folder beside this file that supplies them; one is chosen when
 * the library is built, with -DVMAREA_PORT_LINUX (the default) or -DVMAREA_PORT_SIM; or it lies
 * elsewhere, with -DVMAREA_PORT_HEADER='"its/header.h"'.  There is no table of function pointers,
 * so what is hot is inlined.  docs/PORTING.md begins where somebody does who writes one.
 *
 * A port supplies, with exactly these names and these promises, and says here of each what can go
 * wrong in it ("fails"); what says nothing cannot fail.  Where the world may refuse, a debug build
 * has a *site*, at which a test makes it refuse.
 *
 * Memory
 *	void *port_alloc(size_t bytes)
 *		Zeroed, aligned to 64 bytes.  bytes > 0.  May sleep.
 *		Fails: NULL, the host has no memory, or none in one piece.
 *	void port_free(void *p, size_t bytes)
 *		@bytes as it was asked for.  p may be NULL.  Leaves errno alone.  A host that will
 *		not take it back now (Linux: a process at its limit of mappings) is asked again
 *		later.
 *	In a debug build each port_alloc() is a site, and a macro over:
 *	void *port_alloc_at(size_t bytes, const char *here)
 *		@here is PORT_HERE: "file:line".
 *	bool port_fail_site(void), port_fail_site_at(const char *here)
 *		One more such place, for who takes memory from a pool that is usually full: true if
 *		this one is to fail.  In a release build it is constant, and false.
 *	void port_fail_nth(long n)
 *		The n-th site that the calling thread comes to from now on fails, once.  n <= 0:
 *		none will.
 *	unsigned long port_alloc_count(void)
 *		Sites the calling thread has come to so far: the upper bound for n.
 *	long port_live_allocs(void)
 *		Allocated and not freed, by all threads.
 *	What else is made to fail, and how, is each port's own: linux/failure.h has sites for all
 *	that can, the deterministic port explores it.
 *
 * Arenas
 *	int port_arena_create(struct port_arena *arena, size_t bytes, size_t private_bytes)
 *		A window of @bytes zeroed bytes, a multiple of PORT_ARENA_ALIGN and so aligned,
 *		that costs nothing until it is touched: it may be larger than the host's memory.
 *		arena->base, bytes and fd say where; byte n of the file fd is byte n of the window,
 *		so that the same memory can be mapped once more elsewhere.  A host that forks
 *		shares its bytes with the child, but for the first @private_bytes, of whole pages:
 *		these are not in the file, and the child gets a copy, as of all other memory.
 *		0.  Fails: -ENOMEM, the host refuses the window or the file; *arena is untouched.
 *		Also a place for injected failures.
 *	void port_arena_destroy(struct port_arena *arena)
 *		Unmaps and closes.  Other mappings of the file keep its bytes.
 *	int port_arena_discard(struct port_arena *arena, size_t offset, size_t bytes)
 *		Gives the memory of whole pages back to the host, in every mapping of the file; they
 *		read as zero afterwards.  Not of the private part.
 *		Fails: -errno, some of them may still have their bytes.
 *	When the host has no memory left for a page that is touched, it ends the process, as it does
 *	with any other memory that it promised.
 *
 * Files
 *	int port_file_look(int fd, struct port_file_info *info)
 *		What the host knows of the file that @fd is open on.  0; -errno; -EOPNOTSUPP: this
 *		port has no files.  After an error *info is anything.
 *	int port_file_dup(int fd)
 *		Another descriptor of the same open file, that an exec() of the host closes; or
 *		-errno.
 *	int port_file_open_for_parts(int fd)
 *		A descriptor, as of port_file_dup(), that the same file is open on for the same, but
 *		for any number of bytes; or -errno.
 *	void port_file_close(int fd)
 *	int port_file_read(int fd, u64 offset, void *to, size_t bytes)
 *		As many bytes as are there, and then zeros.  0; -errno.
 *	int port_file_write(int fd, u64 offset, const void *from, size_t bytes)
 *		All of them, and the file is as long as needed.  0; -errno: a part may be written;
 *		-EINVAL, too, while the file is open to append, and nothing is.
 *		-EFBIG of this and port_file_set_bytes() raises no signal.
 *	int port_file_get_bytes(int fd, u64 *bytes), port_file_set_bytes(int fd, u64 bytes)
 *		How long the file is.  0; -errno: nothing changed.
 *	int port_file_punch(int fd, u64 offset, u64 bytes)
 *		The range reads as zeros; the file is as long as it was.  0; -errno.
 *	All of them leave errno alone.
 *
 * Windows
 *	int port_window_create(struct port_window *window, void *base, size_t bytes)
 *		A place of @bytes, a multiple of PORT_WINDOW_ALIGN, at @base, or if that is NULL
 *		anywhere, where nothing is: every access faults.  window->fault and refused are set
 *		before.  0; -EEXIST: something is at @base; -ENOMEM: the host refuses;
 *		-EOPNOTSUPP: this port has no windows.  After an error *window is as it was.
 *	void port_window_destroy(struct port_window *window)
 *		Nobody uses it any more.
 *	int port_window_show(void *at, size_t bytes, const struct port_arena *arena, size_t offset,
 *			     unsigned int allow)
 *		Whole pages of a window: there are now the bytes of the arena from @offset on, for
 *		the accesses of @allow, whatever was there.  0; -ENOMEM: the host has no memory for
 *		that, or no more areas; what was there may be gone, and then not even be reserved:
 *		hide it.
 *	int port_window_show_zeros(void *at, size_t bytes)
 *		The same for zeros to be read.
 *	int port_window_hide(void *at, size_t bytes)
 *		Nothing is there any more, and no thread of the process uses what was.  0; -ENOMEM:
 *		the host has no more areas: nothing changed.
 *	void port_window_hide_all(struct port_window *window)
 *		The same for a whole window; does not fail, however many areas there are.
 *	The first three are places for injected failures.  All four do not sleep but for the host's
 *	own locks, and may be called in a signal handler and under a spinlock.
 *	unsigned long port_window_max_areas(void)
 *		So many different things can lie side by side in this process's windows, and in its
 *		other mappings.
 *	window->fault(window, &fault)
 *		An access in the window faulted.  Called on the thread that made it, where it made
 *		it, in a signal handler with asynchronous signals blocked.  True: try again.  False:
 *		the access is refused as fault->refusal says.
 *	window->refused(window, &fault)
 *		Then this, with the thread's own signal mask; it need not return.  True: try again.
 *		False: the program gets the signal as it would without us: the handler it had when
 *		the first window was made, or the default.
 *
 * Waiting
 *	int port_wait(const u32 *word, u32 expected, u64 deadline_ns)
 *		Sleeps while *word == expected, which is looked at again after the caller has been
 *		queued: a change followed by port_wake() is not missed.  0 if woken, if the value
 *		differs, or for no reason at all: look again.  -ETIMEDOUT once port_now_ns() has
 *		reached deadline_ns; PORT_NO_DEADLINE never comes.  Leaves errno alone.
 *		Fails: only by returning 0 too early, which both ports do on request.
 *	void port_wake(u32 *word, int nr)
 *		Wakes up to nr sleepers, the longest-waiting first.  Never sleeps.  The memory at
 *		@word need not exist any more.
 *	Both work between processes when the word lies in memory that they share.
 *	void port_cpu_relax(void)	for the body of a spin loop
 *	PORT_SPIN_ROUNDS(n)		how often to look before sleeping where @n would be right if
 *					each thread had a CPU: 1 where only one runs at a time
 *	void port_yield(void)		lets another thread have this CPU
 *
 * Clock and chance
 *	u64 port_now_ns(void)		monotonic
 *	u64 port_random(void)
 *		Not for secrets; different in parent and child of a fork.  A host without randomness
 *		has its clock and the thread's id taken for the seed.
 *
 * Threads
 *	u32 port_thread_id(void)
 *		Not 0, no two live threads have the same, also across processes.  A few cycles.
 *	void *port_thread_state(void)
 *		PORT_THREAD_STATE_BYTES that belong to the calling thread and start as zero.  The
 *		lock checker keeps what the thread holds there; there is none in a release build.
 *	void port_thread_on_exit(void (*fn)(void *state))
 *		fn is called with the calling thread's state when that thread ends.
 *		Fails: fn is not called (debug builds: the lock checker then misses what this thread
 *		still held at its end, and nothing else).
 *	Where a thread is, in a debug build:
 *	unsigned int port_backtrace(const void **pcs, unsigned int max)
 *		The addresses to which the calling function and its callers will return, innermost
 *		first: how many, at most @max.  Cheap, for it is called with every lock, and in a
 *		signal handler too.
 *	void port_describe_pc(const void *pc, char *buf, size_t bytes)
 *		Such an address as text, "function+0x1c" if that can be found out.
 *
 * Background work
 *	int port_work(struct port_work *w, void (*fn)(struct port_work *w))
 *		fn(w) will be called once, by another thread, where it may sleep and may free w.
 *		Embedded in what it works on, so there is nothing to allocate and it cannot be
 *		refused: 0, or -EBUSY if w is already queued (fn is called all the same, once).
 *		w starts zeroed.  If no thread can be started it stays queued, each later
 *		port_work() tries again, and port_work_flush() calls fn itself.
 *	int port_work_shared(struct port_work *w, void (*fn)(struct port_work *w))
 *		The same for what works on the bytes of an arena, which a child of the host shares:
 *		there it is queued no more.
 *	void port_work_flush(void)
 *		Sleeps until every work queued before the call has run.  Not from a work.
 *
 * RCU
 *	void port_rcu_read_lock(void), port_rcu_read_unlock(void)
 *		A read section: what was reachable in it stays allocated until its end.  Nest.
 *		Also in a signal handler, also as the first thing a thread ever does with us.
 *		Fails: the first read section of a thread may need memory of the host's (Linux,
 *		liburcu: of the first thread, and then whenever the number of reading threads comes
 *		to a power of two).  Without it the process is aborted: a reader has no way to say
 *		that it could not read.
 *	bool port_rcu_read_ongoing(void)
 *	port_rcu_dereference(p), port_rcu_assign(p, v)
 *		Read and publish a pointer to something initialised before.
 *	void port_call_rcu(struct port_rcu_head *head, void (*fn)(struct port_rcu_head *head))
 *		fn(head) is called by another thread once every read section that was open at the
 *		time of the call has ended.  fn must not sleep.  Without a thread: as port_work(),
 *		with port_rcu_barrier().
 *	void port_call_rcu_shared(head, fn)
 *		The same for what lies in the bytes of an arena, which a child of the host shares:
 *		there it is queued no more.  fn is called in the process that called this.
 *	void port_synchronize_rcu(void)
 *		Sleeps until every read section that was open has ended.
 *	void port_rcu_barrier(void)
 *		Sleeps until every callback queued before the call has returned.  Not in a read
 *		section or a callback; in a work it may be.
 *	A host whose threads cannot be made to execute a barrier by one of them (Linux without
 *	membarrier(2)) has readers execute their own: slower, and else the same.
 *
 * Messages
 *	port_panic(), port_log(), port_bug(), port_warn(), port_warn_count(): see base/bug.h.  What
 *	cannot be written is lost.
 *
 * The host forks.  In the child there is one thread, the one that forked, and all of the above
 * works in it.  What other threads held stays held for ever, as POSIX has it; but a fork falls
 * neither into a callback nor into a work, so their locks are free.  What had been queued and
 * not run is still queued in the child as well, unless it was queued as shared: its memory is a
 * copy, which has to be freed too.  (So it must not lie on a thread's stack: those of the other
 * threads are used again in the child.)  The thread that forks waits for the work that runs and
 * for the grace period that has begun.  So it must be in no read section, must hold no lock that
 * a work takes, and no reader may wait for it.
 *
 * A port registers with the host for this when it is loaded, and that may fail: port_panic().
 *
 *	void port_fork_guard_add(struct port_fork_guard *guard)
 *	void port_fork_guard_del(struct port_fork_guard *guard)
 *		In between, each thread that forks calls guard->hold(guard) before, and
 *		guard->let_go(guard) after, in parent and child.  For an innermost lock: so
 *		it is free in the child, and what it guards is whole.
 *
 * Signal handlers.  port_wait, port_wake, port_now_ns, port_random, port_thread_id, the RCU read
 * side and what shows and hides pages in windows may be used in one.  What allocates, frees,
 * queues or waits for a grace period may not.
 */
#ifndef PORT_PORT_H
#define PORT_PORT_H

#include "base/compiler.h"
#include "base/bug.h"

/* What the lock checker of debug builds keeps for each thread; most of it is backtraces. */
#define PORT_THREAD_STATE_BYTES	8192

#define PORT_NO_DEADLINE	UINT64_MAX
/* For port_wake(): INT_MAX, without a header that a machine without a C library does not have. */
#define PORT_WAKE_ALL		__INT_MAX__

#if !defined(VMAREA_PORT_LINUX) && !defined(VMAREA_PORT_SIM) && !defined(VMAREA_PORT_HEADER)
# define VMAREA_PORT_LINUX	1
#endif

#include "port/arena.h"
#include "port/file.h"
#include "port/window.h"

#ifdef VMAREA_PORT_LINUX
# include "port/linux/port_linux.h"
#endif
#ifdef VMAREA_PORT_SIM
# include "port/sim/port_sim.h"
#endif
#ifdef VMAREA_PORT_HEADER
# include VMAREA_PORT_HEADER
#endif

#endif
