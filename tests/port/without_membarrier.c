/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Runs a program as on a kernel that has no membarrier(2):
 *
 *	without_membarrier PROGRAM [ARGUMENTS]
 *
 * A filter of the process's own answers the call with ENOSYS.  77, the mark of a skipped test, if
 * the kernel takes no filter.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int hide_membarrier(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]), .filter = filter,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return -errno;
	return 0;
}

int main(int argc, char **argv)
{
	int err;

	if (argc < 2) {
		fprintf(stderr, "usage: without_membarrier PROGRAM [ARGUMENTS]\n");
		return 2;
	}
	err = hide_membarrier();
	if (err) {
		fprintf(stderr, "no filter for system calls: %s\n", strerror(-err));
		return 77;
	}
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) != -1 || errno != ENOSYS) {
		fprintf(stderr, "membarrier() is still there\n");
		return 3;
	}
	execv(argv[1], argv + 1);
	perror(argv[1]);
	return 2;
}
