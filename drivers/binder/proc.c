/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One process's end of Binder: its range, its buffers, and what has been sent to it.
 *
 * A delivery is in one of two lists: `inbox` until it is received, then `read` until the receiver
 * says that it is done.  What a receiver may give back is only what it has received: an address is
 * a word of the process's, and is looked up in `read`.
 *
 * The proc lock guards both lists and is innermost here: buffers are made and freed outside of it.
 *
 * A proc lives for its file, and for those who send to it.  When the file goes, the process can have
 * no mapping any more, and what is sent then is refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "binder.h"
#include "lock.h"

struct parcel {
	TAILQ_ENTRY(parcel) link;
	struct binder_buffer *buffer;
	struct binder_delivery delivery;
};

TAILQ_HEAD(parcel_list, parcel);

struct binder_proc {
	unsigned int refs;			/* atomic */
	struct binder_range *range;		/* once */
	struct binder_space *space;		/* once */
	struct binder_lock lock;
	struct parcel_list inbox, read;		/* lock */
	bool closed;				/* lock */
};

static struct vmarea_lock_class proc_class = VMAREA_LOCK_CLASS("binder proc lock");

/* ------------------------------------------------------------------ beginning and end -- */

int binder_proc_create(struct binder_pool *pool, struct mm_struct *mm,
		       const struct binder_range_ops *ops, struct binder_proc **out)
{
	struct binder_proc *proc = calloc(1, sizeof(*proc));
	int err;

	if (!proc)
		return -ENOMEM;
	err = binder_range_create(pool, mm, ops, &proc->range);
	if (err)
		goto out_proc;
	err = binder_space_create(proc->range, &proc->space);
	if (err)
		goto out_range;
	proc->refs = 1;
	TAILQ_INIT(&proc->inbox);
	TAILQ_INIT(&proc->read);
	binder_lock_init(&proc->lock, &proc_class, VMAREA_LOCK_EXCLUSIVE);
	*out = proc;
	return 0;
out_range:
	binder_range_destroy(proc->range);
out_proc:
	free(proc);
	return err;
}

struct binder_proc *binder_proc_get(struct binder_proc *proc)
{
	__atomic_fetch_add(&proc->refs, 1, __ATOMIC_RELAXED);
	return proc;
}

static void parcels_free(struct parcel_list *list)
{
	struct parcel *parcel, *next;

	for (parcel = TAILQ_FIRST(list); parcel; parcel = next) {
		next = TAILQ_NEXT(parcel, link);
		free(parcel);
	}
}

void binder_proc_put(struct binder_proc *proc)
{
	/* What each user did is done before the last one takes it apart. */
	if (__atomic_fetch_sub(&proc->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	parcels_free(&proc->inbox);
	parcels_free(&proc->read);
	binder_space_destroy(proc->space);
	binder_range_destroy(proc->range);
	binder_lock_destroy(&proc->lock);
	free(proc);
}

/* -------------------------------------------------------------------------- hooks -- */

static int proc_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook;
static void proc_release(struct file *file) __may_sleep;

static int proc_mmap(struct file *file, struct vma_new *vma)
{
	struct binder_proc *proc = file_private_data(file);
	int err = binder_range_mmap(proc->range, file, vma);

	if (!err)
		binder_space_mapped(proc->space);
	return err;
}

static void proc_release(struct file *file)
{
	struct binder_proc *proc = file_private_data(file);

	binder_lock(&proc->lock);
	proc->closed = true;
	binder_unlock(&proc->lock);
	binder_range_file_gone(proc->range);
	binder_proc_put(proc);
}

const struct file_operations binder_file_ops = {
	.owner = "binder", .mmap = proc_mmap, .release = proc_release,
};

/* ------------------------------------------------------------------- transactions -- */

static struct binder_delivery describe(struct binder_proc *target,
				       const struct binder_message *message,
				       const struct binder_buffer *buffer)
{
	return (struct binder_delivery){
		.address = binder_range_start(target->range) + binder_buffer_offset(buffer),
		.bytes = message->bytes, .sender = message->sender,
		.spam = binder_buffer_is_spam(buffer),
	};
}

static bool post(struct binder_proc *target, struct parcel *parcel)
{
	bool closed;

	binder_lock(&target->lock);
	closed = target->closed;
	if (!closed)
		TAILQ_INSERT_TAIL(&target->inbox, parcel, link);
	binder_unlock(&target->lock);
	return !closed;
}

int binder_send(struct binder_proc *target, const struct binder_message *message)
{
	struct binder_request request = {
		.data_bytes = message->bytes, .oneway = message->oneway, .clear = message->clear,
		.sender = message->sender,
	};
	struct parcel *parcel = calloc(1, sizeof(*parcel));
	int err;

	if (!parcel)
		return -ENOMEM;
	err = binder_space_alloc(target->space, &request, &parcel->buffer);
	if (err) {
		free(parcel);
		return err;
	}
	binder_range_write(target->range, binder_buffer_offset(parcel->buffer), message->data,
			   message->bytes);
	parcel->delivery = describe(target, message, parcel->buffer);
	if (post(target, parcel))
		return 0;
	binder_space_free(target->space, parcel->buffer);
	free(parcel);
	return -ESRCH;
}

bool binder_receive(struct binder_proc *proc, struct binder_delivery *out)
{
	struct parcel *parcel;

	binder_lock(&proc->lock);
	parcel = TAILQ_FIRST(&proc->inbox);
	if (parcel) {
		TAILQ_REMOVE(&proc->inbox, parcel, link);
		TAILQ_INSERT_TAIL(&proc->read, parcel, link);
		*out = parcel->delivery;
	}
	binder_unlock(&proc->lock);
	return parcel;
}

static struct parcel *take_read(struct binder_proc *proc, unsigned long address)
{
	struct parcel *parcel;

	binder_lock(&proc->lock);
	TAILQ_FOREACH(parcel, &proc->read, link) {
		if (parcel->delivery.address == address)
			break;
	}
	if (parcel)
		TAILQ_REMOVE(&proc->read, parcel, link);
	binder_unlock(&proc->lock);
	return parcel;
}

int binder_done(struct binder_proc *proc, unsigned long address)
{
	struct parcel *parcel = take_read(proc, address);

	if (!parcel)
		return -EINVAL;
	binder_space_free(proc->space, parcel->buffer);
	free(parcel);
	return 0;
}

struct binder_range *binder_proc_range(struct binder_proc *proc)
{
	return proc->range;
}

struct binder_space *binder_proc_space(struct binder_proc *proc)
{
	return proc->space;
}
