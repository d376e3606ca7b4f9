/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A doubly linked list whose links lie inside the objects.
 *
 * A list is a ring that goes through a head, which is a link of its own in no object:
 *
 *	head <-> a <-> b <-> c <-> head
 *
 * Removal needs the object alone.  An object that is in no list has a link that points to
 * itself (list_init, list_del_init), or one that must not be looked at (list_del).
 * There is no lock in here: whoever owns the head says which one it is.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/compiler.h"

struct list_head {
	struct list_head *next;		/* o */
	struct list_head *prev;		/* o */
};

static inline void list_init(struct list_head *link)
{
	link->next = link;
	link->prev = link;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline void list_join(struct list_head *left, struct list_head *right)
{
	left->next = right;
	right->prev = left;
}

/* Puts @link right after @pos. */
static inline void list_add(struct list_head *link, struct list_head *pos)
{
	list_join(link, pos->next);
	list_join(pos, link);
}

/* Puts @link right before @pos; with the head as @pos, at the end. */
static inline void list_add_tail(struct list_head *link, struct list_head *pos)
{
	list_join(pos->prev, link);
	list_join(link, pos);
}

/* A use after this faults at an address that is in no mapping. */
#define LIST_POISON	((struct list_head *)0xdead000000000100ul)

static inline void list_del(struct list_head *link)
{
	list_join(link->prev, link->next);
	link->next = LIST_POISON;
	link->prev = LIST_POISON;
}

static inline void list_del_init(struct list_head *link)
{
	list_join(link->prev, link->next);
	list_init(link);
}

static inline void list_move_tail(struct list_head *link, struct list_head *head)
{
	list_join(link->prev, link->next);
	list_add_tail(link, head);
}

/* Moves everything in @from to the end of @to; @from is empty then. */
static inline void list_splice_tail_init(struct list_head *from, struct list_head *to)
{
	if (list_empty(from))
		return;
	list_join(to->prev, from->next);
	list_join(from->prev, to);
	list_init(from);
}

#define list_entry(link, type, member)		container_of(link, type, member)
#define list_first_entry(head, type, member)	list_entry((head)->next, type, member)
#define list_last_entry(head, type, member)	list_entry((head)->prev, type, member)
#define list_next_entry(pos, member)						\
	list_entry((pos)->member.next, __typeof__(*(pos)), member)
#define list_prev_entry(pos, member)						\
	list_entry((pos)->member.prev, __typeof__(*(pos)), member)

#define list_for_each_entry(pos, head, member)					\
	for (pos = list_first_entry(head, __typeof__(*pos), member);		\
	     &pos->member != (head);						\
	     pos = list_next_entry(pos, member))

#define list_for_each_entry_reverse(pos, head, member)				\
	for (pos = list_last_entry(head, __typeof__(*pos), member);		\
	     &pos->member != (head);						\
	     pos = list_prev_entry(pos, member))

/* The body may remove pos: the one after it is kept in tmp. */
#define list_for_each_entry_safe(pos, tmp, head, member)			\
	for (pos = list_first_entry(head, __typeof__(*pos), member),		\
	     tmp = list_next_entry(pos, member);				\
	     &pos->member != (head);						\
	     pos = tmp, tmp = list_next_entry(tmp, member))

#endif
