/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the guest and who runs it know of each other.  Nothing of vmarea. */
#ifndef GUEST_H
#define GUEST_H

#include <stddef.h>
#include <stdint.h>

/* What the guest asks for.  Addresses are those that it can use as they are. */
struct guest_os {
	void *(*map)(struct guest_os *os, size_t bytes);	/* zeros, or NULL */
	int (*guard)(struct guest_os *os, void *at, size_t bytes);	/* an access is an error */
};

/* Whole numbers, in order or not. */
struct guest_array {
	uint64_t *values;
	size_t nr;
	uint64_t sum;				/* of all, as they were made */
};

/* @bytes of random numbers from the guest's own memory, with a guard page behind.  0, or -1. */
int guest_make(struct guest_os *os, size_t bytes, uint64_t seed, struct guest_array *out);
void guest_sort(struct guest_array *array);
/* How many are out of order, and one more if the sum is not what it was. */
size_t guest_check(const struct guest_array *array);

/* A search tree of @nr keys in memory of its own, linked by offsets; NULL: no memory. */
void *guest_tree(struct guest_os *os, size_t nr);
/* How many of the keys are in the tree at @tree, which may be a copy at another place. */
size_t guest_tree_find(const void *tree, size_t nr);

/* Writes @value to one word in each page of part @part of @parts, and says what they sum to. */
void guest_scribble(struct guest_array *array, size_t part, size_t parts, uint64_t value);
uint64_t guest_digest(const struct guest_array *array);

/* Stores behind the end.  Does not come back if the guard is there. */
void guest_overrun(struct guest_array *array);

#endif
