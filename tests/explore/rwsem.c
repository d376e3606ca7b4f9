/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The reader/writer lock: exclusion, no wake-up lost, and its rules F1 to F4 (sync/rwsem.h) as far
 * as one can see them broken from outside.  Who looks at the word before it acts knows who waited
 * then; what was promised to that one must have happened when it is in.
 */
#include "explore.h"
#include "sync/rwsem.h"

static struct rwsem sem;
static long guarded;			/* by sem */
static long writes, reads;		/* atomic: sections that have begun */
static long readers_due;		/* by sem: readers waited when the last writer left */

static void setup(void)
{
	rwsem_init(&sem, LOCK_RANK_MMAP);
	guarded = writes = reads = 0;
	readers_due = false;
}

static void finish(void)
{
	VT_CHECK(!(sem.state & ~RWSEM_PHASE), "left as %llx", (unsigned long long)sem.state);
}

static unsigned long long look(void)
{
	return atomic_load_relaxed(&sem.state);
}

static void read_section(void)
{
	atomic_add_relaxed(&reads, 1);
	VT_CHECK(guarded >= 0);
	rwsem_read_unlock(&sem);
}

static void write_section(void)
{
	atomic_add_relaxed(&writes, 1);
	guarded++;
	rwsem_write_unlock(&sem);
}

static void reader(void)
{
	rwsem_read_lock(&sem);
	read_section();
}

static void writer(void)
{
	rwsem_write_lock(&sem);
	write_section();
}

static void writer_twice(void)
{
	writer();
	writer();
}

const struct vt_scenario rwsem_exclusion = {
	.name = "rwsem-read-write", .about = "a reader and a writer",
	.setup = setup, .finish = finish, .threads = { THREAD(reader), THREAD(writer) },
};

const struct vt_scenario rwsem_wake = {
	.name = "rwsem-write-write", .about = "two writers",
	.setup = setup, .finish = finish, .threads = { THREAD(writer), { "writer 2", writer } },
};

const struct vt_scenario rwsem_readers = {
	.name = "rwsem-read-read-write", .about = "two readers and a writer",
	.setup = setup, .finish = finish,
	.threads = { THREAD(reader), { "reader 2", reader }, THREAD(writer) },
};

const struct vt_scenario rwsem_writers = {
	.name = "rwsem-three-writers", .about = "three writers, of which one is in front",
	.setup = setup, .finish = finish,
	.threads = { THREAD(writer), { "writer 2", writer }, { "writer 3", writer } },
};

/* F1: a writer that was seen waiting has been in by now.  It does not give up. */
static void newcomer_reader(void)
{
	bool writer_waits = look() & RWSEM_WWAIT_MASK;

	rwsem_read_lock(&sem);
	VT_CHECK(!writer_waits || atomic_load_relaxed(&writes));
	read_section();
}

const struct vt_scenario rwsem_f1 = {
	.name = "rwsem-f1", .about = "no new reader before the writer that waits",
	.setup = setup, .finish = finish,
	.threads = { THREAD(reader), THREAD(writer), THREAD(newcomer_reader) },
};

/* F2: between two writers come the readers that waited for the first. */
static void fair_writer(void)
{
	rwsem_write_lock(&sem);
	VT_CHECK(!readers_due || atomic_load_relaxed(&reads));
	guarded++;
	readers_due = look() & RWSEM_RWAIT_MASK;
	rwsem_write_unlock(&sem);
}

const struct vt_scenario rwsem_f2 = {
	.name = "rwsem-f2", .about = "readers that wait when a writer leaves are next",
	.setup = setup, .finish = finish,
	.threads = { THREAD(fair_writer), { "fair_writer 2", fair_writer }, THREAD(reader) },
};

/* F3: once there is a front writer, nobody overtakes it. */
static void newcomer_writer(void)
{
	long before = atomic_load_relaxed(&writes);
	bool front = look() & RWSEM_FRONT;

	rwsem_write_lock(&sem);
	VT_CHECK(!front || atomic_load_relaxed(&writes) > before);
	write_section();
}

const struct vt_scenario rwsem_f3 = {
	.name = "rwsem-f3", .about = "nobody overtakes the front writer",
	.setup = setup, .finish = finish,
	.threads = { THREAD(writer_twice), THREAD(writer), THREAD(newcomer_writer) },
};

/* F4: who gives up leaves the others as if it had never come. */
static void impatient_reader(void)
{
	if (!rwsem_read_lock_until(&sem, 1))
		read_section();
}

static void impatient_writer(void)
{
	if (!rwsem_write_lock_until(&sem, 1))
		write_section();
}

const struct vt_scenario rwsem_f4_reader = {
	.name = "rwsem-f4-reader", .about = "a reader gives up",
	.setup = setup, .finish = finish,
	.threads = { THREAD(writer), THREAD(impatient_reader), { "writer 2", writer } },
};

const struct vt_scenario rwsem_f4_writer = {
	.name = "rwsem-f4-writer", .about = "a writer gives up, readers that waited for it go in",
	.setup = setup, .finish = finish,
	.threads = { THREAD(reader), THREAD(impatient_writer), { "reader 2", reader } },
};
