/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Windows: frames at real addresses, and the faults there.
 *
 * A window is reserved as one mapping without rights.  To show is to map the arena's file over a
 * part of it, to hide is to map the reservation over that again: each one system call, which
 * changes all in one step as other threads see it, and after which no CPU has the old
 * translation.  Nothing is unmapped, so that no mapping of somebody else's can come to lie in a
 * window.  But for one case: Linux lets a process have one area more than max_map_count, and then
 * refuses every mmap() until it has one less; munmap() works, so the whole window is given back
 * and reserved again.
 *
 * A fault is a SIGSEGV.  The handler is the process's: it is installed with the first window,
 * finds the window by address in a list that RCU readers may walk, and hands every other fault to
 * the handler that was there before.  It is asynchronous-signal-safe as long as the window's own
 * functions are. SIGBUS in a window means that the host has no memory for a page of the file.
 *
 * With the last window it goes, unless somebody has put his own over it since: that one goes on
 * passing to ours what is not his, so ours stays below it, and the next window finds it there.
 *
 * It runs with asynchronous signals blocked: one of the program's handlers that interrupted it,
 * and touched a window itself, would wait for what this thread holds.  Faults are not blocked,
 * since a hook of the embedder's may touch another window.  It runs on the alternate stack if the
 * program has one.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/bits.h"
#include "port/port.h"

/* ------------------------------------------------------------------------ what made a fault -- */

#if defined(__x86_64__)

# define CAN_TELL_ACCESS	1

/* The error code of a page fault: bit 1 is a write, bit 4 an instruction. */
static enum port_access access_of(const ucontext_t *context)
{
	unsigned long error = (unsigned long)context->uc_mcontext.gregs[REG_ERR];

	return error & BIT(1) ? PORT_ACCESS_WRITE :
	       error & BIT(4) ? PORT_ACCESS_EXEC : PORT_ACCESS_READ;
}

#elif defined(__aarch64__)

# define CAN_TELL_ACCESS	1
# define ESR_RECORD		0x45535201u

/* The syndrome register is in one of the records behind the others: class in the top bits. */
static enum port_access access_of(const ucontext_t *context)
{
	const unsigned char *at = context->uc_mcontext.__reserved;
	u32 magic, bytes;
	u64 esr;

	for (;; at += bytes) {
		memcpy(&magic, at, sizeof(magic));
		memcpy(&bytes, at + 4, sizeof(bytes));
		if (!magic || !bytes)
			return PORT_ACCESS_READ;
		if (magic == ESR_RECORD)
			break;
	}
	memcpy(&esr, at + 8, sizeof(esr));
	if (esr >> 27 == 0x10)			/* instruction abort: classes 0x20, 0x21 */
		return PORT_ACCESS_EXEC;
	return esr & BIT(6) ? PORT_ACCESS_WRITE : PORT_ACCESS_READ;
}

#else

# define CAN_TELL_ACCESS	0

static enum port_access access_of(const ucontext_t *context)
{
	(void)context;
	return PORT_ACCESS_READ;
}

#endif

/* ----------------------------------------------------------------------------- the handler -- */

static pthread_mutex_t windows_lock = PTHREAD_MUTEX_INITIALIZER;
static struct port_window *windows;		/* windows_lock; RCU to read */

/*
 * A handler of the program's that ours took the place of.  windows_lock; what pass_on() reads is
 * written before the first window is listed.
 */
struct before {
	struct sigaction action;
	u32 spent;			/* atomic: it was for one time, and that has been */
	bool below;			/* ours is in place, below a later one of the program's */
};
static struct before before_segv, before_bus;

/* Whoever touches a window keeps it from being destroyed: so it outlives the read section. */
static struct port_window *window_at(const void *addr)
{
	struct port_window *w;

	port_rcu_read_lock();
	for (w = port_rcu_dereference(windows); w; w = port_rcu_dereference(w->next))
		if ((uintptr_t)addr - (uintptr_t)w->base < w->bytes)
			break;
	port_rcu_read_unlock();
	return w;
}

/* The mask of the interrupted code.  The kernel writes as many bytes as it has signals. */
static void thread_mask(const ucontext_t *context, sigset_t *mask)
{
	sigemptyset(mask);
	memcpy(mask, &context->uc_sigmask, (NSIG - 1) / 8);
}

static void add_mask(sigset_t *mask, const struct sigaction *action, int sig)
{
	for (int i = 1; i < NSIG; i++)
		if (sigismember(&action->sa_mask, i) == 1)
			sigaddset(mask, i);
	if (!(action->sa_flags & SA_NODEFER))
		sigaddset(mask, sig);
}

static const struct sigaction by_default = { .sa_handler = SIG_DFL };

static bool is_handler(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) ||
	       (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

/* Not a handler: it is the default by now, or to be ignored. */
static const struct sigaction *action_for(struct before *b)
{
	u32 unspent = 0;

	/* The kernel would have taken it away before it is called. */
	if ((b->action.sa_flags & SA_RESETHAND) && is_handler(&b->action) &&
	    !atomic_cas_relaxed(&b->spent, &unspent, 1))
		return &by_default;
	return &b->action;
}

/* As if we had never been there. */
static void pass_on(int sig, siginfo_t *info, void *context)
{
	const struct sigaction *before = action_for(sig == SIGBUS ? &before_bus : &before_segv);
	sigset_t mask;

	if (!is_handler(before)) {
		/* A fault cannot be ignored; what somebody sends can. */
		if (before->sa_handler == SIG_IGN && info->si_code <= 0)
			return;
		/* This thread gets it again, with all that it says. */
		sigaction(sig, &by_default, NULL);
		syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), sig, info);
		return;
	}
	thread_mask(context, &mask);
	add_mask(&mask, before, sig);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (before->sa_flags & SA_SIGINFO)
		before->sa_sigaction(sig, info, context);
	else
		before->sa_handler(sig);
}

/* What Linux would have said. */
static int describe(siginfo_t *info, enum port_refusal refusal)
{
	const bool bus = refusal == PORT_REFUSE_BUS || refusal == PORT_REFUSE_MEMORY;

	info->si_signo = bus ? SIGBUS : SIGSEGV;
	info->si_code = bus ? BUS_ADRERR :
			refusal == PORT_REFUSE_ACCERR ? SEGV_ACCERR : SEGV_MAPERR;
	return info->si_signo;
}

static bool ask_embedder(struct port_window *w, const struct port_window_fault *fault,
			 ucontext_t *context)
{
	sigset_t mask, ours;
	bool again;

	if (!w->refused)
		return false;
	thread_mask(context, &mask);
	pthread_sigmask(SIG_SETMASK, &mask, &ours);
	again = w->refused(w, fault);
	pthread_sigmask(SIG_SETMASK, &ours, NULL);
	return again;
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	/* Sent by somebody, it is no fault. */
	struct port_window *w = info->si_code > 0 ? window_at(info->si_addr) : NULL;
	struct port_window_fault fault = {
		.addr = info->si_addr, .host_memory = sig == SIGBUS,
		.signal_info = info, .signal_context = context,
	};
	int saved = errno;

	if (w) {
		fault.access = access_of(context);
		if (w->fault(w, &fault) || ask_embedder(w, &fault, context)) {
			errno = saved;
			return;
		}
		sig = describe(info, fault.refusal);
	}
	errno = saved;
	pass_on(sig, info, context);
}

static bool is_ours(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == on_fault;
}

/* Over one that passes on to ours it would be called by it, and call it, for ever. */
static int install(int sig, struct before *before)
{
	struct sigaction ours = { .sa_sigaction = on_fault,
				  .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT };
	struct sigaction now;

	if (sigaction(sig, NULL, &now))
		return -EINVAL;
	if (before->below && is_handler(&now))
		return 0;
	sigfillset(&ours.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&ours.sa_mask, faults[i]);
	before->action = now;
	before->below = false;
	atomic_store_relaxed(&before->spent, 0);
	return sigaction(sig, &ours, NULL) ? -EINVAL : 0;
}

/* Whoever has put his own over ours since keeps it, and passes on to ours what is not his. */
static void restore(int sig, struct before *before)
{
	struct sigaction now;

	before->below = sigaction(sig, NULL, &now) || !is_ours(&now);
	if (!before->below)
		sigaction(sig, atomic_load_relaxed(&before->spent) ? &by_default : &before->action,
			  NULL);
}

/* -------------------------------------------------------------------------------- mappings -- */

#define RESERVED	(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static int map_at(void *at, size_t bytes, int prot, int flags, int fd, size_t offset)
{
	int saved = errno, err = 0;

	if (port_fail_site())
		return -ENOMEM;
	/*
	 * Not mmap(), which the thread sanitizer takes for a write to all of it: another thread
	 * may use the neighbours of the page that faulted as soon as the kernel has them there.
	 */
	if (syscall(SYS_mmap, at, bytes, prot, flags | MAP_FIXED, fd, offset) == -1)
		err = -ENOMEM;
	errno = saved;
	return err;
}

int port_window_show(void *at, size_t bytes, const struct port_arena *arena, size_t offset,
		     unsigned int allow)
{
	int prot = (allow & (PORT_SHOW_READ | PORT_SHOW_WRITE) ? PROT_READ : 0) |
		   (allow & PORT_SHOW_WRITE ? PROT_WRITE : 0) |
		   (allow & PORT_SHOW_EXEC ? PROT_EXEC : 0);

	/* Filling the host's tables at once saves a fault for each page. */
	return map_at(at, bytes, prot, MAP_SHARED | MAP_NORESERVE | MAP_POPULATE,
		      arena->fd, offset);
}

int port_window_show_zeros(void *at, size_t bytes)
{
	return map_at(at, bytes, PROT_READ, RESERVED | MAP_POPULATE, -1, 0);
}

int port_window_hide(void *at, size_t bytes)
{
	return map_at(at, bytes, PROT_NONE, RESERVED, -1, 0);
}

/* --------------------------------------------------------------------------------- windows -- */

static int reserve_at(struct port_window *w, void *base, size_t bytes);

void port_window_hide_all(struct port_window *window)
{
	int saved = errno;

	if (port_window_hide(window->base, window->bytes) &&
	    (munmap(window->base, window->bytes) ||
	     reserve_at(window, window->base, window->bytes)))
		port_panic("window of %zu bytes at %p cannot be emptied: %s", window->bytes,
			   window->base, strerror(errno));
	errno = saved;
}

static int reserve_anywhere(struct port_window *w, size_t bytes)
{
	size_t room;
	char *at, *base;

	if (check_add_overflow(bytes, PORT_WINDOW_ALIGN, &room))
		return -ENOMEM;
	at = mmap(NULL, room, PROT_NONE, RESERVED, -1, 0);
	if (at == MAP_FAILED)
		return -ENOMEM;
	base = (char *)ALIGN((uintptr_t)at, PORT_WINDOW_ALIGN);
	if (base > at)
		munmap(at, (size_t)(base - at));
	munmap(base + bytes, (size_t)(at + room - (base + bytes)));
	w->base = base;
	return 0;
}

/* A kernel that does not know MAP_FIXED_NOREPLACE takes the address for a hint. */
static int reserve_at(struct port_window *w, void *base, size_t bytes)
{
	void *at = mmap(base, bytes, PROT_NONE, RESERVED | MAP_FIXED_NOREPLACE, -1, 0);

	if (at == MAP_FAILED)
		return errno == EEXIST ? -EEXIST : -ENOMEM;
	if (at != base) {
		munmap(at, bytes);
		return -EEXIST;
	}
	w->base = base;
	return 0;
}

static int enlist(struct port_window *w)
{
	int err = 0;

	if (pthread_mutex_lock(&windows_lock))
		port_panic("windows: mutex");
	if (!windows)
		err = install(SIGSEGV, &before_segv);
	if (!windows && !err)
		err = install(SIGBUS, &before_bus);
	if (!err) {
		w->next = windows;
		port_rcu_assign(windows, w);
	}
	pthread_mutex_unlock(&windows_lock);
	return err;
}

int port_window_create(struct port_window *window, void *base, size_t bytes)
{
	struct port_window made = *window;
	int saved = errno, err;

	VM_BUG_ON(!bytes || !IS_ALIGNED(bytes, PORT_WINDOW_ALIGN) ||
		  !IS_ALIGNED((uintptr_t)base, PORT_WINDOW_ALIGN), "%zu bytes at %p", bytes, base);
	if (!CAN_TELL_ACCESS)
		return -EOPNOTSUPP;
	if (port_fail_site())
		return -ENOMEM;
	made.bytes = bytes;
	err = base ? reserve_at(&made, base, bytes) : reserve_anywhere(&made, bytes);
	if (!err) {
		*window = made;
		err = enlist(window);
		if (err)
			munmap(made.base, bytes);
	}
	errno = saved;
	return err;
}

void port_window_destroy(struct port_window *window)
{
	struct port_window **link = &windows;

	if (pthread_mutex_lock(&windows_lock))
		port_panic("windows: mutex");
	while (*link != window)
		link = &(*link)->next;
	port_rcu_assign(*link, window->next);
	if (!windows) {
		restore(SIGSEGV, &before_segv);
		restore(SIGBUS, &before_bus);
	}
	pthread_mutex_unlock(&windows_lock);
	port_synchronize_rcu();
	if (munmap(window->base, window->bytes))
		port_panic("window of %zu bytes at %p: %s", window->bytes, window->base,
			   strerror(errno));
}

unsigned long port_window_max_areas(void)
{
	int saved = errno, fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
	char text[32] = "";

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		strcpy(text, "65530");		/* Linux's default */
	if (fd >= 0)
		close(fd);
	errno = saved;
	return strtoul(text, NULL, 10);
}
