/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A driver that counts how it is called, and refuses when told to.  It uses driver.h only.
 */
#ifndef TESTS_EMBED_PROBE_H
#define TESTS_EMBED_PROBE_H

#include <errno.h>
#include <stdatomic.h>

#include "../mm/space.h"

struct probe {
	/* What its mmap() hook does. */
	vm_flags_t flags;		/* of VM_HOOK_MAY_SET */
	bool mixedmap;
	bool clear_may;			/* all that can be cleared */
	const struct vm_operations_struct *ops;

	/* What its hooks return. */
	int mmap_error, split_error, mremap_error, mprotect_error;

	/* How often they were called. */
	atomic_int nr_mmap, nr_open, nr_close, nr_split, nr_mremap, nr_mprotect, nr_name, nr_release;

	/* Of the last call. */
	unsigned long split_at, start, end;
	vm_flags_t new_flags;

	struct file *file;
	void (*in_close)(struct probe *probe, struct vma_mut *vma);
	void (*in_release)(struct probe *probe);
};

static inline struct probe *probe_of(vma_any vma)
{
	return vma_private_data(vma);
}

static inline void probe_open(struct vma_mut *vma)
{
	probe_of(vma)->nr_open++;
}

static inline void probe_close(struct vma_mut *vma)
{
	struct probe *probe = probe_of(vma);

	probe->nr_close++;
	if (probe->in_close)
		probe->in_close(probe, vma);
}

static inline int probe_may_split(struct vma_ref *vma, unsigned long addr)
{
	struct probe *probe = probe_of(vma);

	probe->nr_split++;
	probe->split_at = addr;
	assert_true(vma_start(vma) < addr && addr < vma_end(vma));
	return probe->split_error;
}

static inline int probe_mremap(struct vma_mut *vma)
{
	struct probe *probe = probe_of(vma);

	probe->nr_mremap++;
	probe->start = vma_start(vma);
	probe->end = vma_end(vma);
	return probe->mremap_error;
}

static inline int probe_mprotect(struct vma_mut *vma, unsigned long start, unsigned long end,
				 vm_flags_t new_flags)
{
	struct probe *probe = probe_of(vma);

	probe->nr_mprotect++;
	probe->start = start;
	probe->end = end;
	probe->new_flags = new_flags;
	assert_true(vma_start(vma) <= start && end <= vma_end(vma));
	return probe->mprotect_error;
}

static inline const char *probe_name(struct vma_ref *vma)
{
	probe_of(vma)->nr_name++;
	return "[probe]";
}

static const struct vm_operations_struct probe_ops = {
	.open = probe_open, .close = probe_close, .may_split = probe_may_split,
	.mremap = probe_mremap, .mprotect = probe_mprotect, .name = probe_name,
};

/* Nothing that would have to be told of an end: its areas join. */
static const struct vm_operations_struct probe_ops_without_close __attribute__((unused)) = {
	.open = probe_open, .may_split = probe_may_split, .mremap = probe_mremap,
	.mprotect = probe_mprotect,
};

static inline int probe_mmap(struct file *file, struct vma_new *vma)
{
	struct probe *probe = file_private_data(file);

	probe->nr_mmap++;
	probe->start = vma_start(vma);
	probe->end = vma_end(vma);
	vma_set_owner(vma, probe->ops, probe);
	if (probe->flags & VM_IO)
		vma_set_io(vma);
	if (probe->flags & VM_DONTEXPAND)
		vma_set_dontexpand(vma);
	if (probe->flags & VM_DONTCOPY)
		vma_set_dontcopy(vma);
	if (probe->flags & VM_DONTDUMP)
		vma_set_dontdump(vma);
	if (probe->mixedmap)
		assert_ptr_equal(vma_set_mixedmap(vma), vma);
	if (probe->clear_may) {
		int refused = !!vma_try_clear_mayread(vma) + !!vma_try_clear_maywrite(vma) +
			      !!vma_try_clear_mayexec(vma);

		/* Exactly those that the mapping has now. */
		assert_int_equal(refused, !!(vma_flags(vma) & VM_READ) +
				 !!(vma_flags(vma) & VM_WRITE) + !!(vma_flags(vma) & VM_EXEC));
	}
	return probe->mmap_error;
}

static inline void probe_release(struct file *file)
{
	struct probe *probe = file_private_data(file);

	probe->nr_release++;
	if (probe->in_release)
		probe->in_release(probe);
}

static const struct file_operations probe_file_ops = {
	.owner = "probe", .mmap = probe_mmap, .release = probe_release,
};

static inline void probe_init(struct probe *probe, struct space *s)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .ops = &probe_file_ops, .private_data = probe,
		.name = "/dev/probe", .flags = FILE_READ | FILE_WRITE,
	};

	*probe = (struct probe){ .ops = &probe_ops };
	assert_int_equal(file_create(s->v, &desc, &probe->file), 0);
}

/* Areas it has by its own count: made by mmap() or by a copy, and not ended. */
static inline int probe_live(const struct probe *probe)
{
	return probe->nr_mmap + probe->nr_open - probe->nr_close;
}

static inline long probe_map(struct probe *probe, struct space *s, unsigned long page,
			     unsigned long nr, unsigned long prot)
{
	return space_map_file(s, page, nr, prot, MAP_SHARED, probe->file, 0);
}

/* The last reference goes, and with it the file. */
static inline void probe_put(struct probe *probe)
{
	assert_int_equal(probe->nr_release, 0);
	file_put(probe->file);
	assert_int_equal(probe->nr_release, 1);
}

#endif
