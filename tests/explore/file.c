/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The last reference to a file, release(), and who finds the file meanwhile. */
#include "explore.h"
#include "file/file.h"
#include "sync/rcu.h"

static struct file *file;
static struct file *findable;		/* atomic: what is found under RCU, NULL once it goes */
static long released;			/* calls of release() */
static long closed;			/* calls of close(), by the VMA lock */
static long work[3];			/* what holders of references have done to it */

static void release(struct file *gone)
{
	released++;
	VT_CHECK(work[0] + work[1] + work[2] >= 0);
}

static const struct file_operations ops = { .owner = "driver", .release = release };

static void setup(void)
{
	stage_make();
	mmput(mm);
	mm = NULL;
	file = findable = stage_file(&ops);
	released = work[0] = work[1] = work[2] = 0;
}

static void finish(void)
{
	VT_CHECK(released == 1, "%ld times", released);
	vmarea_destroy(machine);
}

static void putter(void)
{
	work[0]++;
	atomic_store_relaxed(&findable, NULL);
	file_put(file);
}

static void finder(void)
{
	struct file *found;

	rcu_read_lock();
	found = atomic_load_relaxed(&findable);
	if (found && !file_get_rcu(found))
		found = NULL;
	rcu_read_unlock();
	if (!found)
		return;
	VT_CHECK(!released);
	work[2]++;
	file_put(found);
}

const struct vt_scenario file_last_put = {
	.name = "file-put-get", .about = "a file that was found is not released, or not found",
	.setup = setup, .finish = finish, .threads = { THREAD(putter), THREAD(finder) },
};

static void setup_two(void)
{
	setup();
	file_get(file);
}

static void putter_2(void)
{
	work[1]++;
	atomic_store_relaxed(&findable, NULL);
	file_put(file);
}

const struct vt_scenario file_put_put = {
	.name = "file-put-put", .about = "release() comes once, after what all holders did",
	.setup = setup_two, .finish = finish, .threads = { THREAD(putter), THREAD(putter_2) },
};

const struct vt_scenario file_get_gone = {
	.name = "file-put-put-get", .about = "the same, and one that finds it",
	.setup = setup_two, .finish = finish,
	.threads = { THREAD(putter), THREAD(putter_2), THREAD(finder) },
};

/* release() may make calls: no lock of the mm is held. */
static void release_and_ask(struct file *gone)
{
	struct mmap_read *lock = mmap_read_lock(mm);

	VT_CHECK(!vma_lookup(lock, AT(0)));
	mmap_read_unlock(lock);
	released++;
}

static void area_close(struct vma_mut *vma)
{
	closed++;
}

static const struct vm_operations_struct area_ops = { .close = area_close };

static int area_mmap(struct file *mapped, struct vma_new *vma)
{
	vma_set_owner(vma, &area_ops, mapped);
	return 0;
}

static const struct file_operations asking_ops = {
	.owner = "driver", .mmap = area_mmap, .release = release_and_ask,
};

static void setup_mapped(void)
{
	stage_make();
	released = closed = 0;
	stage_map_file(mm, 0, 1, stage_file(&asking_ops));
}

static void unmapper(void)
{
	done(mm_munmap(mm, AT(0), PAGE));
}

static void reader(void)
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, AT(0));

	if (vma) {
		VT_CHECK(!closed && !released);
		vma_end_read(vma);
	}
}

static void finish_mapped(void)
{
	if (vt_memory_was_refused())
		done(mm_munmap(mm, AT(0), PAGE));
	VT_CHECK(released == 1);
	stage_end();
}

const struct vt_scenario file_release_calls = {
	.name = "file-release-calls", .about = "release() holds no lock; no reader after close()",
	.setup = setup_mapped, .finish = finish_mapped, .flags = VT_NO_MEMORY,
	.threads = { THREAD(unmapper), THREAD(reader) },
};
