/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A program that knows nothing of the library: a shared object with no undefined symbol, compiled
 * without its headers.  It loads and stores, and all its memory comes from struct guest_os.
 */
#include "guest.h"

#define PAGE	4096u

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

int guest_make(struct guest_os *os, size_t bytes, uint64_t seed, struct guest_array *out)
{
	char *memory = os->map(os, bytes + PAGE);

	if (!memory || os->guard(os, memory + bytes, PAGE))
		return -1;
	out->values = (uint64_t *)memory;
	out->nr = bytes / sizeof(uint64_t);
	out->sum = 0;
	for (size_t i = 0; i < out->nr; i++) {
		out->values[i] = next_random(&seed);
		out->sum += out->values[i];
	}
	return 0;
}

/* ---------------------------------------------------------------------------------- sort -- */

static void insertion_sort(uint64_t *v, size_t nr)
{
	for (size_t i = 1; i < nr; i++) {
		uint64_t moved = v[i];
		size_t at = i;

		for (; at && v[at - 1] > moved; at--)
			v[at] = v[at - 1];
		v[at] = moved;
	}
}

static uint64_t median(uint64_t a, uint64_t b, uint64_t c)
{
	if (a > b)
		return median(b, a, c);
	return c <= a ? a : c < b ? c : b;
}

/* Those below @pivot to the left; returns where the right part starts. */
static size_t partition(uint64_t *v, size_t nr, uint64_t pivot)
{
	size_t low = 0, high = nr - 1;

	for (;;) {
		uint64_t kept;

		while (v[low] < pivot)
			low++;
		while (v[high] > pivot)
			high--;
		if (low >= high)
			return high + 1;
		kept = v[low];
		v[low++] = v[high];
		v[high--] = kept;
	}
}

static void quick_sort(uint64_t *v, size_t nr)
{
	while (nr > 24) {
		size_t right = partition(v, nr, median(v[0], v[nr / 2], v[nr - 1]));

		if (right == nr)
			break;
		/* The larger part in the loop, so that the stack stays small. */
		if (right < nr - right) {
			quick_sort(v, right);
			v += right;
			nr -= right;
		} else {
			quick_sort(v + right, nr - right);
			nr = right;
		}
	}
	insertion_sort(v, nr);
}

void guest_sort(struct guest_array *array)
{
	quick_sort(array->values, array->nr);
}

size_t guest_check(const struct guest_array *array)
{
	uint64_t sum = array->nr ? array->values[0] : 0;
	size_t wrong = 0;

	for (size_t i = 1; i < array->nr; i++) {
		wrong += array->values[i - 1] > array->values[i];
		sum += array->values[i];
	}
	return wrong + (sum != array->sum);
}

/* ---------------------------------------------------------------------------------- tree -- */

/* Links are indices into the same array, 0 for none: good wherever the array appears. */
struct node {
	uint64_t key;
	uint32_t child[2];
};

static void tree_insert(struct node *nodes, uint32_t which)
{
	uint32_t at = 1;

	while (at != which) {
		uint32_t *link = &nodes[at].child[nodes[which].key > nodes[at].key];

		if (!*link)
			*link = which;
		at = *link;
	}
}

void *guest_tree(struct guest_os *os, size_t nr)
{
	struct node *nodes = os->map(os, (nr + 1) * sizeof(*nodes));
	uint64_t state = nr;

	for (uint32_t i = 1; nodes && i <= nr; i++) {
		nodes[i].key = next_random(&state);
		tree_insert(nodes, i);
	}
	return nodes;
}

size_t guest_tree_find(const void *tree, size_t nr)
{
	const struct node *nodes = tree;
	uint64_t state = nr;
	size_t found = 0;

	for (size_t i = 0; i < nr; i++) {
		uint64_t key = next_random(&state);
		uint32_t at = 1;

		while (at && nodes[at].key != key)
			at = nodes[at].child[key > nodes[at].key];
		found += at != 0;
	}
	return found;
}

/* ---------------------------------------------------------------------- after a fork, errors -- */

void guest_scribble(struct guest_array *array, size_t part, size_t parts, uint64_t value)
{
	const size_t step = PAGE / sizeof(uint64_t);

	for (size_t i = array->nr / parts * part; i < array->nr / parts * (part + 1); i += step)
		array->values[i] = value + i;
}

uint64_t guest_digest(const struct guest_array *array)
{
	uint64_t digest = 0;

	for (size_t i = 0; i < array->nr; i++)
		digest = (digest ^ array->values[i]) * 0x9e3779b97f4a7c15u;
	return digest;
}

void guest_overrun(struct guest_array *array)
{
	for (size_t i = array->nr - 1;; i++)
		((volatile uint64_t *)array->values)[i] = 0;
}
