/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The walker over all invariants of a page index; their numbers are those of page_index.c. */
#include "base/str.h"
#include "ds/page_index.h"

struct pi_walk {
	unsigned long nr;			/* entries counted */
	struct text why;
};

static bool complain(struct pi_walk *w, const char *what, unsigned long index)
{
	text_str(&w->why, what);
	text_str(&w->why, ": ");
	text_hex(&w->why, index);
	return false;
}

static bool check_child(struct pi_walk *w, const struct pi_node *node, unsigned int slot,
			unsigned long index)
{
	const struct pi_node *child = node->slots[slot];

	if (child->shift + PI_BITS != node->shift)
		return complain(w, "1: shift", index);
	if (child->parent != node || child->offset != slot)
		return complain(w, "1: the way back", index);
	for (unsigned int mark = 0; mark < PI_MARKS; mark++)
		if (!(node->marks[mark] & BIT(slot)) != !child->marks[mark])
			return complain(w, "3: a mark is not that of the child", index);
	return true;
}

/* As deep as the tree: at most PI_LEVELS. */
static bool check_node(struct pi_walk *w, const struct pi_node *node, unsigned long base)
{
	if (!node->marks[PI_PRESENT])
		return complain(w, "4: an empty node", base);
	for (unsigned int slot = 0; slot < PI_FANOUT; slot++) {
		unsigned long index = base + ((unsigned long)slot << node->shift);

		if (!(node->marks[PI_PRESENT] & BIT(slot)) != !node->slots[slot])
			return complain(w, "2: present or not", index);
		if (!node->slots[slot]) {
			for (unsigned int mark = PI_MARK_0; mark < PI_MARKS; mark++)
				if (node->marks[mark] & BIT(slot))
					return complain(w, "3: a mark of nothing", index);
			continue;
		}
		if (!node->shift)
			w->nr++;
		else if (!check_child(w, node, slot, index) ||
			 !check_node(w, node->slots[slot], index))
			return false;
	}
	return true;
}

bool pi_check(const struct page_index *pi, char *why, size_t why_bytes)
{
	struct pi_walk w = { .why = text_in(why, why_bytes) };
	const struct pi_node *root = pi->root;

	if (root && (root->parent || root->shift > (PI_LEVELS - 1) * PI_BITS))
		return complain(&w, "1: root", root->shift);
	if (root && root->shift && root->marks[PI_PRESENT] == 1)
		return complain(&w, "4: root with slot 0 only", root->shift);
	if (root && !check_node(&w, root, 0))
		return false;
	if (w.nr != pi->nr)
		return complain(&w, "5: entries", w.nr);
	return true;
}
