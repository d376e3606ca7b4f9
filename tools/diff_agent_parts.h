/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the parts of the agent share: the kernel without a C library, ways to end, and accesses that
 * may fault (diff_agent_touch.c).
 */
#ifndef DIFF_AGENT_PARTS_H
#define DIFF_AGENT_PARTS_H

#include "diff_agent.h"

/* ------------------------------------------------------------- the kernel, without a library -- */

enum {
	NR_read = 0, NR_write = 1, NR_open = 2, NR_close = 3, NR_poll = 7, NR_lseek = 8,
	NR_mmap = 9, NR_mprotect = 10, NR_munmap = 11, NR_brk = 12, NR_rt_sigaction = 13,
	NR_ioctl = 16, NR_pread64 = 17, NR_pwrite64 = 18, NR_mremap = 25, NR_msync = 26,
	NR_mincore = 27,
	NR_madvise = 28, NR_shmat = 30, NR_dup2 = 33, NR_getpid = 39, NR_clone = 56, NR_exit = 60,
	NR_kill = 62, NR_shmdt = 67, NR_fcntl = 72, NR_fsync = 74, NR_ftruncate = 77,
	NR_capset = 126, NR_personality = 135, NR_mlock = 149, NR_munlock = 150, NR_mlockall = 151,
	NR_munlockall = 152, NR_prctl = 157, NR_futex = 202, NR_remap_file_pages = 216,
	NR_prlimit64 = 302, NR_process_vm_readv = 310, NR_process_vm_writev = 311,
	NR_fallocate = 285, NR_mlock2 = 325, NR_pkey_mprotect = 329, NR_pidfd_open = 434,
	NR_process_madvise = 440, NR_mseal = 462,
};

static inline long sys6(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
			uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define sys5(nr, a, b, c, d, e)	sys6((nr), (a), (b), (c), (d), (e), 0)
#define sys4(nr, a, b, c, d)	sys6((nr), (a), (b), (c), (d), 0, 0)
#define sys3(nr, a, b, c)	sys6((nr), (a), (b), (c), 0, 0, 0)
#define sys2(nr, a, b)		sys6((nr), (a), (b), 0, 0, 0, 0)
#define sys1(nr, a)		sys6((nr), (a), 0, 0, 0, 0, 0)
#define sys0(nr)		sys6((nr), 0, 0, 0, 0, 0, 0)
#define ptr(p)			((uint64_t)(uintptr_t)(p))

/* ------------------------------------------------------------------------ diff_agent.c -- */

enum { PAGE = 4096 };
enum { SIG_TRAP = 5, SIG_BUS = 7, SIG_SEGV = 11, SIG_CHLD = 17 };

static struct agent_shared *const shared = (void *)AGENT_SHARED_ADDR;

_Noreturn void leave(void);
/* For the program, and for the other processes. */
void set_status(uint32_t status);
/* A call of the agent's own has failed: no business of the library's. */
_Noreturn void broken(uint32_t line, long result);

#define MUST(call)	({ long _r = (call); if (_r < 0) broken(__LINE__, _r); _r; })

/* ------------------------------------------------------------------ diff_agent_touch.c -- */

/* From here on signals of accesses are results, and all others the end. */
void catch_faults(void);
/* enum touch_result. */
long touch(uint64_t addr, uint64_t kind);
/* OP_LOAD, with a @store of 0, and OP_STORE.  A load leaves what it found in loaded. */
long access(uint64_t addr, uint64_t bytes, const uint64_t *store);
extern uint64_t loaded;
/* Of its bytes; 0: it cannot be read. */
uint64_t hash_page(uint64_t addr);

#endif
