/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A driver with a range of pages in its client's address space, as Binder has one: pages come when
 * they are used, and may be taken back when they are not.
 *
 *	cc driver.c $(pkg-config --cflags --libs vmarea) -o driver
 *	clang -fsyntax-only -DWARN_CONTEXT_ANALYSIS -Wthread-safety driver.c	are the locks held?
 *
 * The driver sees driver.h and nothing else.  It remembers an mm, which may be dead by now, and an
 * address, where something else may be by now; so each time it asks again: is the mm alive, is
 * there a VMA, is it ours?
 *
 * This machine has no frames: vm_insert_page() makes its checks and says -EOPNOTSUPP.
 * A page that gets as far as that counts as in use here.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <vmarea/driver.h>

#define PAGE		4096ul
#define MAX_PAGES	1024

struct range {
	struct vmarea *machine;
	pthread_mutex_t lock;			/* inside the mmap lock */
	struct mm_struct *mm;			/* grabbed by mmap(), dropped by release() */
	unsigned long start, nr_pages;		/* lock; 0: not mapped */
	struct page *pages[MAX_PAGES];		/* lock */
};

/* ---- hooks */

static void range_close(struct vma_mut *vma)	__must_hold(vma_stable);
static int range_may_split(struct vma_ref *vma, unsigned long addr);
static int range_mmap(struct file *file, struct vma_new *vma)	__in_mmap_hook;

static void range_close(struct vma_mut *vma)
{
	struct range *range = vma_private_data(vma);

	pthread_mutex_lock(&range->lock);
	range->nr_pages = 0;
	pthread_mutex_unlock(&range->lock);
}

/* It is unmapped as a whole, or not at all. */
static int range_may_split(struct vma_ref *vma, unsigned long addr)
{
	return -EINVAL;
}

static const struct vm_operations_struct range_vm_ops = {
	.close = range_close, .may_split = range_may_split,
};

static int range_mmap(struct file *file, struct vma_new *vma)
{
	unsigned long nr_pages = (vma_end(vma) - vma_start(vma)) / PAGE;
	struct range *range = file_private_data(file);

	/* Once in the life of a file; the client reads what the driver writes. */
	if (range->mm)
		return -EBUSY;
	if (nr_pages > MAX_PAGES)
		return -EINVAL;
	if (vma_try_clear_maywrite(vma))
		return -EPERM;
	vma_set_dontcopy(vma);
	vma_set_owner(vma, &range_vm_ops, range);
	vma_set_mixedmap(vma);
	range->mm = mm_user_mm(vma_mm(vma));
	mmgrab(range->mm);
	range->start = vma_start(vma);
	range->nr_pages = nr_pages;
	return 0;
}

static void range_release(struct file *file)
{
	struct range *range = file_private_data(file);

	for (size_t i = 0; i < MAX_PAGES; i++) {
		if (range->pages[i])
			__free_page(range->pages[i]);
	}
	if (range->mm)
		mmdrop(range->mm);
	free(range);
}

static const struct file_operations range_file_ops = {
	.owner = "range", .mmap = range_mmap, .release = range_release,
};

/* ---- pages */

/* Page @i becomes visible to the client.  0; -ESRCH: no client any more, or no VMA of ours. */
static int range_use(struct range *range, size_t i) __may_sleep
{
	struct mm_user *mm __free(mmput_async) = mmget_not_zero(range->mm);

	if (!mm)
		return -ESRCH;

	struct page *page __free(free_page) = alloc_page(range->machine);

	if (!page)
		return -ENOMEM;

	CLASS(mmap_read, lock)(mm);
	unsigned long addr = range->start + i * PAGE;
	struct vma_ref *vma = vma_lookup(lock, addr);

	if (!vma)
		return -ESRCH;

	struct vma_mixedmap *mixed = vma_as_owned_mixedmap(vma, &range_vm_ops, range);

	if (!mixed)
		return -ESRCH;

	int err = vm_insert_page(mixed, addr, page);

	if (err && err != -EOPNOTSUPP)
		return err;
	pthread_mutex_lock(&range->lock);
	if (!range->pages[i])
		range->pages[i] = no_free_ptr(page);
	pthread_mutex_unlock(&range->lock);
	return 0;
}

static struct page *take_page(struct range *range, size_t i)
{
	struct page *page;

	pthread_mutex_lock(&range->lock);
	page = range->pages[i];
	range->pages[i] = NULL;
	pthread_mutex_unlock(&range->lock);
	return page;
}

/* As a shrinker does, which comes from inner locks: it tries.  How many pages it got. */
static size_t range_shrink(struct range *range) __may_sleep
{
	struct mm_user *mm __free(mmput_async) = mmget_not_zero(range->mm);
	size_t nr_freed = 0;

	if (!mm)
		return 0;
	for (size_t i = 0; i < MAX_PAGES; i++) {
		unsigned long addr = range->start + i * PAGE;
		struct vma_ref *vma = lock_vma_under_rcu(mm, addr);

		if (!vma)
			continue;

		struct page *page = vma_is_owner(vma, &range_vm_ops, range) ? take_page(range, i) : NULL;

		if (page) {
			zap_vma_range(vma, addr, PAGE);
			__free_page(page);
			nr_freed++;
		}
		vma_end_read(vma);
	}
	return nr_freed;
}

/* ---- the program around it: a client, and what it may try */

#include <vmarea/vmarea.h>

static void expect(const char *what, long got, long want)
{
	printf("%-46s %ld\n", what, got);
	if (got != want) {
		fprintf(stderr, "%s: expected %ld\n", what, want);
		exit(1);
	}
}

static struct file *open_range(struct vmarea *machine, struct range *range) __may_sleep
{
	const struct file_desc desc = {
		.size = sizeof(desc), .ops = &range_file_ops, .private_data = range,
		.name = "/dev/range", .flags = FILE_READ | FILE_WRITE,
	};
	struct file *file;

	range->machine = machine;
	pthread_mutex_init(&range->lock, NULL);
	if (file_create(machine, &desc, &file))
		exit(1);
	return file;
}

int main(void) __may_sleep
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct mm_config mm_config = MM_CONFIG_INIT;
	struct range *range = calloc(1, sizeof(*range));
	struct mm_user *mm, *child;
	struct vmarea *machine;
	struct file *file;
	unsigned long addr;

	if (!range || vmarea_create(&config, &machine) || mm_create(machine, &mm_config, &mm))
		return 1;
	file = open_range(machine, range);
	expect("map it writable",
	       mm_mmap(mm, 0, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), -EPERM);
	addr = (unsigned long)mm_mmap(mm, 0, 16 * PAGE, PROT_READ, MAP_SHARED, file, 0);
	expect("map it", mm_range_ok(mm, addr, 16 * PAGE, PROT_READ), 1);
	expect("map it again", mm_mmap(mm, 0, PAGE, PROT_READ, MAP_SHARED, file, 0), -EBUSY);
	expect("make it writable", mm_mprotect(mm, addr, PAGE, PROT_READ | PROT_WRITE), -EACCES);
	expect("use page 0", range_use(range, 0), 0);
	expect("use page 15", range_use(range, 15), 0);
	expect("use page 16", range_use(range, 16), -ESRCH);
	expect("shrink", (long)range_shrink(range), 2);
	expect("use page 0 again", range_use(range, 0), 0);

	expect("fork", mm_fork(mm, &child), 0);
	expect("the child has it", mm_range_ok(child, addr, 1, PROT_READ), 0);
	mmput(child);

	expect("unmap a part", mm_munmap(mm, addr, PAGE), -EINVAL);
	expect("unmap all", mm_munmap(mm, addr, 16 * PAGE), 0);
	expect("map something else there",
	       mm_mmap(mm, addr, 16 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL,
		       0) == (long)addr, 1);
	expect("use page 1", range_use(range, 1), -ESRCH);
	expect("shrink what is not ours", (long)range_shrink(range), 0);

	mmput(mm);
	expect("use page 1 of the dead", range_use(range, 1), -ESRCH);
	file_put(file);
	vmarea_destroy(machine);
	return 0;
}
