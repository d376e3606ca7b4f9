/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A mutex that the library's lock checker hears of. */
#ifndef BINDER_LOCK_H
#define BINDER_LOCK_H

#include <pthread.h>
#include <vmarea/debug.h>

struct binder_lock {
	pthread_mutex_t mutex;
	struct vmarea_lock_class *class_;
	enum vmarea_lock_mode mode;		/* SPIN: nobody sleeps under it */
};

static inline void binder_lock_init(struct binder_lock *lock, struct vmarea_lock_class *class_,
				    enum vmarea_lock_mode mode)
{
	pthread_mutex_init(&lock->mutex, NULL);
	lock->class_ = class_;
	lock->mode = mode;
}

static inline void binder_lock_destroy(struct binder_lock *lock)
{
	pthread_mutex_destroy(&lock->mutex);
}

static inline void binder_lock(struct binder_lock *lock)
{
	vmarea_lock_acquiring(lock, lock->class_);
	pthread_mutex_lock(&lock->mutex);
	vmarea_lock_acquired(lock, lock->class_, lock->mode);
}

static inline bool binder_trylock(struct binder_lock *lock)
{
	if (pthread_mutex_trylock(&lock->mutex))
		return false;
	vmarea_lock_acquired(lock, lock->class_, lock->mode);
	return true;
}

static inline void binder_unlock(struct binder_lock *lock)
{
	vmarea_lock_released(lock, lock->mode);
	pthread_mutex_unlock(&lock->mutex);
}

#endif
