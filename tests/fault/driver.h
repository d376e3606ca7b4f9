/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A driver that has a page for each place of its file, and answers as it is told.
 */
#ifndef TESTS_FAULT_DRIVER_H
#define TESTS_FAULT_DRIVER_H

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include <vmarea/driver_fault.h>

#include "memory.h"

#define NR_PAGES	16

struct driver {
	struct file *file;
	struct page *pages[NR_PAGES];
	struct vm_operations_struct ops;

	/* What its hooks do. */
	bool mixedmap;
	vm_flags_t flags;		/* of VM_HOOK_MAY_SET */
	int mmap_error;
	vm_fault_t answer, mkwrite_answer;
	bool no_page;			/* it says VM_FAULT_DONE, and gives none */
	struct page *other;		/* it gives this one, with a reference of its own */
	bool inserts;			/* fault() inserts the page itself */
	int (*in_mmap)(struct driver *d, struct vma_new *vma);

	atomic_uint nr_fault, nr_mkwrite, nr_retried;
	atomic_uint flags_seen;		/* VMF_* of all calls since the last forget() */
	atomic_ulong address, pgoff;	/* of the last call */
};

static inline vm_fault_t driver_fault(struct vma_ref *vma, struct vm_fault *vmf)
	__must_hold_shared(vma_stable);
static inline vm_fault_t driver_fault(struct vma_ref *vma, struct vm_fault *vmf)
{
	struct driver *d = vma_private_data(vma);

	d->nr_fault++;
	d->flags_seen |= vmf->flags;
	d->address = vmf->address;
	d->pgoff = vmf->pgoff;
	assert_true(vma_start(vma) <= vmf->address && vmf->address < vma_end(vma));
	if (d->answer == VM_FAULT_RETRY && !(vmf->flags & VMF_MAY_RETRY))
		d->nr_retried++;
	else if (d->answer != VM_FAULT_DONE)
		return d->answer;
	if (d->no_page)
		return VM_FAULT_DONE;
	if (vmf->pgoff >= NR_PAGES)
		return VM_FAULT_SIGBUS;
	if (d->inserts) {
		int err = vm_insert_page(vma_as_mixedmap(vma), vmf->address, d->pages[vmf->pgoff]);

		return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_NOPAGE;
	}
	vmf->page = d->other ? d->other : d->pages[vmf->pgoff];
	page_get(vmf->page);
	return VM_FAULT_DONE;
}

static inline vm_fault_t driver_mkwrite(struct vma_ref *vma, struct vm_fault *vmf)
	__must_hold_shared(vma_stable);
static inline vm_fault_t driver_mkwrite(struct vma_ref *vma, struct vm_fault *vmf)
{
	struct driver *d = vma_private_data(vma);

	d->nr_mkwrite++;
	assert_true(vmf->flags & VMF_WRITE);
	assert_ptr_equal(vmf->page, d->pages[vmf->pgoff]);
	return d->mkwrite_answer;
}

static inline int driver_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook;
static inline int driver_mmap(struct file *file, struct vma_new *vma)
{
	struct driver *d = file_private_data(file);
	int err;

	vma_set_owner(vma, &d->ops, d);
	__vm_flags_set(vma, d->flags);
	if (d->mixedmap)
		vma_set_mixedmap(vma);
	err = d->in_mmap ? d->in_mmap(d, vma) : 0;
	return err ? err : d->mmap_error;
}

static const struct file_operations driver_file_ops = { .owner = "model", .mmap = driver_mmap };

static inline void driver_open(struct driver *d, struct memory *m)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .ops = &driver_file_ops, .private_data = d,
		.name = "/dev/model", .flags = FILE_READ | FILE_WRITE,
	};

	*d = (struct driver){ .ops = { .fault = driver_fault } };
	assert_int_equal(file_create(m->s.v, &desc, &d->file), 0);
	for (int i = 0; i < NR_PAGES; i++) {
		d->pages[i] = alloc_page(m->s.v);
		assert_non_null(d->pages[i]);
		((char *)page_address(d->pages[i]))[123] = (char)(i + 1);
	}
}

/* All of its areas are gone: nobody has a page but the driver. */
static inline void driver_close(struct driver *d, struct memory *m)
{
	space_unmap(&m->s, 0, SPACE_PAGES);
	for (int i = 0; i < NR_PAGES; i++) {
		assert_int_equal(page_refs(d->pages[i]), 1);
		assert_int_equal(page_mapcount(d->pages[i]), 0);
		__free_page(d->pages[i]);
	}
	file_put(d->file);
}

static inline long driver_map(struct driver *d, struct memory *m, unsigned long page,
			      unsigned long nr, unsigned long prot, unsigned long flags)
{
	return space_map_file(&m->s, page, nr, prot, flags, d->file, 0);
}

static inline char driver_byte(const struct driver *d, int nth)
{
	return ((char *)page_address(d->pages[nth]))[123];
}

static inline void forget(struct driver *d)
{
	d->nr_fault = d->nr_mkwrite = d->nr_retried = 0;
	d->flags_seen = 0;
}

static inline void zap(struct memory *m, unsigned long page, unsigned long nr)
{
	struct mmap_read *lock = mmap_read_lock(m->s.mm);
	struct vma_ref *vma = vma_lookup(lock, at(page));

	zap_vma_range(vma, at(page), nr * SPACE_PAGE);
	mmap_read_unlock(lock);
}

/* What goes to the error log until log_end(), which has to contain @text. */
static struct {
	int fds[2], saved;
	unsigned long warned;
} driver_log;

static inline void log_begin(void)
{
	assert_int_equal(pipe2(driver_log.fds, O_NONBLOCK), 0);
	driver_log.saved = dup(STDERR_FILENO);
	dup2(driver_log.fds[1], STDERR_FILENO);
	driver_log.warned = port_warn_count();
}

static inline void log_end(const char *text)
{
	static char out[8192];
	ssize_t got;

	dup2(driver_log.saved, STDERR_FILENO);
	got = read(driver_log.fds[0], out, sizeof(out) - 1);
	close(driver_log.saved);
	close(driver_log.fds[0]);
	close(driver_log.fds[1]);
	out[got > 0 ? got : 0] = 0;
	if (port_warn_count() != driver_log.warned + 1)
		fail_msg("%lu reports: %s", port_warn_count() - driver_log.warned, out);
	if (!strstr(out, text))
		fail_msg("no \"%s\" in: %s", text, out);
}

#endif
