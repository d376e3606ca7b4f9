/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Buffers in a page range.
 *
 * Terms.  A *piece* is a run of bytes of the range, free or used; pieces lie side by side and fill
 * it.  A used one is a *buffer*.
 *
 *	list	| used | free       | used | used | free                    |	by offset
 *	free	the free ones, by (size, offset)
 *
 * Rules.
 *	R1  A buffer's size is the sum of its parts, each rounded up to 8; nothing has 8 bytes, too, so
 *	    that each buffer has an offset of its own.
 *	R2  Best fit: the smallest free piece that is large enough, of these the first.  What is left
 *	    of it stays free.
 *	R3  No two free pieces are neighbours.
 *	R4  Those that nobody waits for (one-way) have half of the range at most, together: a flood
 *	    of them leaves room for calls that are waited for.
 *	R5  Spam: less than a fifth of that half is left (a tenth of the range), and the sender of this
 *	    one has more than 50 such buffers, or more than half of it (a quarter of the range).  It
 *	    is said once, of a buffer that is handed out, and again after there was room.
 *	R6  A buffer uses all pages that it has a byte of, from before it is handed out until it is
 *	    freed.  Two buffers in one page use it twice, so nobody asks what neighbours do.
 *
 * Locking.  The space lock guards pieces and counts.  It is inside of the mmap lock (the mmap() hook
 * comes with that), and so it is not held while pages are brought: a piece is taken, its pages are
 * used, and if that fails the piece is given back.  What the piece needs is allocated before.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "lock.h"
#include "space.h"
#include "tree.h"

#define SPAM_BUFFERS	50ul

struct binder_buffer {
	struct tree_node node;			/* in the tree if free; key is the size */
	TAILQ_ENTRY(binder_buffer) link;
	size_t bytes;
	bool used;
	/* Of a used one. */
	bool oneway, clear, spam;
	long sender;
};

struct binder_space {
	struct binder_range *range;		/* once */
	struct binder_lock lock;
	/* All that follows: lock. */
	TAILQ_HEAD(piece_list, binder_buffer) list;
	struct tree_node *free;
	size_t bytes;				/* of all pieces; 0: not mapped yet */
	size_t oneway_left;
	bool spam_told;
	uint64_t random;
	struct binder_buffer *first;		/* made before there is anything to give */
};

static struct vmarea_lock_class space_class = VMAREA_LOCK_CLASS("binder space lock");

static struct binder_buffer *buffer_of(struct tree_node *node)
{
	/* The node is the first member. */
	return (struct binder_buffer *)(void *)node;
}

/* ---------------------------------------------------------------------- pieces -- */

/* xorshift64: the shape of the tree is nobody's to choose. */
static uint64_t draw(struct binder_space *space)
{
	space->random ^= space->random << 13;
	space->random ^= space->random >> 7;
	space->random ^= space->random << 17;
	return space->random;
}

static void insert_free(struct binder_space *space, struct binder_buffer *piece)
{
	piece->used = false;
	piece->node.key = piece->bytes;
	piece->node.priority = draw(space);
	tree_insert(&space->free, &piece->node);
}

/* R2.  *spare becomes what is left, and NULL, if something is. */
static struct binder_buffer *take_piece(struct binder_space *space, size_t bytes,
					struct binder_buffer **spare)
{
	struct tree_node *node = tree_from(space->free, bytes, 0);
	struct binder_buffer *piece, *rest = *spare;

	if (!node)
		return NULL;
	piece = buffer_of(node);
	tree_remove(&space->free, node);
	if (piece->bytes > bytes) {
		rest->node.offset = piece->node.offset + bytes;
		rest->bytes = piece->bytes - bytes;
		piece->bytes = bytes;
		TAILQ_INSERT_AFTER(&space->list, piece, rest, link);
		insert_free(space, rest);
		*spare = NULL;
	}
	piece->used = true;
	return piece;
}

/* R3.  The free piece @right becomes a part of @left, and is returned to be freed. */
static struct binder_buffer *join(struct binder_space *space, struct binder_buffer *left,
				  struct binder_buffer *right)
{
	left->bytes += right->bytes;
	TAILQ_REMOVE(&space->list, right, link);
	return right;
}

/* Up to two pieces are left over, for the caller to free(). */
static void give_piece(struct binder_space *space, struct binder_buffer *piece,
		       struct binder_buffer *left_over[2])
{
	struct binder_buffer *next = TAILQ_NEXT(piece, link);
	struct binder_buffer *prev = TAILQ_PREV(piece, piece_list, link);

	if (next && !next->used) {
		tree_remove(&space->free, &next->node);
		left_over[0] = join(space, piece, next);
	}
	if (prev && !prev->used) {
		tree_remove(&space->free, &prev->node);
		left_over[1] = join(space, prev, piece);
		piece = prev;
	}
	insert_free(space, piece);
}

/* --------------------------------------------------------------------- buffers -- */

/* R1.  False: it is no number. */
static bool add_part(size_t *bytes, size_t part)
{
	return !__builtin_add_overflow(*bytes, part, bytes) &&
	       !__builtin_add_overflow(*bytes, -*bytes % BINDER_ALIGN, bytes);
}

static size_t request_bytes(const struct binder_request *request)
{
	size_t bytes = 0;

	if (!add_part(&bytes, request->data_bytes) || !add_part(&bytes, request->offsets_bytes) ||
	    !add_part(&bytes, request->extra_bytes))
		return 0;
	return bytes ? bytes : BINDER_ALIGN;
}

/* R5. */
static bool floods(struct binder_space *space, long sender)
{
	unsigned long nr = 0;
	size_t bytes = 0;
	struct binder_buffer *piece;

	TAILQ_FOREACH(piece, &space->list, link) {
		if (piece->used && piece->oneway && piece->sender == sender) {
			nr++;
			bytes += piece->bytes;
		}
	}
	return nr > SPAM_BUFFERS || bytes > space->bytes / 4;
}

static void count_oneway(struct binder_space *space, struct binder_buffer *buffer)
{
	space->oneway_left -= buffer->bytes;
	if (space->oneway_left >= space->bytes / 10) {
		space->spam_told = false;
		return;
	}
	if (!space->spam_told && floods(space, buffer->sender))
		space->spam_told = buffer->spam = true;
}

static int alloc_locked(struct binder_space *space, const struct binder_request *request,
			size_t bytes, struct binder_buffer **spare, struct binder_buffer **out)
{
	struct binder_buffer *buffer;

	if (!space->bytes)
		return -ESRCH;
	if (request->oneway && bytes > space->oneway_left)
		return -ENOSPC;					/* R4 */
	buffer = take_piece(space, bytes, spare);
	if (!buffer)
		return -ENOSPC;
	buffer->oneway = request->oneway;
	buffer->clear = request->clear;
	buffer->sender = request->sender;
	buffer->spam = false;
	if (buffer->oneway)
		count_oneway(space, buffer);
	*out = buffer;
	return 0;
}

static unsigned long first_page(const struct binder_buffer *buffer)
{
	return buffer->node.offset / BINDER_PAGE;
}

static unsigned long end_page(const struct binder_buffer *buffer)
{
	return (buffer->node.offset + buffer->bytes + BINDER_PAGE - 1) / BINDER_PAGE;
}

static void give_back(struct binder_space *space, struct binder_buffer *buffer)
{
	struct binder_buffer *left_over[2] = { NULL, NULL };

	binder_lock(&space->lock);
	if (buffer->oneway)
		space->oneway_left += buffer->bytes;
	give_piece(space, buffer, left_over);
	binder_unlock(&space->lock);
	free(left_over[0]);
	free(left_over[1]);
}

/* Of a buffer that is not handed out: nobody has heard it. */
static void unsay_spam(struct binder_space *space, const struct binder_buffer *buffer)
{
	if (!buffer->spam)
		return;
	binder_lock(&space->lock);
	space->spam_told = false;
	binder_unlock(&space->lock);
}

int binder_space_alloc(struct binder_space *space, const struct binder_request *request,
		       struct binder_buffer **out)
{
	size_t bytes = request_bytes(request);
	struct binder_buffer *spare, *buffer = NULL;
	int err;

	if (!bytes)
		return -EINVAL;
	spare = calloc(1, sizeof(*spare));
	if (!spare)
		return -ENOMEM;
	binder_lock(&space->lock);
	err = alloc_locked(space, request, bytes, &spare, &buffer);
	binder_unlock(&space->lock);
	free(spare);
	if (err)
		return err;
	err = binder_range_use(space->range, first_page(buffer), end_page(buffer));	/* R6 */
	if (err) {
		unsay_spam(space, buffer);
		give_back(space, buffer);
		return err;
	}
	*out = buffer;
	return 0;
}

/* Its pages may outlive it, and the process: somebody may have them pinned. */
static void clear_if_asked(struct binder_space *space, const struct binder_buffer *buffer)
{
	if (buffer->clear)
		binder_range_clear(space->range, buffer->node.offset, buffer->bytes);
}

void binder_space_free(struct binder_space *space, struct binder_buffer *buffer)
{
	unsigned long first = first_page(buffer), end = end_page(buffer);

	clear_if_asked(space, buffer);
	give_back(space, buffer);
	binder_range_stop(space->range, first, end);
}

unsigned long binder_buffer_offset(const struct binder_buffer *buffer)
{
	return buffer->node.offset;
}

size_t binder_buffer_bytes(const struct binder_buffer *buffer)
{
	return buffer->bytes;
}

bool binder_buffer_is_spam(const struct binder_buffer *buffer)
{
	return buffer->spam;
}

/* ---------------------------------------------------------- beginning and end -- */

int binder_space_create(struct binder_range *range, struct binder_space **out)
{
	struct binder_space *space = calloc(1, sizeof(*space));
	struct binder_buffer *first = calloc(1, sizeof(*first));

	if (!space || !first) {
		free(space);
		free(first);
		return -ENOMEM;
	}
	space->range = range;
	space->random = 0x9e3779b97f4a7c15u ^ (uintptr_t)space;
	space->first = first;
	TAILQ_INIT(&space->list);
	binder_lock_init(&space->lock, &space_class, VMAREA_LOCK_EXCLUSIVE);
	*out = space;
	return 0;
}

void binder_space_mapped(struct binder_space *space)
{
	struct binder_buffer *first = space->first;

	binder_lock(&space->lock);
	space->bytes = binder_range_nr_pages(space->range) * BINDER_PAGE;
	space->oneway_left = space->bytes / 2;
	space->first = NULL;
	first->bytes = space->bytes;
	TAILQ_INSERT_HEAD(&space->list, first, link);
	insert_free(space, first);
	binder_unlock(&space->lock);
}

void binder_space_destroy(struct binder_space *space)
{
	struct binder_buffer *piece, *next;

	for (piece = TAILQ_FIRST(&space->list); piece; piece = next) {
		next = TAILQ_NEXT(piece, link);
		if (piece->used) {
			clear_if_asked(space, piece);
			binder_range_stop(space->range, first_page(piece), end_page(piece));
		}
		free(piece);
	}
	free(space->first);
	binder_lock_destroy(&space->lock);
	free(space);
}

/* --------------------------------------------------------------------- for tests -- */

/* A free piece is in the tree, in its place. */
static bool is_filed(const struct binder_space *space, struct binder_buffer *piece)
{
	return piece->used || (piece->node.key == piece->bytes &&
			       tree_from(space->free, piece->bytes, piece->node.offset) ==
			       &piece->node);
}

static int check_locked(struct binder_space *space, struct binder_space_stats *out)
{
	struct binder_space_stats s = { .oneway_left = space->oneway_left };
	struct binder_buffer *piece, *prev = NULL;
	size_t oneway = 0, offset = 0;

	TAILQ_FOREACH(piece, &space->list, link) {
		if (piece->node.offset != offset || !piece->bytes || piece->bytes % BINDER_ALIGN ||
		    !is_filed(space, piece))
			return -EINVAL;
		if (piece->used) {
			s.nr_used++;
			oneway += piece->oneway ? piece->bytes : 0;
		} else {
			s.nr_free++;
			if (piece->bytes > s.largest_free)
				s.largest_free = piece->bytes;
			if (prev && !prev->used)
				return -EINVAL;			/* R3 */
		}
		offset += piece->bytes;
		prev = piece;
	}
	if (offset != space->bytes || oneway + space->oneway_left != space->bytes / 2)
		return -EINVAL;
	*out = s;
	return 0;
}

int binder_space_check(struct binder_space *space, struct binder_space_stats *out)
{
	int err;

	binder_lock(&space->lock);
	err = check_locked(space, out);
	binder_unlock(&space->lock);
	return err;
}
