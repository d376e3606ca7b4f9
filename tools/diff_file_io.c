/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The library's side of `vmarea diff --touch --files`: the calls that change or read a file beside
 * its mappings, and what all files are like.
 *
 * One inode may be open several times, and has one size and one set of pages; it is compared by the
 * first of these that can be read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vmarea/driver.h>
#include <vmarea/file.h>

#include "cli.h"
#include "cmds.h"
#include "diff.h"
#include "diff_bytes.h"

#define STORE_BYTES	(1024 * DIFF_PAGE + AGENT_IO_BYTES)	/* what calls may write */

static unsigned char io[AGENT_IO_BYTES];

/* -------------------------------------------------- where the bytes of files on a disk are -- */

static int store_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook
{
	(void)file;
	(void)vma;
	return 0;
}

static int store_read(struct file *file, uint64_t offset, void *to, size_t bytes)
{
	memcpy(to, (unsigned char *)file_private_data(file) + offset, bytes);
	return 0;
}

static int store_write(struct file *file, uint64_t offset, const void *from, size_t bytes)
{
	memcpy((unsigned char *)file_private_data(file) + offset, from, bytes);
	return 0;
}

static void store_clear(struct file *file, uint64_t start, uint64_t end)
{
	if (start < STORE_BYTES)
		memset((unsigned char *)file_private_data(file) + start, 0,
		       (end < STORE_BYTES ? end : STORE_BYTES) - start);
}

static int store_set_size(struct file *file, uint64_t bytes)
{
	store_clear(file, bytes, STORE_BYTES);
	return 0;
}

static int store_punch_hole(struct file *file, uint64_t offset, uint64_t bytes)
{
	store_clear(file, offset, offset + bytes);
	return 0;
}

static int store_refuse_hole(struct file *file, uint64_t offset, uint64_t bytes)
{
	(void)file;
	(void)offset;
	(void)bytes;
	return -EOPNOTSUPP;
}

/* As on file systems with holes, and on those without. */
static const struct file_operations store_ops[] = {
	{ .owner = "store", .mmap = store_mmap, .read_page = store_read, .write_page = store_write,
	  .set_size = store_set_size, .punch_hole = store_punch_hole },
	{ .owner = "store", .mmap = store_mmap, .read_page = store_read, .write_page = store_write,
	  .set_size = store_set_size, .punch_hole = store_refuse_hole },
};

/* One that is kept, and can be read; NULL: the area shows another. */
static struct file *file_of_area(const struct side *side, const struct diff_area *area)
{
	for (int i = FILE_FIRST_SIZED; i < side->files->nr; i++) {
		const struct test_file *file = &side->files->file[i];

		if (file->label && file->desc.inode == area->inode &&
		    (file->desc.flags & FILE_READ) && file_private_data(side->file[i]))
			return side->file[i];
	}
	return NULL;
}

void file_keep(struct side *side, struct file_desc *desc)
{
	if (!side->store)
		side->store = cli_alloc(STORE_BYTES);
	desc->ops = &store_ops[side->files->no_holes];
	desc->private_data = side->store;
}

/* Is what the file has in bytes [start, end) what is kept? */
static bool is_kept(const struct side *side, struct file *file, uint64_t start, uint64_t end)
{
	while (start < end) {
		uint64_t left = end - start;
		long n = file_read(file, start, io, left < sizeof(io) ? left : sizeof(io));

		if (n <= 0)
			break;
		if (memcmp(side->store + start, io, (size_t)n))
			return false;
		start += (uint64_t)n;
	}
	return true;
}

static const char not_written[] = "bytes of a file were not written back";

const char *files_written_back(const struct side *side)
{
	for (int i = FILE_FIRST_SIZED; i < side->files->nr && side->store; i++) {
		struct file *file = side->file[i];

		if (!file || !file_private_data(file))
			continue;
		if (file_sync(file, 0, UINT64_MAX))
			return "a file could not be synced";
		if (!is_kept(side, file, 0, STORE_BYTES))
			return not_written;
	}
	return NULL;
}

const char *files_synced(const struct side *side, const struct side_proc *proc,
			 const struct diff_call *c)
{
	uint64_t start = c->arg[0], end = start + c->arg[1];

	for (uint32_t i = 0; i < proc->nr && !c->result && (c->arg[2] & MS_SYNC); i++) {
		const struct diff_area *area = &proc->area[i].seen;
		uint64_t from = area->start > start ? area->start : start;
		uint64_t to = area->end < end ? area->end : end;
		struct file *file;

		/* One that cannot be written to is not synced. */
		if (!side->store || !(proc->area[i].flags & VM_SHARED) || from >= to)
			continue;
		file = file_of_area(side, area);
		if (file && !is_kept(side, file, from - area->start + area->offset,
				     to - area->start + area->offset))
			return not_written;
	}
	return NULL;
}

/* ---------------------------------------------------------------------------------- calls -- */

bool same_inode(const struct test_file *a, const struct test_file *b)
{
	return a->desc.inode == b->desc.inode && a->desc.dev_major == b->desc.dev_major &&
		a->desc.dev_minor == b->desc.dev_minor;
}

/* Without pages, open files of one inode know nothing of each other. */
void file_resize(const struct side *side, uint64_t at, uint64_t bytes)
{
	const struct test_file *of = &side->files->file[at];

	if (side->memory.touch)
		file_set_size(side->file[at], bytes);
	if (file_private_data(side->file[at]))
		store_clear(side->file[at], bytes, STORE_BYTES);
	for (int i = FILE_FIRST_SIZED; i < side->files->nr && !side->memory.touch; i++)
		if (side->files->file[i].label && same_inode(&side->files->file[i], of))
			file_set_size(side->file[i], bytes);
}

static long cut(const struct side *side, uint64_t at, uint64_t bytes)
{
	int err = file_truncate(side->file[at], bytes);

	/* For those of one inode that know nothing of each other. */
	if (!err && !side->memory.touch)
		file_resize(side, at, bytes);
	return err;
}

long file_call(struct side *side, struct diff_call *c)
{
	const uint64_t *a = c->arg;
	struct file *file = side->file[a[0]];
	long ret;

	switch (c->op) {
	case OP_TRUNCATE:
		return cut(side, a[0], a[1]);
	case OP_FILE_SYNC:
		return file_sync(file, 0, UINT64_MAX);
	case OP_ADD_SEALS:
		return file_add_seals(file, (unsigned int)a[1]);
	case OP_PUNCH:
		return file_punch_hole(file, a[1], a[2]);
	case OP_FILE_READ:
		ret = file_read(file, a[1], io, a[2]);
		c->value = ret > 0 ? bytes_hash(0, io, (uint64_t)ret) : 0;
		return ret;
	default:
		/* For the agent as well, who writes other bytes at another place. */
		if (side->files->file[a[0]].append)
			c->arg[1] = file_size(file);
		bytes_make(io, a[1], a[2], a[3]);
		return file_write(file, a[1], io, a[2]);
	}
}

uint32_t files_compared(const struct test_files *files)
{
	uint32_t chosen = 0;

	for (int i = FILE_FIRST_SIZED; i < files->nr; i++) {
		const struct test_file *file = &files->file[i];
		bool first = file->label && file->mappable && (file->desc.flags & FILE_READ) &&
			!(file->desc.flags & FILE_HUGETLB);

		for (int k = FILE_FIRST_SIZED; k < i && first; k++)
			first = !(chosen >> k & 1) || !same_inode(&files->file[k], file);
		if (first)
			chosen |= 1u << i;
	}
	return chosen;
}

static uint64_t hash_file(struct file *file)
{
	uint64_t at = 0, hash = 0;
	long n;

	while ((n = file_read(file, at, io, sizeof(io))) > 0) {
		hash = bytes_hash(hash, io, (uint64_t)n);
		at += (uint64_t)n;
	}
	if (n < 0) {
		cli_error("diff", "file_read: %ld", n);
		exit(EXIT_DEFECT);
	}
	return hash;
}

/* 0: none, or it cannot have any. */
static uint64_t seals_of(const struct file *file)
{
	int seals = file_get_seals(file);

	return seals < 0 ? 0 : (uint64_t)seals;
}

size_t files_write_lines(const struct side *side, char *text, size_t bytes, size_t max)
{
	uint32_t chosen = files_compared(side->files);
	char *to = text + bytes;

	for (unsigned int i = 0; i < AGENT_MAX_FILES; i++)
		if ((chosen >> i & 1) && to + FILE_LINE_MAX <= text + max)
			to = file_line_put(to, i, file_size(side->file[i]),
					   hash_file(side->file[i]), seals_of(side->file[i]));
	return (size_t)(to - text);
}
