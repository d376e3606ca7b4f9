/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The calls of user_fault.h that are about areas: who answers the faults of which.
 *
 * Registering is like madvise(): areas are split at the ends of the range, get flags and a pointer,
 * and merge with neighbours that are registered alike.
 *
 *	[ A        ][ B ]  hole  [ C ]
 *	     [---------------------]
 *	[ A ][ A'  ][ B']        [C'][C]	all are looked at first; the area limit may stop it
 *						half way, as on Linux
 *
 * A struct user_faults is on its mm's list, with one reference, for as long as an area may point
 * to it: from its making until it is closed and has no area, or until the mm ends.  The list has a
 * lock of its own, so that it can be left when the mm has no users.
 *
 * Closing cannot fail.  If there is no memory to give the areas other flags, they keep them until
 * they go; since it is shut, they count as registered with nobody.
 */
#include "fault/user.h"
#include "mm/mm.h"
#include "reclaim/reclaim.h"

/* ---------------------------------------------------------------------------------- life -- */

static void free_faults(struct user_faults *uf)
{
	struct mm_struct *mm = uf->mm;

	port_free(uf, sizeof(*uf));
	mmdrop(mm);
}

void user_faults_list_init(struct user_faults_list *list)
	__context_unsafe("nobody else knows it yet")
{
	spin_lock_init(&list->lock, LOCK_RANK_INSTANCE);
	list_init(&list->all);
}

static void enlist(struct user_faults *uf)
{
	user_faults_hold(uf);
	spin_lock(&uf->mm->faults_list.lock);
	list_add_tail(&uf->on_mm, &uf->mm->faults_list.all);
	spin_unlock(&uf->mm->faults_list.lock);
}

/* No area points to it. */
static void delist(struct user_faults *uf)
{
	bool listed;

	spin_lock(&uf->mm->faults_list.lock);
	listed = !list_empty(&uf->on_mm);
	list_del_init(&uf->on_mm);
	spin_unlock(&uf->mm->faults_list.lock);
	if (listed)
		user_faults_drop(uf);
}

int user_faults_create(struct mm_user *user, const struct user_faults_config *config,
		       struct user_faults **out)
{
	struct mm_struct *mm = mm_of(user);
	struct user_faults *uf;

	if (config->size != sizeof(*config) || (config->features & ~USER_FAULTS_FEATURES))
		return -EINVAL;
	might_sleep();
	uf = port_alloc(sizeof(*uf));
	if (!uf)
		return -ENOMEM;
	mmgrab(mm);
	user_faults_init(uf, mm, config, free_faults);
	enlist(uf);
	*out = uf;
	return 0;
}

/* The first one there; NULL: the list is empty. */
static struct user_faults *first_of(struct mm_struct *mm)
{
	struct user_faults_list *list = &mm->faults_list;
	struct user_faults *uf = NULL;

	spin_lock(&list->lock);
	if (!list_empty(&list->all))
		uf = user_faults_hold(list_first_entry(&list->all, struct user_faults, on_mm));
	spin_unlock(&list->lock);
	return uf;
}

void user_faults_end_mm(struct mm_struct *mm)
{
	struct user_faults *uf;

	while ((uf = first_of(mm))) {
		user_faults_shut(uf, ESRCH);
		delist(uf);
		user_faults_drop(uf);
	}
}

/* -------------------------------------------------------------------------------- checks -- */

/* A range that a call is about. */
struct user_range {
	struct user_faults *uf;
	unsigned long start, end;
	vm_flags_t modes;			/* VM_UFFD_*; 0: to unregister */
};

/* As all of userfaultfd's calls look at a range.  *end is set. */
static int check_range(const struct user_faults *uf, unsigned long start, unsigned long bytes,
		       unsigned long *end)
{
	const struct mm_struct *mm = uf->mm;
	/* Relaxed: an exec() may come at any time, and then there is nothing. */
	unsigned long task_size = atomic_load_relaxed(&mm->task_size);

	if (!page_aligned(start) || !page_aligned(bytes) || !bytes ||
	    start < mm->instance->config.mmap_min_addr || start >= task_size ||
	    bytes > task_size - start)
		return -EINVAL;
	*end = start + bytes;
	return 0;
}

/* Memory that the embedder could fill: not a driver's, not SysV's, and no huge pages. */
static bool can_answer(const struct vm_area_struct *vma, vm_flags_t modes)
	__must_hold_shared(vma_stable)
{
	const struct file *file = vma->vm_file;

	if (vma->vm_flags & VM_NO_ANSWER)
		return false;
	if (vma_is_anonymous(vma))
		return !(modes & VM_UFFD_MINOR);
	/* Of a file, what is not mapped could not be protected. */
	if ((modes & VM_UFFD_WP) || !file || shm_is_attach(file))
		return false;
	return (file_flags(file) & FILE_SHMEM) &&
	       (vma->vm_ops == &file_vm_ops || vma->vm_ops == &shared_anon_vm_ops);
}

static int check_area(const struct user_range *r, const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	const struct user_faults *now = area_user_faults(vma);

	if (!r->modes && now && now != r->uf)
		return -EINVAL;
	if (!can_answer(vma, r->modes))
		return -EINVAL;
	if (!r->modes)
		return 0;
	if (!(vma->vm_flags & VM_MAYWRITE))
		return -EPERM;
	return now && now != r->uf ? -EBUSY : 0;
}

/* ------------------------------------------------------------------------------- changes -- */

/* Its part of the range is as the call wants it already. */
static bool is_so(const struct user_range *r, const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	if (!r->modes)
		return !vma->user_faults;
	return vma->user_faults == r->uf && (vma->vm_flags & r->modes) == r->modes;
}

/* Nobody is asked any more before a page of [start, end) is written to; @flags: so far. */
static void allow_writes(struct mm_struct *mm, vm_flags_t flags, unsigned long start,
			 unsigned long end)
{
	if ((flags & VM_UFFD_WP) && mm_has_pages(mm))
		pt_user_wp_range(mm->pgt, start, end, PT_USER_ALLOW);
}

/* The area that has the part now; NULL: *err. */
static struct vm_area_struct *change_part(const struct user_range *r, struct vm_area_struct *vma,
					  int *err)
	__must_hold(vma_stable) __may_sleep
{
	unsigned long start = max(vma->vm_start, r->start), end = min(vma->vm_end, r->end);
	struct vma_change to = vma_as_is(vma);
	vm_flags_t before = vma->vm_flags;

	/* Who waits finds the area write-locked until all of this is done. */
	vma_lock_write(vma);
	to.flags = (to.flags & ~VM_UFFD_MASK) | r->modes;
	to.user_faults = r->modes ? r->uf : NULL;
	user_area_leaves(vma, start, end);
	vma = vma_modify(vma, start, end, &to, err);
	/* Refused, the area is as before, and asks as before. */
	if (vma && !(r->modes & VM_UFFD_WP))
		allow_writes(r->uf->mm, before, start, end);
	return vma;
}

static int change_range(const struct user_range *r)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = vma_in(r->uf->mm, r->start, r->end);
	const struct pgtable *pt = r->uf->mm->pgt;
	int err;

	if (!vma || ((r->modes & VM_UFFD_WP) && pt && !pt->format->user_wp))
		return -EINVAL;
	for (; vma && vma->vm_start < r->end; vma = vma_after(vma)) {
		err = check_area(r, vma);
		if (err)
			return err;
	}
	err = map_reserve_range(r->uf->mm, r->start, r->end, 0);
	if (err)
		return err;
	vma = vma_in(r->uf->mm, r->start, r->end);
	for (; vma && vma->vm_start < r->end; vma = vma_after(vma)) {
		if (is_so(r, vma))
			continue;
		vma = change_part(r, vma, &err);
		if (!vma)
			return err;
	}
	return 0;
}

/* A memory call, once the range is known to be one. */
static int change(const struct user_range *r)
	__must_not_hold(vma_stable) __may_sleep
{
	struct mm_user *user = mmget_not_zero(r->uf->mm);
	int err;

	if (!user)
		return -ENOMEM;
	err = mm_write_lock_killable(r->uf->mm);
	if (!err) {
		/* Under the lock: who closes it takes that after it is shut. */
		err = user_faults_open(r->uf) ? change_range(r) : -EBADF;
		mm_write_unlock(r->uf->mm);
	}
	mmput(user);
	return err;
}

int user_faults_register(struct user_faults *uf, unsigned long start, unsigned long bytes,
			 unsigned int modes)
{
	witness_call();
	struct user_range r = { .uf = uf, .start = start };
	int err;

	if (!modes || (modes & ~(USER_FAULT_MISSING | USER_FAULT_WP | USER_FAULT_MINOR)))
		return -EINVAL;
	r.modes = (modes & USER_FAULT_MISSING ? VM_UFFD_MISSING : 0) |
		  (modes & USER_FAULT_WP ? VM_UFFD_WP : 0) |
		  (modes & USER_FAULT_MINOR ? VM_UFFD_MINOR : 0);
	err = check_range(uf, start, bytes, &r.end);
	return err ? err : change(&r);
}

int user_faults_unregister(struct user_faults *uf, unsigned long start, unsigned long bytes)
{
	witness_call();
	struct user_range r = { .uf = uf, .start = start };
	int err = check_range(uf, start, bytes, &r.end);

	return err ? err : change(&r);
}

void user_faults_forget_area(struct vm_area_struct *vma)
{
	vma_lock_write(vma);
	allow_writes(vma->vm_mm, vma->vm_flags, vma->vm_start, vma->vm_end);
	user_area_leaves(vma, vma->vm_start, vma->vm_end);
	map_set_flags(vma, vma->vm_flags & ~VM_UFFD_MASK);
	vma_set(vma, user_faults, NULL);
}

/* --------------------------------------------------------------------------------- close -- */

/* False: there is no memory for that. */
static bool forget_all(struct user_faults *uf)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma;
	unsigned long nr = 0;
	int err;

	for (vma = vma_first(uf->mm, 0); vma; vma = vma_after(vma))
		nr += vma->user_faults == uf;
	/* Each may be joined with its neighbours. */
	if (nr && map_reserve(uf->mm, 0, 3 * nr))
		return false;
	for (vma = vma_first(uf->mm, 0); nr && vma; vma = vma_after(vma)) {
		struct vma_change to = vma_as_is(vma);

		if (vma->user_faults != uf)
			continue;
		to.flags &= ~VM_UFFD_MASK;
		to.user_faults = NULL;
		vma_lock_write(vma);
		allow_writes(uf->mm, vma->vm_flags, vma->vm_start, vma->vm_end);
		/* All of an area: nothing is split, nothing can be refused. */
		vma = vma_modify(vma, vma->vm_start, vma->vm_end, &to, &err);
		VM_BUG_ON(!vma, "%d", err);
	}
	return true;
}

void user_faults_close(struct user_faults *uf)
{
	witness_call();
	struct mm_user *user = mmget_not_zero(uf->mm);
	bool forgotten;

	user_faults_shut(uf, EBADF);
	/* The mm's end takes it off the list. */
	if (!user)
		return;
	mm_write_lock(uf->mm);
	forgotten = forget_all(uf);
	mm_write_unlock(uf->mm);
	if (forgotten)
		delist(uf);
	mmput(user);
}

struct user_faults *user_faults_get(struct user_faults *uf)
{
	/* Relaxed: the caller has one. */
	u32 before = atomic_add_relaxed(&uf->handles, 1);

	VM_BUG_ON(!before, "user_faults_get() of one that is gone");
	return uf;
}

void user_faults_put(struct user_faults *uf)
{
	/* Pairs with itself: whatever was done with any handle comes before the end. */
	u32 before = atomic_sub_acq_rel(&uf->handles, 1);

	VM_BUG_ON(!before, "one user_faults_put() too many");
	if (before != 1)
		return;
	user_faults_close(uf);
	user_faults_drop(uf);
}

/* ------------------------------------------------------------------------------- answers -- */

/* As mm_call_again(), but at the limit of the mm it is the mm's own pages that go. */
static bool fill_again(struct mm_struct *mm, long *ret, unsigned int *nr_tries)
	__must_not_hold(vma_stable) __may_sleep
{
	if (*ret != -ENOFRAME || !mm_over_limit(mm, 1))
		return mm_call_again(mm->instance, ret, nr_tries);
	if (reclaim_for_retry(mm, nr_tries))
		return true;
	*ret = -ENOMEM;
	return false;
}

static int fill_page(struct user_fill *fill)
	__must_not_hold(vma_stable) __may_sleep
{
	unsigned int nr_tries = 0;
	long ret;

	do
		ret = user_fill_page(fill);
	while (fill_again(fill->mm, &ret, &nr_tries));
	return (int)ret;
}

static long fill(struct user_faults *uf, struct user_fill *fill, unsigned long bytes,
		 unsigned int flags)
	__must_not_hold(vma_stable) __may_sleep
{
	bool can_protect = fill->kind == USER_FILL_COPY || fill->kind == USER_FILL_CONTINUE;
	unsigned int known = USER_FAULT_DONTWAKE | (can_protect ? USER_FAULT_PROTECT : 0);
	unsigned long start = fill->addr, done;
	struct mm_user *user;
	int err = check_range(uf, start, bytes, &fill->end);

	if (err || (flags & ~known))
		return -EINVAL;
	fill->protect = flags & USER_FAULT_PROTECT;
	user = mmget_not_zero(uf->mm);
	if (!user)
		return -ESRCH;
	if (!mm_has_pages(uf->mm))
		err = -EOPNOTSUPP;
	fill->mm = uf->mm;
	while (!err && fill->addr < fill->end) {
		err = fill_page(fill);
		if (err)
			break;
		fill->addr += PAGE_SIZE;
		fill->from += fill->from ? PAGE_SIZE : 0;
	}
	done = fill->addr - start;
	if (done && !(flags & USER_FAULT_DONTWAKE))
		user_faults_wake_range(uf, start, fill->addr);
	mmput(user);
	return done ? (long)done : err;
}

long user_faults_copy(struct user_faults *uf, unsigned long start, const void *from,
		      unsigned long bytes, unsigned int flags)
{
	witness_call();
	struct user_fill f = { .addr = start, .from = from, .kind = USER_FILL_COPY };

	return fill(uf, &f, bytes, flags);
}

long user_faults_zeropage(struct user_faults *uf, unsigned long start, unsigned long bytes,
			  unsigned int flags)
{
	witness_call();
	struct user_fill f = { .addr = start, .kind = USER_FILL_ZERO };

	return fill(uf, &f, bytes, flags);
}

long user_faults_continue(struct user_faults *uf, unsigned long start, unsigned long bytes,
			  unsigned int flags)
{
	witness_call();
	struct user_fill f = { .addr = start, .kind = USER_FILL_CONTINUE };

	return fill(uf, &f, bytes, flags);
}

long user_faults_poison(struct user_faults *uf, unsigned long start, unsigned long bytes,
			unsigned int flags)
{
	witness_call();
	struct user_fill f = { .addr = start, .kind = USER_FILL_POISON };

	return fill(uf, &f, bytes, flags);
}

/* Up to the first area that is not registered for it. */
static int protect(struct mm_struct *mm, unsigned long start, unsigned long end,
		   enum pt_user_wp on)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *vma = vma_in(mm, start, end);

	if (!vma)
		return -ENOENT;
	for (; vma && vma->vm_start < end; vma = vma_after(vma)) {
		if (!(vma->vm_flags & VM_UFFD_WP))
			return -ENOENT;
		pt_user_wp_range(mm->pgt, max(start, vma->vm_start), min(end, vma->vm_end), on);
	}
	return 0;
}

int user_faults_writeprotect(struct user_faults *uf, unsigned long start, unsigned long bytes,
			     unsigned int flags)
{
	witness_call();
	bool on = flags & USER_FAULT_PROTECT;
	struct mm_user *user;
	unsigned long end;
	int err = check_range(uf, start, bytes, &end);

	if (err || (flags & ~(USER_FAULT_PROTECT | USER_FAULT_DONTWAKE)) ||
	    flags == (USER_FAULT_PROTECT | USER_FAULT_DONTWAKE))
		return -EINVAL;
	user = mmget_not_zero(uf->mm);
	if (!user)
		return -ESRCH;
	if (mm_has_pages(uf->mm)) {
		mm_read_lock(uf->mm);
		err = protect(uf->mm, start, end, on ? PT_USER_PROTECT : PT_USER_ALLOW);
		mm_read_unlock(uf->mm);
	} else {
		err = -EOPNOTSUPP;
	}
	if (!err && !flags)
		user_faults_wake_range(uf, start, end);
	mmput(user);
	return err;
}

int user_faults_wake(struct user_faults *uf, unsigned long start, unsigned long bytes)
{
	unsigned long end;
	int err = check_range(uf, start, bytes, &end);

	if (!err)
		user_faults_wake_range(uf, start, end);
	return err;
}
