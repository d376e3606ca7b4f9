/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Faults that have let go of their lock and wait: for the answer to a user fault, or for a page of
 * a file.  Meanwhile the area goes or becomes another one, what is waited for is closed, the mm is
 * killed, or its other user leaves.
 *
 * Nobody reads messages here: who answers knows the address.  So a wait that nobody ends, whatever
 * came when, is a thread that waits for ever.
 */
#include <vmarea/file.h>
#include <vmarea/user_fault.h>

#include "explore.h"

#define OLD	0x1111111111111111ull
#define NEW	0x2222222222222222ull

static struct user_faults *faults;

static void setup_registered(unsigned int modes)
{
	struct user_faults_config config = USER_FAULTS_CONFIG_INIT;

	VT_CHECK(!user_faults_create(mm, &config, &faults));
	VT_CHECK(!user_faults_register(faults, AT(0), PAGE, modes));
}

/* Page 0 is asked for; its area is touched, so that the fault needs the VMA lock alone. */
static void setup_missing(void)
{
	stage_make_with_frames();
	stage_map(mm, 0, 2, RW);
	VT_CHECK(stage_put(mm, 1, OLD) == MM_FAULT_DONE);
	setup_registered(USER_FAULT_MISSING);
}

static void finish(void)
{
	user_faults_put(faults);
	stage_end();
}

static void storer(void)
{
	VT_CHECK(stage_put(mm, 0, NEW) == MM_FAULT_DONE);
}

/* ---- the answer comes */

static void answerer(void)
{
	long n = user_faults_zeropage(faults, AT(0), PAGE, 0);

	VT_CHECK(n == (long)PAGE, "%ld", n);
}

static void finish_stored(void)
{
	stage_expect(mm, 0, NEW);
	finish();
}

const struct vt_scenario wait_answer = {
	.name = "wait-answer", .about = "an answer is heard, whenever it comes",
	.setup = setup_missing, .finish = finish_stored,
	.threads = { THREAD(storer), THREAD(answerer) },
};

/* ---- a page that is there, and protected */

static void setup_protected(void)
{
	stage_make_with_frames();
	stage_map(mm, 0, 1, RW);
	VT_CHECK(stage_put(mm, 0, OLD) == MM_FAULT_DONE);
	setup_registered(USER_FAULT_WP);
	VT_CHECK(!user_faults_writeprotect(faults, AT(0), PAGE, USER_FAULT_PROTECT));
}

static void allower(void)
{
	VT_CHECK(!user_faults_writeprotect(faults, AT(0), PAGE, 0));
}

const struct vt_scenario wait_protect = {
	.name = "wait-protect", .about = "the leave to write is heard, whenever it comes",
	.setup = setup_protected, .finish = finish_stored,
	.threads = { THREAD(storer), THREAD(allower) },
};

/* ---- the area goes */

static void unmapper(void)
{
	done(mm_munmap(mm, AT(0), PAGE));
}

static void storer_to_nothing(void)
{
	enum mm_fault fault = stage_put(mm, 0, NEW);

	VT_CHECK(fault == MM_FAULT_MAPERR, "%d", fault);
}

const struct vt_scenario wait_unmap = {
	.name = "wait-unmap", .about = "nobody waits for a page of what was unmapped",
	.setup = setup_missing, .finish = finish,
	.threads = { THREAD(storer_to_nothing), THREAD(unmapper) },
};

/* ---- who would answer goes */

static void closer(void)
{
	user_faults_close(faults);
}

const struct vt_scenario wait_close = {
	.name = "wait-close", .about = "nobody waits for who has closed",
	.setup = setup_missing, .finish = finish_stored,
	.threads = { THREAD(storer), THREAD(closer) },
};

/* ---- the process is killed */

static void killed_storer(void)
{
	enum mm_fault fault = stage_put(mm, 0, NEW);

	VT_CHECK(fault == MM_FAULT_KILLED, "%d", fault);
}

static void killer(void)
{
	mm_kill(mm);
}

const struct vt_scenario wait_kill = {
	.name = "wait-kill", .about = "a kill ends the wait for an answer, whenever it comes",
	.setup = setup_missing, .finish = finish,
	.threads = { THREAD(killed_storer), THREAD(killer) },
};

/* ---- all others go: the handle, and the mm's other user */

static struct mm_user *second;

static void setup_two_users(void)
{
	setup_missing();
	second = mmget(mm);
}

static void storer_with_user(void)
{
	uint64_t value = NEW;
	enum mm_fault fault;

	mm_write(second, AT(0), &value, sizeof(value), &fault);
	VT_CHECK(fault == MM_FAULT_DONE, "%d", fault);
	mmput(second);
}

static void leaver(void)
{
	user_faults_put(faults);
	mmput(mm);
}

static void finish_left(void)
{
	mm = NULL;
	stage_end();
}

const struct vt_scenario wait_leave = {
	.name = "wait-leave", .about = "who waits keeps what it waits for",
	.setup = setup_two_users, .finish = finish_left,
	.threads = { THREAD(storer_with_user), THREAD(leaver) },
};

/* ---- a page of a file is read, and the area becomes another one */

static long nr_releases;
static bool ends;			/* the mm does, and the file with it */

static int read_page(struct file *f, uint64_t offset, void *to, size_t bytes)
{
	uint64_t *words = to;

	(void)f;
	VT_CHECK(!offset);
	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		words[i] = OLD;
	return 0;
}

/* No lock of an mm is held: any call may be made. */
static void release(struct file *f)
{
	(void)f;
	nr_releases++;
	if (!ends)
		done(mm_mprotect(mm, AT(4), PAGE, PROT_READ));
}

static int map(struct file *f, struct vma_new *vma) __in_mmap_hook;

static int map(struct file *f, struct vma_new *vma)
{
	(void)f, (void)vma;
	return 0;
}

static const struct file_operations ops = {
	.mmap = map, .read_page = read_page, .release = release,
};

/* The area has the only reference to the file. */
static void setup_file(void)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/file", .ops = &ops, .size_bytes = PAGE,
		.flags = FILE_READ,
	};
	struct file *file;

	stage_make_with_frames();
	stage_map(mm, 4, 1, RW);
	nr_releases = 0;
	ends = false;
	VT_CHECK(!file_create(machine, &desc, &file));
	VT_CHECK(mm_mmap(mm, AT(0), PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0) ==
		 (long)AT(0));
	file_put(file);
}

static void loader(void)
{
	uint64_t value = ~0ull;

	if (fault_done(stage_get(mm, 0, &value)))
		VT_CHECK(value == OLD || !value, "%llx", (unsigned long long)value);
}

static void replacer(void)
{
	long addr = mm_mmap(mm, AT(0), PAGE, RW, ANON | MAP_FIXED, NULL, 0);

	if (done(addr))
		stage_expect(mm, 0, 0);
}

static void finish_file(void)
{
	if (!vt_memory_was_refused()) {
		VT_CHECK(nr_releases == 1, "%ld", nr_releases);
		stage_expect(mm, 0, 0);
	}
	ends = true;
	stage_end();
}

const struct vt_scenario wait_file = {
	.name = "wait-file", .about = "a fault that was reading a file has the area's pages of now",
	.setup = setup_file, .finish = finish_file, .flags = VT_NO_MEMORY,
	.threads = { THREAD(loader), THREAD(replacer) },
};
