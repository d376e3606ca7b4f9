/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The lock checker, as debug.h offers it to drivers: in a release build it is a door to nothing. */
#include <vmarea/debug.h>

#include "base/atomic.h"
#include "sync/witness.h"

_Static_assert((int)VMAREA_LOCK_SHARED == WITNESS_SHARED &&
	       (int)VMAREA_LOCK_EXCLUSIVE == WITNESS_EXCLUSIVE &&
	       (int)VMAREA_LOCK_SPIN == WITNESS_SPIN, "the same modes");

#ifdef CONFIG_VMAREA_DEBUG

/* Relaxed: whoever comes first, the name gives everybody the same number. */
static u32 class_of(struct vmarea_lock_class *class)
{
	u32 id = atomic_load_relaxed(&class->id);

	if (unlikely(!id)) {
		id = witness_class(class->name);
		atomic_store_relaxed(&class->id, id);
	}
	return id;
}

#else

static u32 class_of(struct vmarea_lock_class *class)
{
	return LOCK_RANK_NONE;
}

#endif

void vmarea_lock_class_init(struct vmarea_lock_class *class, const char *name)
{
	class->name = name;
	class->id = 0;
}

void vmarea_lock_acquiring_at(const void *lock, struct vmarea_lock_class *class,
			      unsigned int subclass, const char *place)
{
	witness_before(lock, class_of(class), subclass, place);
}

void vmarea_lock_acquired_at(const void *lock, struct vmarea_lock_class *class,
			     unsigned int subclass, enum vmarea_lock_mode mode, const char *place)
{
	witness_after(lock, class_of(class), subclass, (enum witness_mode)mode, place);
}

void vmarea_lock_released_at(const void *lock, enum vmarea_lock_mode mode, const char *place)
{
	witness_release(lock, NULL, (enum witness_mode)mode, place);
}
