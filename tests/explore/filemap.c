/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Pages of shared memory, and those who come by the file: while a page moves to another frame,
 * while the file becomes longer, and while the answer to a user fault makes a page in vain.
 */
#include <vmarea/file.h>
#include <vmarea/user_fault.h>

#include "explore.h"

#include "file/filemap.h"
#include "rmap/rmap.h"

static struct file *file;
static struct user_faults *faults;

static void setup_file(u64 size)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/memfd:file", .size_bytes = size,
		.flags = FILE_READ | FILE_WRITE | FILE_SHMEM,
	};

	stage_make_with_frames();
	VT_CHECK(!file_create(machine, &desc, &file));
	faults = NULL;
}

static void finish_file(void)
{
	if (faults)
		user_faults_put(faults);
	file_put(file);
	stage_end();
}

static void read_b(void)
{
	char byte = 0;

	VT_CHECK(file_read(file, 0, &byte, 1) == 1 && byte == 'b', "%d", byte);
}

/* ---- a page that moves */

static void setup_written(void)
{
	setup_file(PAGE);
	VT_CHECK(file_write(file, 0, "b", 1) == 1);
}

static void mover(void)
{
	struct page *to = page_alloc(machine->arena, 0, PAGE_ANYTHING);
	struct page *page = filemap_find_page(file->mapping, 0);
	int err;

	VT_CHECK(page && to);
	err = rmap_migrate(page, to);
	VT_CHECK(!err || err == -EAGAIN, "%d", err);
	page_put(page);
	page_put(to);
}

static void finish_moved(void)
{
	read_b();
	VT_CHECK(filemap_nr_pages(file->mapping) == 1);
	finish_file();
}

const struct vt_scenario filemap_move = {
	.name = "filemap-move", .about = "a page that moves to another frame is found all the time",
	.setup = setup_written, .finish = finish_moved,
	.threads = { THREAD(mover), { "reader", read_b } },
};

/* ---- a file that becomes longer */

static void setup_empty(void)
{
	setup_file(0);
}

static void appender(void)
{
	long n = file_write(file, 0, "b", 1);

	VT_CHECK(n == 1 || (n == -ENOMEM && vt_memory_was_refused()), "%ld", n);
}

static void reader(void)
{
	char byte = 0;
	long n = file_read(file, 0, &byte, 1);

	VT_CHECK(n == 0 || (n == 1 && byte == 'b'), "%ld: %d", n, byte);
}

const struct vt_scenario filemap_append = {
	.name = "filemap-append", .about = "who sees that a file is longer sees what made it so",
	.setup = setup_empty, .finish = finish_file,
	.threads = { THREAD(appender), THREAD(reader) },
};

/* ---- an answer in vain */

static void setup_poisoned(void)
{
	struct user_faults_config config = USER_FAULTS_CONFIG_INIT;

	setup_file(PAGE);
	VT_CHECK(mm_mmap(mm, AT(0), PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0) == (long)AT(0));
	VT_CHECK(!user_faults_create(mm, &config, &faults));
	VT_CHECK(!user_faults_register(faults, AT(0), PAGE, USER_FAULT_MISSING));
	VT_CHECK(user_faults_poison(faults, AT(0), PAGE, 0) == (long)PAGE);
}

/* The entry that is there does not give way to zeros. */
static void answerer(void)
{
	long n = user_faults_zeropage(faults, AT(0), PAGE, 0);

	VT_CHECK(n == -EEXIST, "%ld", n);
}

static void writer(void)
{
	VT_CHECK(file_write(file, 0, "b", 1) == 1);
}

static void finish_answered(void)
{
	read_b();
	finish_file();
}

const struct vt_scenario filemap_answer = {
	.name = "filemap-answer", .about = "an answer that is refused takes no write with it",
	.setup = setup_poisoned, .finish = finish_answered,
	.threads = { THREAD(answerer), THREAD(writer) },
};
