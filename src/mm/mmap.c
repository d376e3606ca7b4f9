/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mmap().
 *
 *	mm_mmap			arguments that need no lock; the file behind MAP_HUGETLB
 *	  mm_mmap_locked	flags, address, limits, the file's permissions
 *	    map_region		what is there goes, what is new comes
 *	  mm_populate		after the lock
 *
 * The order of the checks is Linux's, since only the first error is seen.
 *
 * With MAP_FIXED the old areas are removed only when everything that Linux checks before has been
 * checked.  What Linux checks after (the file's own mmap() hook, the promise of memory behind a
 * shared anonymous object) leaves a hole when it fails, there as here.  The host's memory is not
 * among that: it was reserved before.
 */
#include "base/atomic.h"
#include "file/filemap.h"
#include "mm/mm.h"
#include "vma/handle.h"

/* What every file understands; the rest wants MAP_SHARED_VALIDATE and a file that knows it. */
#define LEGACY_MAP_FLAGS							\
	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE |	\
	 MAP_EXECUTABLE | MAP_UNINITIALIZED | MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | \
	 MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_32BIT | MAP_ABOVE4G | \
	 (21ul << MAP_HUGE_SHIFT) | (30ul << MAP_HUGE_SHIFT))

#define MAX_FILE_BYTES	0x7ffffffffffffffful

/* A mapping on its way: what was asked for, and what has been done of it. */
struct mapping {
	struct mm_struct *mm;
	unsigned long start, end;
	unsigned long pgoff;
	vm_flags_t flags;
	struct file *file;		/* the caller's reference; NULL: anonymous */
	struct file *backing;		/* a shared anonymous object, ours until it is mapped */
	unsigned long charged;		/* pages promised for it so far */
	bool populate;			/* it will be touched once the lock is dropped */
};

vm_flags_t vm_flags_of_prot(unsigned long prot)
{
	vm_flags_t flags = 0;

	if (prot & PROT_READ)
		flags |= VM_READ;
	if (prot & PROT_WRITE)
		flags |= VM_WRITE;
	if (prot & PROT_EXEC)
		flags |= VM_EXEC;
	return flags;
}

/* MAP_* to VM_GROWSDOWN, VM_LOCKED, VM_SYNC, VM_NOHUGEPAGE. */
static vm_flags_t vm_flags_of_map(unsigned long map_flags)
{
	vm_flags_t flags = 0;

	if (map_flags & MAP_GROWSDOWN)
		flags |= VM_GROWSDOWN;
	if (map_flags & MAP_LOCKED)
		flags |= VM_LOCKED;
	if (map_flags & MAP_SYNC)
		flags |= VM_SYNC;
	if (map_flags & MAP_STACK)
		flags |= VM_NOHUGEPAGE;
	return flags;
}

bool mm_ksm_compatible(const struct file *file, vm_flags_t flags)
{
	if (flags & (VM_SHARED | VM_MAYSHARE | VM_SPECIAL | VM_HUGETLB | VM_DROPPABLE))
		return false;
	return !file || !(file_flags(file) & FILE_DAX);
}

/* ------------------------------------------------------------ permissions -- */

static int check_shared(const struct file *file, unsigned long prot, unsigned long map_flags,
			vm_flags_t *flags)
{
	u32 mode = file_flags(file);
	unsigned long known = LEGACY_MAP_FLAGS;

	if (mode & (FILE_DAX | FILE_MAP_SYNC))
		known |= MAP_SYNC;
	if ((map_flags & MAP_TYPE) == MAP_SHARED)
		map_flags &= LEGACY_MAP_FLAGS;
	if (map_flags & ~known)
		return -EOPNOTSUPP;
	if ((prot & PROT_WRITE) && !(mode & FILE_WRITE))
		return -EACCES;
	if ((mode & FILE_APPEND_ONLY) && (mode & FILE_WRITE))
		return -EACCES;
	*flags |= VM_SHARED | VM_MAYSHARE;
	if (!(mode & FILE_WRITE))
		*flags &= ~(VM_MAYWRITE | VM_SHARED);
	return 0;
}

static int check_seals(const struct file *file, vm_flags_t *flags)
{
	if (!(filemap_seals(file) & FILE_SEALS_WRITE) || !(*flags & VM_SHARED))
		return 0;
	if (*flags & VM_WRITE)
		return -EPERM;
	*flags &= ~VM_MAYWRITE;
	return 0;
}

static bool offset_fits(const struct file *file, unsigned long pgoff, unsigned long len)
{
	unsigned long max = file->max_bytes ? file->max_bytes : MAX_FILE_BYTES;

	return len <= max && pgoff <= (max - len) >> PAGE_SHIFT;
}

static int check_file(const struct file *file, unsigned long prot, unsigned long map_flags,
		      vm_flags_t *flags)
{
	u32 mode = file_flags(file);
	int err;

	switch (map_flags & MAP_TYPE) {
	case MAP_SHARED:
	case MAP_SHARED_VALIDATE:
		err = check_shared(file, prot, map_flags, flags);
		if (err)
			return err;
		break;
	case MAP_PRIVATE:
		break;
	default:
		return -EINVAL;
	}
	if (!(mode & FILE_READ))
		return -EACCES;
	if (mode & FILE_NOEXEC) {
		if (*flags & VM_EXEC)
			return -EPERM;
		*flags &= ~VM_MAYEXEC;
	}
	if (file->ops && !file->ops->mmap && !(mode & FILE_HUGETLB))
		return -ENODEV;
	if (*flags & VM_GROWSDOWN)
		return -EINVAL;
	return check_seals(file, flags);
}

static int check_anonymous(unsigned long map_flags, vm_flags_t *flags)
{
	switch (map_flags & MAP_TYPE) {
	case MAP_SHARED:
		if (*flags & VM_GROWSDOWN)
			return -EINVAL;
		*flags |= VM_SHARED | VM_MAYSHARE;
		return 0;
	case MAP_DROPPABLE:
		if ((map_flags & (MAP_LOCKED | MAP_HUGETLB)) || (*flags & VM_GROWSDOWN))
			return -EINVAL;
		*flags |= VM_DROPPABLE | VM_NORESERVE | VM_WIPEONFORK | VM_DONTDUMP;
		return 0;
	case MAP_PRIVATE:
		return 0;
	default:
		return -EINVAL;
	}
}

/* ------------------------------------------------------------- the region -- */

/* Is what it maps an object that the mm makes for it? */
static bool wants_backing(const struct mapping *m)
{
	return (m->flags & VM_SHARED) && (!m->file || (file_flags(m->file) & FILE_DEV_ZERO));
}

/* The host's memory for all that follows. */
static int reserve(struct mapping *m)
	__must_hold(vma_stable) __may_sleep
{
	int err = map_reserve_range(m->mm, m->start, m->end, 1);

	if (!err && m->populate && !(m->flags & VM_MAYSHARE))
		err = anon_reserve(m->mm, 1);
	if (err || !wants_backing(m))
		return err;
	m->backing = shared_anon_create(m->mm);
	return m->backing ? 0 : -ENOMEM;
}

/* The old areas go; limits are checked as if they were gone already. */
static int clear_range(struct mapping *m)
	__must_hold(vma_stable) __may_sleep
{
	struct mm_struct *mm = m->mm;
	unsigned long nr_pages = (m->end - m->start) >> PAGE_SHIFT;
	struct unmap_totals old;
	int err = mm_cut_locked(mm, m->start, m->end, &old);

	if (err)
		return err;
	if (!mm_may_expand(mm, m->flags, nr_pages - old.nr_pages))
		return -ENOMEM;
	if (mm_is_accountable(m->file, m->flags)) {
		/* What the old areas were promised goes over to the new one. */
		if (nr_pages > old.nr_accounted) {
			err = mm_commit(mm, nr_pages - old.nr_accounted);
			if (err)
				return err;
		}
		m->charged = nr_pages;
		old.nr_accounted = 0;
		m->flags |= VM_ACCOUNT;
	}
	mm_drop_cut_locked(mm, m->start, m->end);
	mm_uncommit(mm, old.nr_accounted);
	return 0;
}

static struct vm_area_struct *merge(const struct mapping *m)
	__must_hold(vma_stable) __may_sleep
{
	const struct vma_proposal p = {
		.mm = m->mm, .start = m->start, .end = m->end, .flags = m->flags,
		.pgdelta = m->pgoff - (m->start >> PAGE_SHIFT), .file = m->file,
	};

	return vma_merge_new(&p);
}

static int setup_backing(struct mapping *m, struct vm_area_struct *vma)
	__must_hold_shared(vma_stable) __may_sleep
{
	/* MAP_NORESERVE: its pages are promised one by one, when they are there. */
	if (!(m->flags & VM_NORESERVE)) {
		int err = shared_anon_commit(m->mm, m->backing, vma_pages(vma));

		if (err)
			return err;
	}
	if (vma->vm_file)
		file_put(vma->vm_file);
	file_set_size(m->backing, m->end - m->start);
	vma_init(vma, vm_file, m->backing);
	vma_init(vma, vm_ops, &shared_anon_vm_ops);
	m->backing = NULL;
	return 0;
}

/* What the file's kind makes of the new area.  The area may have other flags afterwards. */
static int setup_file(struct mapping *m, struct vm_area_struct *vma)
	__must_hold(vma_stable) __may_sleep
{
	struct file *file = vma->vm_file;

	if (wants_backing(m))
		return setup_backing(m, vma);
	if (!file)
		return 0;
	if (file_flags(file) & FILE_DEV_ZERO)
		return 0;
	vma_init(vma, vm_ops, &file_vm_ops);
	if ((vma->vm_flags & VM_SYNC) &&
	    (file_flags(file) & (FILE_MAP_SYNC | FILE_DAX)) == FILE_MAP_SYNC)
		return -EOPNOTSUPP;
	if (file_flags(file) & FILE_HUGETLB)
		return hugetlb_mmap(vma);
	return file_ops_mmap(file, vma);
}

/*
 * A hook may make the area one that same-page merging cannot work on; only after it that is known.
 * So before, when neighbours are looked at, such a file's area is not yet for merging.
 */
static bool has_late_hook(const struct file *file)
{
	u32 flags = file ? file_flags(file) : 0;

	return (flags & (FILE_DEV_ZERO | FILE_HUGETLB)) ||
	       (file && file->ops && !(flags & FILE_SHMEM));
}

static int insert_new(struct mapping *m, struct vm_area_struct **out)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = vma_new(m->mm);
	int err;

	vma_init(vma, vm_start, m->start);
	vma_init(vma, vm_end, m->end);
	vma_init(vma, vm_flags, m->flags);
	vma_init(vma, vm_pgdelta, m->pgoff - (m->start >> PAGE_SHIFT));
	vma_init(vma, vm_file, m->file ? file_get(m->file) : NULL);
	err = setup_file(m, vma);
	if (err) {
		/* What its hook has inserted. */
		pages_zap(m->mm, m->start, m->end, ZAP_ALL);
		pages_free_tables(m->mm, m->start, m->end);
		vma_discard(vma);
		return err;
	}
	if (m->mm->memory_merge && has_late_hook(m->file) &&
	    mm_ksm_compatible(vma->vm_file, vma->vm_flags))
		vma_init(vma, vm_flags, vma->vm_flags | VM_MERGEABLE);
	map_insert(vma);
	*out = vma;
	return 0;
}

/* Locked areas count, but for those that cannot be. */
static void account_new(struct mapping *m, struct vm_area_struct *vma)
	__must_hold(vma_stable) __may_sleep
{
	unsigned long nr_pages = (m->end - m->start) >> PAGE_SHIFT;
	vm_flags_t flags = vma->vm_flags;
	bool dax = vma->vm_file && (file_flags(vma->vm_file) & FILE_DAX);

	mm_account(m->mm, flags, (long)nr_pages);
	if (flags & VM_LOCKED) {
		if ((flags & (VM_SPECIAL | VM_HUGETLB | VM_DROPPABLE)) || dax)
			flags &= ~VM_LOCKED_MASK;
		else
			mm_add(m->mm, locked_vm, nr_pages);
	}
	if (has_feature(m->mm->instance, VMAREA_FEATURE_SOFT_DIRTY))
		flags |= VM_SOFTDIRTY;
	map_set_flags(vma, flags);
}

static long map_region(struct mapping *m)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma;
	int err;

	if (m->mm->memory_merge && !has_late_hook(m->file) && mm_ksm_compatible(m->file, m->flags))
		m->flags |= VM_MERGEABLE;
	err = reserve(m);
	if (err)
		goto out;
	err = clear_range(m);
	if (err)
		goto out;
	vma = merge(m);
	err = vma ? 0 : insert_new(m, &vma);
	if (err)
		mm_uncommit(m->mm, m->charged);
	else
		account_new(m, vma);
out:
	if (m->backing)
		file_put(m->backing);
	if (err)
		anon_unreserve(m->mm);
	return err ? err : (long)m->start;
}

/* The same for what a seal may forbid (file/seals.c). */
static long map_sealable(struct mapping *m)
	__must_hold(vma_stable) __may_sleep
{
	struct address_space *inode = m->file ? m->file->mapping : NULL;
	long ret;

	if (!inode || (m->flags & (VM_SHARED | VM_MAYWRITE)) != (VM_SHARED | VM_MAYWRITE))
		return map_region(m);
	if (!filemap_enter_writable(inode))
		return -EPERM;
	ret = map_region(m);
	filemap_leave_writable(inode);
	return ret;
}

/* ------------------------------------------------------------------- mmap -- */

static int check_lock_and_limits(const struct mm_struct *mm, unsigned long map_flags,
				 vm_flags_t flags, unsigned long len)
	__must_hold_shared(vma_stable)
{
	if ((map_flags & MAP_LOCKED) && !mm_rlimit(mm, MM_RLIMIT_MEMLOCK) &&
	    !mm_capable(mm, MM_CAP_IPC_LOCK))
		return -EPERM;
	return mm_may_lock(mm, flags, len) ? 0 : -EAGAIN;
}

/* MAP_NORESERVE, where the mode of overcommit lets it count. */
static vm_flags_t noreserve(const struct mm_struct *mm, const struct file *file,
			    unsigned long map_flags)
{
	if (!(map_flags & MAP_NORESERVE))
		return 0;
	if (mm->instance->config.overcommit != VMAREA_OVERCOMMIT_NEVER ||
	    (file && (file_flags(file) & FILE_HUGETLB)))
		return VM_NORESERVE;
	return 0;
}

bool mm_wants_populate(const struct mm_struct *mm, unsigned long map_flags)
{
	return ((vm_flags_of_map(map_flags) | mm->def_flags) & VM_LOCKED) ||
	       (map_flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
}

long mm_mmap_locked(struct mm_struct *mm, unsigned long addr, unsigned long len,
		    unsigned long prot, unsigned long map_flags, vm_flags_t extra,
		    struct file *file, unsigned long pgoff)
{
	struct mapping m = { .mm = mm, .file = file, .pgoff = pgoff,
			     .populate = mm_wants_populate(mm, map_flags) };
	long place;
	int err;

	if (!len)
		return -EINVAL;
	/* Relaxed: a new personality counts from the next call on. */
	if ((prot & PROT_READ) &&
	    (atomic_load_relaxed(&mm->personality) & MM_PERS_READ_IMPLIES_EXEC) &&
	    !(file && (file_flags(file) & FILE_NOEXEC)))
		prot |= PROT_EXEC;
	if (map_flags & MAP_FIXED_NOREPLACE)
		map_flags |= MAP_FIXED;
	len = page_align(len);
	if (!len)
		return -ENOMEM;
	if (pgoff + (len >> PAGE_SHIFT) < pgoff)
		return -EOVERFLOW;
	if (mm->map_count > mm->instance->config.max_map_count)
		return -ENOMEM;
	m.flags = extra | vm_flags_of_prot(prot) | vm_flags_of_map(map_flags) | mm->def_flags |
		  VM_MAY_FLAGS;
	place = mm_place(mm, file, addr, len, pgoff, map_flags);
	if (place < 0)
		return place;
	m.start = (unsigned long)place;
	m.end = m.start + len;
	if ((map_flags & MAP_FIXED_NOREPLACE) && vma_in(mm, m.start, m.end))
		return -EEXIST;
	err = check_lock_and_limits(mm, map_flags, m.flags, len);
	if (err)
		return err;
	if (file && !offset_fits(file, pgoff, len))
		return -EOVERFLOW;
	err = file ? check_file(file, prot, map_flags, &m.flags)
		   : check_anonymous(map_flags, &m.flags);
	if (err)
		return err;
	/* An anonymous page's place in its anon_vma is its address; a shared object starts at 0. */
	if (!file)
		m.pgoff = (m.flags & VM_SHARED) ? 0 : m.start >> PAGE_SHIFT;
	m.flags |= noreserve(mm, file, map_flags);
	return map_sealable(&m);
}

/* What is mapped in the end; the caller's file, or one that is made here and put by the caller. */
static int file_to_map(struct mm_struct *mm, unsigned long map_flags, struct file *given,
		       unsigned long *len, struct file **file, struct file **made) __may_sleep
{
	unsigned int shift;

	*file = *made = NULL;
	if (!(map_flags & MAP_ANONYMOUS)) {
		if (!given)
			return -EBADF;
		if (given->instance != mm->instance)
			return -EINVAL;
		*file = given;
		if (file_flags(given) & FILE_HUGETLB)
			*len = ALIGN(*len, BIT(given->huge_shift));
		else if (map_flags & MAP_HUGETLB)
			return -EINVAL;
	} else if (map_flags & MAP_HUGETLB) {
		shift = hugetlb_shift(mm->instance, map_flags);
		if (!shift)
			return -EINVAL;
		*len = ALIGN(*len, BIT(shift));
		*file = *made = hugetlb_anon_create(mm, shift);
		if (!*made)
			return -ENOMEM;
		file_set_size(*made, *len);
	}
	return 0;
}

long mm_mmap(struct mm_user *user, unsigned long addr, unsigned long len, unsigned long prot,
	     unsigned long flags, struct file *given, unsigned long offset_bytes)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	unsigned int nr_tries = 0;
	struct file *file, *made;
	bool populate;
	long ret;

	if (!page_aligned(offset_bytes))
		return -EINVAL;
	ret = file_to_map(mm, flags, given, &len, &file, &made);
	if (ret)
		return ret;
	do {
		ret = mm_write_lock_killable(mm);
		if (ret)
			break;
		ret = mm_mmap_locked(mm, addr, len, prot, flags, 0, file,
				     offset_bytes >> PAGE_SHIFT);
		populate = mm_wants_populate(mm, flags);
		mm_write_unlock(mm);
		if (ret >= 0 && populate)
			mm_populate(mm, (unsigned long)ret, page_align(len));
	} while (mm_call_again(mm->instance, &ret, &nr_tries));
	if (made)
		file_put(made);
	return ret;
}
