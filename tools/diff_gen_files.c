/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which call comes next, where it is about files: their mappings, and all that changes them beside
 * those.  diff_gen.c says how calls are drawn.
 */
#include <vmarea/file.h>

#include "diff_gen.h"

/* ------------------------------------------------------------------------ a round's tastes -- */

void gen_like_files(struct gen *gen)
{
	static const struct { uint8_t op, weight; } likes[] = {
		{ OP_MMAP, 30 }, { OP_MUNMAP, 8 }, { OP_MPROTECT, 15 }, { OP_MREMAP, 15 },
		{ OP_MADVISE, 20 }, { OP_MSYNC, 10 }, { OP_MINCORE, 3 }, { OP_TOUCH, 20 },
		{ OP_FORK, 3 }, { OP_EXIT, 2 }, { OP_LOAD, 80 }, { OP_STORE, 80 }, { OP_PEEK, 8 },
		{ OP_POKE, 8 }, { OP_READ_INTO, 2 }, { OP_TRUNCATE, 15 }, { OP_PUNCH, 10 },
		{ OP_FILE_READ, 20 }, { OP_FILE_WRITE, 20 }, { OP_FILE_SYNC, 1 },
		{ OP_ADD_SEALS, 2 }, { OP_SHMAT, 3 }, { OP_SHMDT, 1 }, { OP_REMAP_FILE_PAGES, 2 },
		{ OP_MLOCK, 2 }, { OP_MLOCK2, 1 }, { OP_MUNLOCK, 2 },
	};
	uint8_t ops[sizeof(likes) / sizeof(likes[0])], weights[sizeof(ops)];

	for (size_t i = 0; i < sizeof(ops); i++) {
		ops[i] = likes[i].op;
		weights[i] = likes[i].weight;
	}
	gen_set_weights(gen, ops, weights, sizeof(ops));
	gen->about_files = true;
}

/* Few, and mostly short, so that the calls meet; of one inode or of several. */
void gen_choose_files(struct gen *gen)
{
	const struct test_files *files = gen->options->files;
	uint64_t first = below(gen, (uint64_t)files->nr);
	bool disk = one_in(gen, 2), anew = one_in(gen, 4);

	for (uint64_t i = 0; i < (uint64_t)files->nr; i++) {
		const struct test_file *file = &files->file[i];

		if (file->label && (disk ? file->disk : anew && file->anew)) {
			first = i;
			break;
		}
	}
	gen->anon_share = (uint32_t)below(gen, 6);
	gen->file_pages = (uint32_t[]){ 2, 4, 8, 70 }[below(gen, 4)];
	if (one_in(gen, 4))
		return;
	gen->files = 0;
	for (int i = FILE_FIRST_SIZED; i < files->nr; i++)
		if (files->file[i].label && files->file[i].mappable &&
		    (same_inode(&files->file[i], &files->file[first]) || one_in(gen, 10)))
			gen->files |= 1u << i;
}

/* ---------------------------------------------------------------------- places in files -- */

bool gen_end_of_file(struct gen *gen, const struct side_area *area, uint64_t *addr)
{
	const struct test_files *files = gen->side->files;

	for (int i = FILE_FIRST_SIZED; i < files->nr; i++) {
		uint64_t size, at;

		if (!files->file[i].label || !files->file[i].mappable ||
		    files->file[i].desc.inode != area->seen.inode)
			continue;
		size = file_size(gen->side->file[i]);
		at = size + below(gen, 40) - 16 - area->seen.offset;
		if (at >= area->seen.end - area->seen.start)
			return false;
		*addr = area->seen.start + at;
		return true;
	}
	return false;
}

uint64_t gen_file(struct gen *gen)
{
	for (int i = 0; i < 8; i++) {
		uint64_t file = below(gen, (uint64_t)gen->side->files->nr);

		if (gen->side->files->file[file].label && (gen->files >> file & 1))
			return file;
	}
	return one_in(gen, 8) ? ~0ul : FILE_FIRST_SIZED;
}

/* A shared area that shows the end of a file, if one is met. */
static void some_end(struct gen *gen, const struct side_proc *proc, uint64_t *a)
{
	uint64_t addr;

	for (int i = 0; i < 8; i++) {
		const struct side_area *area = gen_area(gen, proc);

		if (!area || !(area->seen.prot & AREA_SHARED) || !gen_end_of_file(gen, area, &addr))
			continue;
		a[0] = area->seen.start;
		a[1] = area->seen.end - area->seen.start;
		break;
	}
}

/* ------------------------------------------------------------------------------ the calls -- */

int gen_advice_to_file(struct gen *gen)
{
	static const uint8_t list[] = {
		MADV_REMOVE, MADV_REMOVE, MADV_REMOVE, MADV_DONTNEED, MADV_DONTNEED, MADV_WILLNEED,
		MADV_WILLNEED, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_COLD, MADV_PAGEOUT,
		MADV_DONTNEED_LOCKED,
	};

	return list[below(gen, sizeof(list))];
}

void gen_msync(struct gen *gen, const struct side_proc *proc, struct diff_call *c)
{
	uint64_t *a = c->arg;

	a[2] = one_in(gen, 4) ? below(gen, 9) : (uint64_t[]){ 1, 2, 3 }[below(gen, 3)];
	/* Few of those that wait for a disk. */
	if ((a[2] & MS_SYNC) && !one_in(gen, 8))
		a[2] &= ~(uint64_t)MS_SYNC;
	if (gen->about_files && one_in(gen, 2)) {
		a[2] = MS_SYNC;
		some_end(gen, proc, a);
	}
}

void gen_segment(struct gen *gen, const struct side_proc *proc, struct diff_call *c)
{
	uint64_t *a = c->arg;

	if (c->op == OP_SHMDT) {
		for (int i = 0; i < 8 && !(a[0] && one_in(gen, 3)); i++) {
			const struct side_area *area = gen_area(gen, proc);

			if (area && (area->seen.prot & AREA_OWN_OBJECT))
				a[0] = area->seen.start;
		}
		if (!a[0] || one_in(gen, 4))
			a[0] = gen_address(gen, proc);
		return;
	}
	a[0] = below(gen, DIFF_NR_SEGMENTS);
	a[1] = one_in(gen, 8) ? 0 : gen_address(gen, proc);
	a[2] = 0;
	if (one_in(gen, 2))
		a[2] |= SHM_REMAP;
	if (one_in(gen, 4))
		a[2] |= SHM_RDONLY;
	if (one_in(gen, 6))
		a[2] |= SHM_EXEC;
	if (one_in(gen, 3))
		a[2] |= SHM_RND;
	if (one_in(gen, 30))
		a[2] |= 0x200000;
}

/* A place in a file: near its end, or near where a page begins. */
static uint64_t some_file_offset(struct gen *gen, uint64_t file)
{
	uint64_t size = file < AGENT_MAX_FILES && gen->side->file[file] ?
		file_size(gen->side->file[file]) : 0;
	uint64_t pages = below(gen, one_in(gen, 8) ? 70 : gen->file_pages), near = below(gen, 24);

	switch (below(gen, 6)) {
	case 0:
		return size;
	case 1:
		return size + near;
	case 2:
		return size > near ? size - near : 0;
	case 3:
		return pages * DIFF_PAGE + below(gen, DIFF_PAGE);
	default:
		return pages * DIFF_PAGE + one_in(gen, 3) * near;
	}
}

static uint64_t some_nr_bytes(struct gen *gen)
{
	switch (below(gen, 6)) {
	case 0:
		return below(gen, 3);
	case 1:
		return 1 + below(gen, AGENT_IO_BYTES);
	case 2:
	case 3:
		return (1 + below(gen, AGENT_IO_BYTES / DIFF_PAGE)) * DIFF_PAGE;
	default:
		return 1 + below(gen, 300);
	}
}

/* Mostly those that leave something to be done with the file. */
static uint64_t some_seals(struct gen *gen)
{
	static const uint8_t list[] = {
		F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_WRITE,
		F_SEAL_FUTURE_WRITE, F_SEAL_SHRINK | F_SEAL_GROW, F_SEAL_EXEC, 0, 0x40,
	};

	return one_in(gen, 40) ? F_SEAL_SEAL : list[below(gen, sizeof(list))];
}

static uint64_t file_to_seal(const struct gen *gen)
{
	const struct test_files *files = gen->side->files;
	uint64_t file = 0;

	while (file < (uint64_t)files->nr && !files->file[file].anew)
		file++;
	return file;
}

void gen_file_call(struct gen *gen, struct diff_call *c)
{
	uint64_t *a = c->arg;

	a[0] = gen_file(gen);
	if (c->op == OP_ADD_SEALS) {
		a[1] = some_seals(gen);
		if (!one_in(gen, 4))
			a[0] = file_to_seal(gen);
	}
	if (c->op == OP_ADD_SEALS || c->op == OP_FILE_SYNC)
		return;
	a[1] = some_file_offset(gen, a[0]);
	if (c->op == OP_TRUNCATE)
		return;
	a[2] = some_nr_bytes(gen);
	if (c->op == OP_PUNCH && !a[2])
		a[2] = 1;
	if (c->op == OP_FILE_WRITE)
		a[3] = rng_next(&gen->rng) >> 40;
}

void gen_remote_range(struct gen *gen, const struct side_area *area, struct diff_call *c)
{
	uint64_t *a = c->arg, before = below(gen, 5 * DIFF_PAGE);

	a[1] = 9 + below(gen, AGENT_IO_BYTES - 8);
	if (!area || !one_in(gen, 2) || !gen_end_of_file(gen, area, &a[0]))
		return;
	if (a[0] - area->seen.start >= before)
		a[0] -= before;
}
