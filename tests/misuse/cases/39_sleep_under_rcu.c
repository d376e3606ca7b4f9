/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vm_insert_page() allocates page tables; not under rcu_read_lock().
 *
 * tsa22	cannot call function 'vm_insert_page' while context 'atomic_context' is held
 */
#include "misuse.h"

MISUSE
{
	struct vma_mixedmap *mixed;
	struct vma_ref *vma;

	rcu_read_lock();
	vma = lock_vma_under_rcu(mm, MIXED);
#ifdef FIXED
	rcu_read_unlock();
#endif
	if (vma) {
		mixed = vma_as_mixedmap(vma);
		if (mixed)
			sink = vm_insert_page(mixed, MIXED, a_page);
		vma_end_read(vma);
	}
#ifndef FIXED
	rcu_read_unlock();
#endif
}
