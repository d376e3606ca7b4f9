/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <string.h>

#include "world.h"

const struct binder_range_ops *world_ops = &binder_by_insert;

bool world_by_fault(void)
{
	return world_ops == &binder_by_fault;
}

static void choose(const char *way)
{
	if (!strcmp(way, "insert")) {
		world_ops = &binder_by_insert;
	} else if (!strcmp(way, "fault")) {
		world_ops = &binder_by_fault;
	} else {
		fprintf(stderr, "--by %s: unknown; there are insert and fault\n", way);
		exit(2);
	}
}

void world_choose(int *argc, char **argv)
{
	for (int i = 1; i + 1 < *argc; i++) {
		if (strcmp(argv[i], "--by"))
			continue;
		choose(argv[i + 1]);
		for (int k = i; k + 2 <= *argc; k++)
			argv[k] = argv[k + 2];
		*argc -= 2;
		return;
	}
}

static int foreign_hook(struct file *file, struct vma_new *vma) __in_mmap_hook;

/* What a page could be inserted into, if nobody asked whose it is. */
static int foreign_hook(struct file *file, struct vma_new *vma)
{
	static const struct vm_operations_struct ops;

	vma_set_owner(vma, &ops, NULL);
	vma_set_mixedmap(vma);
	return 0;
}

static const struct file_operations foreign_ops = { .owner = "foreign", .mmap = foreign_hook };

void world_open(struct world *w, unsigned long arena_bytes)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct file_desc desc = { .size = sizeof(desc), .ops = &foreign_ops,
				  .name = "/dev/foreign", .flags = FILE_READ };
	int err;

	config.arena_bytes = arena_bytes;
	err = vmarea_create(&config, &w->v);
	CHECK(!err, "%d", err);
	err = binder_pool_create(w->v, &w->pool);
	CHECK(!err, "%d", err);
	err = file_create(w->v, &desc, &w->foreign);
	CHECK(!err, "%d", err);
}

void world_close(struct world *w)
{
	file_put(w->foreign);
	/* An address space may still be on its way, and its range with it. */
	binder_pool_destroy(w->pool);
	vmarea_destroy(w->v);
}

struct mm_user *world_mm(struct world *w)
{
	struct mm_config config = MM_CONFIG_INIT;
	struct mm_user *mm;
	int err = mm_create(w->v, &config, &mm);

	CHECK(!err, "%d", err);
	return mm;
}

void world_reclaim(struct world *w)
{
	vmarea_shrink(w->v, ~0ul);
}

void end_open(struct world *w, struct mm_user *mm, struct end *end)
{
	struct file_desc desc = { .size = sizeof(desc), .ops = &binder_file_ops,
				  .name = "/dev/binder", .flags = FILE_READ };
	int err = binder_proc_create(w->pool, mm_user_mm(mm), world_ops, &end->proc);

	CHECK(!err, "%d", err);
	desc.private_data = binder_proc_get(end->proc);
	err = file_create(w->v, &desc, &end->file);
	CHECK(!err, "%d", err);
}

void end_close(struct end *end)
{
	file_put(end->file);
	binder_proc_put(end->proc);
}

long end_map(struct end *end, struct mm_user *mm, unsigned long addr, unsigned long nr_pages)
{
	return mm_mmap(mm, addr, nr_pages * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, end->file, 0);
}

long foreign_map(struct world *w, struct mm_user *mm, unsigned long addr, unsigned long nr_pages)
{
	return mm_mmap(mm, addr, nr_pages * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, w->foreign, 0);
}

bool has_page(struct mm_user *mm, unsigned long addr)
{
	enum mm_fault fault;
	char byte;

	return mm_read(mm, addr, &byte, 1, &fault) == 1;
}
