/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Names of anonymous areas (PR_SET_VMA_ANON_NAME): counted, never changed, compared by text. */
#include "base/atomic.h"
#include "base/str.h"
#include "port/port.h"
#include "vma/anon.h"

struct anon_name {
	u32 refs;			/* a	0: going */
	u32 bytes;			/* 1	of the whole struct */
	struct port_rcu_head rcu;	/* o	the last put */
	char text[];			/* 1 */
};

#define ANON_NAME_MAX	80u		/* with the terminating 0 */

struct anon_name *anon_name_create(const char *text)
{
	size_t bytes = sizeof(struct anon_name) + str_len(text) + 1;
	struct anon_name *name;

	might_sleep();
	name = port_alloc(bytes);
	if (name) {
		name->refs = 1;
		name->bytes = bytes;
		__builtin_memcpy(name->text, text, bytes - sizeof(*name));
	}
	return name;
}

struct anon_name *anon_name_get(struct anon_name *name)
{
	if (name) {
		u32 before = atomic_add_relaxed(&name->refs, 1);

		VM_BUG_ON(!before, "the name %s is gone", name->text);
	}
	return name;
}

static void anon_name_free(struct port_rcu_head *rcu)
{
	struct anon_name *name = container_of(rcu, struct anon_name, rcu);

	port_free(name, name->bytes);
}

void anon_name_put(struct anon_name *name)
{
	/* Pairs with itself: every use through another reference comes before the free. */
	if (name && atomic_sub_acq_rel(&name->refs, 1) == 1)
		port_call_rcu(&name->rcu, anon_name_free);
}

bool anon_name_same(const struct anon_name *a, const struct anon_name *b)
{
	return a == b || (a && b && str_eq(a->text, b->text));
}

const char *anon_name_text(const struct anon_name *name)
{
	return name->text;
}

bool anon_name_valid(const char *text)
{
	size_t len = str_len(text);

	if (len >= ANON_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c < ' ' || c > '~' || c == '\\' || c == '`' || c == '$' || c == '[' || c == ']')
			return false;
	}
	return true;
}
