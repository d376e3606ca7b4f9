/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What an emulator needs to know about its guest's memory, in an afternoon.
 *
 *	cc tracker.c $(pkg-config --cflags --libs vmarea) -o tracker
 *
 * The guest's memory is a window of the emulator's own.  The address space keeps what the guest was
 * told; the host's mappings follow it.  They are not the same: here a page with translated code is
 * read-only for the host while the guest may write, to notice when it does.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <vmarea/vmarea.h>

#define PAGE	4096ul
#define WINDOW	(16ul << 20)

static struct vmarea *machine;
static struct mm_user *guest;

/* ---- the guest's system calls: what it is told first, then the host's mapping, or both undone. */

static long guest_mmap(unsigned long addr, unsigned long len, int prot, int flags)
{
	long ret = mm_mmap(guest, addr, len, (unsigned long)prot, (unsigned long)flags, NULL, 0);

	if (ret > 0 && mmap((void *)ret, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			    0) == MAP_FAILED) {
		mm_munmap(guest, (unsigned long)ret, len);
		return -ENOMEM;
	}
	return ret;
}

static long guest_munmap(unsigned long addr, unsigned long len)
{
	long ret = mm_munmap(guest, addr, len);

	/* The window stays ours: what the guest gave back, nobody else gets. */
	if (!ret && mmap((void *)addr, len, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
		abort();
	return ret;
}

static long guest_mprotect(unsigned long addr, unsigned long len, int prot)
{
	long ret = mm_mprotect(guest, addr, len, (unsigned long)prot);

	return !ret && mprotect((void *)addr, len, prot) ? -errno : ret;
}

/* ---- a fault: the emulator's own doing, or the guest's? */

static sigjmp_buf guest_faulted;
static volatile sig_atomic_t invalidated, guest_code;

static void on_segv(int sig, siginfo_t *info, void *context)
{
	unsigned long addr = (unsigned long)info->si_addr;
	struct area_info area;

	(void)sig, (void)context;
	/* It may have interrupted a memory call: these two questions can be asked all the same. */
	if (mm_range_ok(guest, addr, 1, PROT_WRITE)) {
		invalidated++;
		if (!mprotect((void *)(addr & ~(PAGE - 1)), PAGE, PROT_READ | PROT_WRITE))
			return;
	}
	guest_code = SEGV_MAPERR;
	if (!mm_query(guest, addr, &area)) {
		guest_code = SEGV_ACCERR;
		area_info_put(&area);
	}
	siglongjmp(guest_faulted, 1);
}

/* 0, or the si_code that the guest's handler would see. */
static int guest_write(unsigned long addr)
{
	if (sigsetjmp(guest_faulted, 1))
		return guest_code;
	*(volatile char *)addr = 1;
	return 0;
}

/* ---- */

static void expect(const char *what, long got, long want)
{
	printf("%-38s %ld\n", what, got);
	if (got != want) {
		fprintf(stderr, "%s: expected %ld\n", what, want);
		exit(1);
	}
}

static void start(unsigned long window)
{
	struct sigaction action = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct mm_config mm = MM_CONFIG_INIT;

	/* No address outside of the window is ever handed out, or accepted. */
	config.mmap_min_addr = config.lsm_mmap_min_addr = window;
	mm.task_size = mm.mmap_base = window + WINDOW;
	mm.mmap_legacy_base = window;
	if (vmarea_create(&config, &machine) || mm_create(machine, &mm, &guest))
		exit(1);
	sigaction(SIGSEGV, &action, NULL);
}

static void in_child(unsigned long addr)
{
	expect("child: unmaps a page", guest_munmap(addr, PAGE), 0);
	expect("child: writes there", guest_write(addr), SEGV_MAPERR);
	fflush(stdout);
	_exit(0);
}

int main(void)
{
	void *window = mmap(NULL, WINDOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			    0);
	unsigned long addr;
	int status = -1;

	if (window == MAP_FAILED)
		return 1;
	start((unsigned long)window);
	addr = (unsigned long)guest_mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS);
	expect("guest maps 4 pages below the top", (long)(addr - (unsigned long)window),
	       WINDOW - 4 * PAGE);
	expect("guest writes", guest_write(addr), 0);
	expect("guest maps outside", guest_mmap(0x10000, PAGE, PROT_READ,
						MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED), -EPERM);
	expect("guest protects the second page", guest_mprotect(addr + PAGE, PAGE, PROT_READ), 0);
	expect("guest writes to it", guest_write(addr + PAGE), SEGV_ACCERR);
	expect("guest unmaps the third", guest_munmap(addr + 2 * PAGE, PAGE), 0);
	expect("guest writes to that", guest_write(addr + 2 * PAGE), SEGV_MAPERR);
	expect("all four writable?", mm_range_ok(guest, addr, 4 * PAGE, PROT_WRITE), 0);

	/* Code was translated from the fourth page. */
	mprotect((void *)(addr + 3 * PAGE), PAGE, PROT_READ);
	expect("guest writes over translated code", guest_write(addr + 3 * PAGE), 0);
	expect("translations thrown away", invalidated, 1);

	/* The guest forks, and so do we: the child has its own copy of all of this. */
	fflush(stdout);
	if (!fork())
		in_child(addr);
	wait(&status);
	expect("child's status", status, 0);
	expect("parent: still writable", mm_range_ok(guest, addr, PAGE, PROT_WRITE), 1);
	mmput(guest);
	vmarea_destroy(machine);
	return 0;
}
