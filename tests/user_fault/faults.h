/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A memory (tests/fault/memory.h), somebody who answers its faults, and a thread that has one. */
#ifndef TESTS_USER_FAULT_FAULTS_H
#define TESTS_USER_FAULT_FAULTS_H

#include <errno.h>

#include <vmarea/user_fault.h>

#include "../fault/memory.h"
#include "../sync/threads.h"

#define PAGE	4096ul

static inline struct user_faults *faults_make(struct memory *m, unsigned int features)
{
	struct user_faults_config config = USER_FAULTS_CONFIG_INIT;
	struct user_faults *uf;

	config.features = features;
	assert_int_equal(user_faults_create(m->s.mm, &config, &uf), 0);
	return uf;
}

static inline int faults_register(struct user_faults *uf, unsigned long page, unsigned long nr,
				  unsigned int modes)
{
	return user_faults_register(uf, at(page), nr * PAGE, modes);
}

static inline int faults_unregister(struct user_faults *uf, unsigned long page, unsigned long nr)
{
	return user_faults_unregister(uf, at(page), nr * PAGE);
}

/* @nr pages full of @value. */
static inline long faults_copy(struct user_faults *uf, unsigned long page, unsigned long nr,
			       int value, unsigned int flags)
{
	static __thread unsigned char bytes[8 * PAGE];

	memset(bytes, value, nr * PAGE);
	return user_faults_copy(uf, at(page), bytes, nr * PAGE, flags);
}

static inline long faults_zero(struct user_faults *uf, unsigned long page, unsigned long nr)
{
	return user_faults_zeropage(uf, at(page), nr * PAGE, 0);
}

/* A thread that makes one access. */
struct accessor {
	struct mm_user *mm;
	unsigned long page;
	enum mm_access access;
	enum mm_fault outcome;
	pthread_t thread;
};

static inline void *accessor_run(void *arg)
{
	struct accessor *a = arg;

	a->outcome = mm_handle_fault(a->mm, byte_at(a->page), a->access);
	return NULL;
}

static inline void accessor_start(struct accessor *a, struct memory *m, unsigned long page,
				  enum mm_access access)
{
	*a = (struct accessor){ .mm = m->s.mm, .page = page, .access = access };
	a->thread = start(accessor_run, a);
}

static inline enum mm_fault accessor_end(struct accessor *a)
{
	finish(a->thread);
	return a->outcome;
}

/* Waits for one message, of a fault at @page. */
static inline struct user_fault_msg faults_expect(struct user_faults *uf, unsigned long page)
{
	struct user_fault_msg msg;

	assert_int_equal(user_faults_read(uf, &msg, 1), 1);
	assert_int_equal(msg.event, USER_FAULT_EVENT_PAGE);
	assert_int_equal(msg.address & ~(PAGE - 1), at(page));
	return msg;
}

static inline void faults_expect_none(struct user_faults *uf)
{
	struct user_fault_msg msg;

	assert_int_equal(user_faults_try_read(uf, &msg, 1), -EAGAIN);
}

#endif
