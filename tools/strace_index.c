/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Calls of a log by a number of theirs: the task, the child.
 */
#include <stdlib.h>

#include "cli.h"
#include "strace.h"

void strace_index_open(struct strace_index *index, size_t most)
{
	*index = (struct strace_index){ .entries = cli_alloc(most * sizeof(*index->entries)) };
}

void strace_index_add(struct strace_index *index, long key, size_t call)
{
	index->entries[index->nr++] = (struct strace_index_entry){ key, call };
}

static int compare(const void *a, const void *b)
{
	const struct strace_index_entry *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->call > y->call) - (x->call < y->call);
}

void strace_index_sort(struct strace_index *index)
{
	qsort(index->entries, index->nr, sizeof(*index->entries), compare);
}

size_t strace_index_find(const struct strace_index *index, long key, size_t from)
{
	const struct strace_index_entry wanted = { key, from };
	size_t low = 0, high = index->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&index->entries[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool strace_index_has(const struct strace_index *index, size_t at, long key)
{
	return at < index->nr && index->entries[at].key == key;
}

void strace_index_free(struct strace_index *index)
{
	free(index->entries);
}
