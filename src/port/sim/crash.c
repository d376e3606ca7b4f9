/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A segmentation fault in an execution is one of its failures: reported with the address, the place
 * and the execution's name, like all others.  Outside of an execution it is the program's own.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "port/sim/sim.h"

static void on_fault(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	const void *pc = (const void *)uc->uc_mcontext.gregs[REG_RIP];
	const void **frame = (const void **)uc->uc_mcontext.gregs[REG_RBP];
	char object[160], where[256];

	if (!sim_running()) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	sim.current->frame = frame;
	sim.crashed = true;
	heap_describe(info->si_addr, object, sizeof(object));
	port_describe_pc((const char *)pc + 1, where, sizeof(where));
	sim_fail(FAIL_MEMORY, "%s at %p (%s) by T%u %s in %s", strsignal(sig), info->si_addr,
		 object, sim.current->id, sim.current->name, where);
}

void crash_watch(void)
{
	static char stack[64 << 10];
	const stack_t alternative = { .ss_sp = stack, .ss_size = sizeof(stack) };
	/* The handler does not return: nothing stays blocked. */
	struct sigaction action = { .sa_sigaction = on_fault,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	/* Before each execution: a test's own harness may have put its handlers there since. */
	if (sigaltstack(&alternative, NULL) || sigaction(SIGSEGV, &action, NULL) ||
	    sigaction(SIGBUS, &action, NULL) || sigaction(SIGFPE, &action, NULL))
		port_panic("no handler for faults");
}
