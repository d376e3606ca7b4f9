/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A vma_new goes to another thread.
 *
 * tsa		calling function '__vm_flags_set' requires holding context 'vma_setup' exclusively
 * tsa		calling function '__vm_flags_set' requires holding context 'vma_stable' exclusively
 */
#include <pthread.h>

#include "misuse.h"

static void *thread(void *arg)
{
#ifdef FIXED
	(void)arg;
#else
	struct vma_new *vma = arg;

	vm_flags_set(vma, VM_DONTCOPY);
#endif
	return NULL;
}
HOOK;
static int hook(struct file *file, struct vma_new *vma)
{
	pthread_t t;

	(void)file;
	pthread_create(&t, NULL, thread, vma);
	vm_flags_set(vma, VM_IO);
	pthread_join(t, NULL);
	return 0;
}

MISUSE
{
	run_hook(m, hook, VM_READ);
}
