/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * How long an instance and an mm live.
 *
 *	mm_count	references to the struct; all users together hold one.  0: it is freed.
 *	mm_users	references to the address space.  0: it is torn down, and stays empty.
 *
 *	mm_create, mm_fork	mm_users 1, mm_count 1
 *	mmget, mmget_not_zero	mm_users + 1; the second is for who has an mm_count only
 *	mmput, mmput_async	mm_users - 1; the last: teardown, then the users' mm_count - 1
 *	mmgrab, mmdrop		mm_count +- 1
 *
 * mm_users never leaves 0, so nobody can enter an mm that is being torn down, and no reader is
 * inside: every lookup needs a user.  (The memory of its VMAs may be looked at all the same, by a
 * late reader of the mm that had it before: vma/lock.c.)  The teardown takes the mmap lock all the
 * same, because close() hooks are promised it, and drops files without it, because release() may do
 * as it likes.
 *
 * Ordering.
 *  (A) A put is a release and the last one an acquire: what any user did comes before the teardown,
 *      and what any holder did to the struct before it is freed.
 *  (B) A get is relaxed: what it makes reachable was reachable for the caller already, by the
 *      reference it has (or, for mmget_not_zero(), by the mmap lock, taken later).
 */
#include "base/atomic.h"
#include "file/filemap.h"
#include "mm/lifetime.h"
#include "mm/mm.h"
#include "phys/phys.h"
#include "port/port.h"
#include "reclaim/reclaim.h"
#include "rmap/rmap.h"
#include "swap/swap.h"
#include "vma/handle.h"
#include "vma/rmap_place.h"

#define KNOWN_FEATURES							\
	(VMAREA_FEATURES_DEFAULT | VMAREA_FEATURE_SOFT_DIRTY | VMAREA_FEATURE_HUGE_1G)
#define KNOWN_CAPS	(MM_CAP_IPC_LOCK | MM_CAP_SYS_RAWIO | MM_CAP_SYS_ADMIN)

/* The lower half of five-level x86-64: no address is higher in any machine we model. */
#define MAX_TASK_SIZE	BIT(56)

/* ------------------------------------------------------------- instance -- */

/* 0, too: a page. */
static bool around_valid(unsigned long bytes)
{
	return !(bytes & (bytes - 1)) && (!bytes || bytes >= PAGE_SIZE) && bytes <= PMD_SIZE;
}

static bool config_valid(const struct vmarea_config *c)
{
	return c->size == sizeof(*c) && c->total_ram_pages && !(c->features & ~KNOWN_FEATURES) &&
	       (unsigned int)c->overcommit <= VMAREA_OVERCOMMIT_NEVER && c->max_map_count &&
	       c->mmap_min_addr < MAX_TASK_SIZE && c->lsm_mmap_min_addr < MAX_TASK_SIZE &&
	       (unsigned int)c->thp <= VMAREA_THP_NEVER &&
	       around_valid(c->fault_around_bytes);
}

static int frames_create(struct vmarea *instance, unsigned long bytes) __may_sleep
{
	int err;

	if (!bytes)
		return 0;
	err = arena_create(bytes, &instance->arena);
	if (err)
		return err;
	err = page_cache_create(instance);
	if (err)
		goto out_arena;
	instance->cache->unmap = unmap_mapping_range;
	instance->cache->mkclean = rmap_mkclean;
	instance->cache->reclaim = reclaim_for_file;
	err = swap_space_create(instance);
	if (err)
		goto out_cache;
	err = anon_pool_create(instance);
	if (err)
		goto out_swap;
	return 0;
out_swap:
	swap_space_destroy(instance);
out_cache:
	page_cache_destroy(instance);
out_arena:
	arena_destroy(instance->arena);
	return err;
}

static void frames_destroy(struct vmarea *instance) __may_sleep
{
	if (!instance->arena)
		return;
	anon_pool_destroy(instance);
	swap_space_destroy(instance);
	page_cache_destroy(instance);
	arena_destroy(instance->arena);
}

int vmarea_create(const struct vmarea_config *config, struct vmarea **out)
{
	struct vmarea *instance;
	int err;

	if (!config_valid(config))
		return -EINVAL;
	might_sleep();
	instance = port_alloc(sizeof(*instance));
	if (!instance)
		return -ENOMEM;
	err = frames_create(instance, config->arena_bytes);
	if (err) {
		port_free(instance, sizeof(*instance));
		return err;
	}
	instance->config = *config;
	for (int i = 0; i < 2; i++)
		instance->huge_free[i] = nr_huge_pages(config, i);
	instance_rolls_init(instance);
	instance_shrinkers_init(instance);
	vma_pool_init(instance);
	*out = instance;
	return 0;
}

static bool has_shrinkers(const struct vmarea *instance)
	__context_unsafe("nobody else uses the instance any more")
{
	return instance->shrinkers;
}

static void check_nothing_left(struct vmarea *instance) __may_sleep
{
	/* Acquire pairs with the releases of those who count down. */
	u32 nr = atomic_load_acquire(&instance->nr_objects);
	struct file *file = NULL;

	for (unsigned int i = 0; nr && !file && i < INSTANCE_ROLLS; i++)
		file = file_next_on_roll(&instance->rolls[i], NULL);
	VM_BUG_ON(nr, "%u mms, files or pages are left, a reference was not put%s%s", nr,
		  file ? "; a file: " : "", file ? file->name : "");
}

void vmarea_destroy(struct vmarea *instance)
{
	might_sleep();
	/* The last mmput_async() of an mm: release() of a file of its may make that of another. */
	do {
		port_work_flush();
		/* Acquire pairs with the release of put_work(): what it counted comes before. */
	} while (atomic_load_acquire(&instance->nr_put_later));
	/* And what they left to RCU. */
	port_rcu_barrier();
	check_nothing_left(instance);
	VM_BUG_ON(has_shrinkers(instance), "a shrinker is still registered");
	/* All that could have been promised anything is gone. */
	VM_BUG_ON(instance->committed, "%ld pages are still promised", instance->committed);
	for (int i = 0; i < 2; i++)
		VM_BUG_ON(instance->huge_free[i] != nr_huge_pages(&instance->config, i),
			  "%ld of %ld huge pages came back", instance->huge_free[i],
			  nr_huge_pages(&instance->config, i));
	frames_destroy(instance);
	vma_pool_destroy(instance);
	port_free(instance, sizeof(*instance));
}

unsigned long vmarea_committed_pages(const struct vmarea *instance)
{
	return (unsigned long)atomic_load_relaxed(&instance->committed);
}

/* --------------------------------------------------------------- making -- */

int mm_alloc(struct vmarea *instance, struct pages_shape shape, struct mm_struct **out)
{
	struct mm_struct *mm;
	int err;

	might_sleep();
	mm = port_alloc(sizeof(*mm));
	if (!mm)
		return -ENOMEM;
	rt_init(&mm->areas);
	rwsem_init(&mm->mmap_lock, LOCK_RANK_MMAP);
	spin_lock_init(&mm->page_table_lock, LOCK_RANK_MM_TABLES);
	kill_group_init(&mm->kill);
	user_faults_list_init(&mm->faults_list);
	mm_make_private(mm);
	mm_init(mm, instance, instance);
	/* Relaxed: that it is nobody else's is all. */
	mm_init(mm, number, atomic_add_relaxed(&instance->nr_numbered, 1) + 1);
	err = pages_create(mm, shape);
	if (err) {
		port_free(mm, sizeof(*mm));
		return err;
	}
	mm->mm_users = 1;
	mm->mm_count = 1;
	/* Relaxed: vmarea_destroy() is called after all of this by its contract. */
	atomic_add_relaxed(&instance->nr_objects, 1);
	*out = mm;
	return 0;
}

/* Not before: who finds it on a roll may become a user, and what is half made is thrown away. */
void mm_publish(struct mm_struct *mm)
{
	mm_make_known(mm);
	instance_enlist_mm(mm->instance, &mm->on_roll);
}

/* One whose last mmdrop() waits to take it from the roll is gone already. */
static bool try_grab(struct mm_struct *mm)
{
	u32 count = atomic_load_relaxed(&mm->mm_count);

	while (count && !atomic_cas_relaxed(&mm->mm_count, &count, count + 1))	/* (B) */
		;
	return count;
}

struct mm_struct *mm_next_on_roll(struct instance_roll *roll, struct mm_struct *mm)
{
	struct mm_struct *next = NULL;
	struct list_head *link;

	spin_lock(&roll->lock);
	link = mm ? mm->on_roll.link.next : roll->mms.next;
	for (; link != &roll->mms && !next; link = link->next) {
		next = list_entry(link, struct mm_struct, on_roll.link);
		if (!try_grab(next))
			next = NULL;
	}
	spin_unlock(&roll->lock);
	if (mm)
		mmdrop(mm);
	return next;
}

static bool is_range(unsigned long start, unsigned long end, unsigned long limit)
{
	return start <= end && end <= limit;
}

bool mm_layout_valid(const struct vmarea *instance, struct pages_shape shape,
		     const struct mm_config *c)
{
	return c->size == sizeof(*c) && c->task_size && c->task_size <= MAX_TASK_SIZE &&
	       page_aligned(c->task_size | c->mmap_base | c->mmap_legacy_base) &&
	       c->mmap_base <= c->task_size && c->mmap_legacy_base <= c->task_size &&
	       is_range(c->start_code, c->end_code, c->task_size) &&
	       is_range(c->start_data, c->end_data, c->task_size) &&
	       is_range(c->start_brk, c->brk, c->task_size) && c->start_stack <= c->task_size &&
	       (!instance->arena || pages_shape_valid(shape, c->task_size));
}

void mm_set_layout(struct mm_struct *mm, const struct mm_config *config)
{
	/* mincore() and process_madvise() check by it before they lock. */
	mm_set_relaxed(mm, task_size, config->task_size);
	mm_set(mm, mmap_base, config->mmap_base);
	mm_set(mm, mmap_legacy_base, config->mmap_legacy_base);
	mm_set(mm, bottom_up, config->bottom_up);
	mm_set(mm, start_code, config->start_code);
	mm_set(mm, end_code, config->end_code);
	mm_set(mm, start_data, config->start_data);
	mm_set(mm, end_data, config->end_data);
	/* mm_query() names [heap] and [stack] by these, without a lock. */
	mm_set_relaxed(mm, start_brk, config->start_brk);
	mm_set_relaxed(mm, brk, config->brk);
	mm_set_relaxed(mm, start_stack, config->start_stack);
}

int mm_create(struct vmarea *instance, const struct mm_config *config, struct mm_user **out)
	__context_unsafe("nobody else knows the mm yet")
{
	struct pages_shape shape = pages_shape_in(config);
	unsigned int nr_tries = 0;
	struct mm_struct *mm;
	long ret;

	if (!mm_layout_valid(instance, shape, config) || (config->caps & ~KNOWN_CAPS))
		return -EINVAL;
	do
		ret = mm_alloc(instance, shape, &mm);
	while (mm_call_again(instance, &ret, &nr_tries));
	if (ret)
		return (int)ret;
	mm_set_layout(mm, config);
	for (int i = 0; i < MM_NR_RLIMITS; i++)
		mm->rlimit[i] = config->rlimit[i];
	mm->caps = config->caps;
	mm->personality = config->personality;
	mm_publish(mm);
	*out = handle_user(mm);
	return 0;
}

int mm_set_rlimit(struct mm_user *user, enum mm_rlimit which, unsigned long bytes)
{
	if ((unsigned int)which >= MM_NR_RLIMITS)
		return -EINVAL;
	atomic_store_relaxed(&mm_of(user)->rlimit[which], bytes);
	return 0;
}

int mm_set_personality(struct mm_user *user, unsigned int personality)
{
	atomic_store_relaxed(&mm_of(user)->personality, personality);
	return 0;
}

int mm_set_caps(struct mm_user *user, unsigned int caps)
{
	if (caps & ~KNOWN_CAPS)
		return -EINVAL;
	atomic_store_relaxed(&mm_of(user)->caps, caps);
	return 0;
}

/* ------------------------------------------------------------- unmaking -- */

/* Promises end and drivers are told; the areas stay in the tree. */
static void close_areas(struct mm_struct *mm) __may_sleep
{
	unsigned long nr_accounted = 0;
	struct rt_entry entry;
	struct rt_iter it;

	mm_write_lock(mm);
	rt_iter_init(&it, rt_working(&mm->areas), 0);
	while (rt_iter_next(&it, &entry)) {
		struct vm_area_struct *vma = entry.item;

		vma_lock_write(vma);
		pages_zap(mm, vma->vm_start, vma->vm_end, ZAP_ALL);
		if (vma->vm_flags & VM_ACCOUNT)
			nr_accounted += vma_pages(vma);
		mm_forget_area(mm, vma);
		vma_ops_close(vma);
	}
	mm_uncommit(mm, nr_accounted);
	mm_write_unlock(mm);
}

/* No lock is held: the last put of a file calls the embedder.  The tree is of no use after. */
static void free_areas(struct mm_struct *mm) __may_sleep
	__context_unsafe("nobody else can reach them")
{
	struct rt_entry entry;
	struct rt_iter it;

	rt_iter_init(&it, rt_working(&mm->areas), 0);
	while (rt_iter_next(&it, &entry)) {
		struct vm_area_struct *vma = entry.item;

		/* This mm has no reader left; another mm's may be late, and look at this memory. */
		vma_detach(vma);
		anon_chain_put(vma->anon);
		anon_name_put(vma->anon_name);
		if (vma->vm_file)
			file_put(vma->vm_file);
		vma_pool_free(mm->instance, vma);
	}
	rt_destroy(&mm->areas);
	rt_init(&mm->areas);
	mm_set(mm, map_count, 0);
}

static void free_spares(struct mm_struct *mm)
	__context_unsafe("nobody else can reach them")
{
	map_unreserve(mm, 0);
	anon_unreserve(mm);
}

static void mm_teardown(struct mm_struct *mm) __may_sleep
{
	mm_make_private(mm);
	close_areas(mm);
	rmap_hide_all(mm);
	pages_destroy(mm);
	free_areas(mm);
	free_spares(mm);
	user_faults_end_mm(mm);
}

/* Before its areas cannot be found any more. */
static void zap_all(struct mm_struct *mm)
	__context_unsafe("nobody else can reach them but by the reverse maps")
{
	if (mm_has_pages(mm))
		pages_zap(mm, 0, pt_limit(mm->pgt), ZAP_ALL);
}

/* Uncommits what has been promised so far: the areas of a half-made child are in the tree. */
void mm_discard(struct mm_struct *mm)
{
	mm_uncommit(mm, mm_count_committed(mm));
	zap_all(mm);
	rmap_hide_all(mm);
	pages_destroy(mm);
	free_areas(mm);
	free_spares(mm);
	/* Nobody else knows it: no ordering needed. */
	atomic_store_relaxed(&mm->mm_users, 0);
	mmdrop(mm);
}

/* ----------------------------------------------------------- references -- */

void mmgrab(struct mm_struct *mm)
{
	u32 before = atomic_add_relaxed(&mm->mm_count, 1);	/* (B) */

	VM_BUG_ON(!before, "mmgrab() of an mm that is gone");
}

void mmdrop(struct mm_struct *mm)
{
	struct vmarea *instance = mm->instance;
	u32 before = atomic_sub_acq_rel(&mm->mm_count, 1);	/* (A) */

	VM_BUG_ON(!before, "one mmdrop() too many");
	if (before != 1)
		return;
	VM_BUG_ON(atomic_load_relaxed(&mm->mm_users), "mmdrop() of an mm with %u users",
		  mm->mm_users);
	if (mm->on_roll.roll)
		instance_delist(&mm->on_roll);
	rt_destroy(&mm->areas);
	port_free(mm, sizeof(*mm));
	atomic_sub_release(&instance->nr_objects, 1);	/* pairs with vmarea_destroy() */
}

struct mm_user *mmget_not_zero(struct mm_struct *mm)
{
	u32 users = atomic_load_relaxed(&mm->mm_users);

	do {
		if (!users)
			return NULL;
	} while (!atomic_cas_relaxed(&mm->mm_users, &users, users + 1));	/* (B) */
	return handle_user(mm);
}

struct mm_user *mmget(struct mm_user *user)
{
	struct mm_struct *mm = mm_of(user);
	u32 before = atomic_add_relaxed(&mm->mm_users, 1);			/* (B) */

	VM_BUG_ON(!before, "mmget() of an mm without users");
	return handle_user(mm);
}

/* True for the last: the caller has to tear the address space down. */
static bool put_user(struct mm_struct *mm)
{
	u32 before = atomic_sub_acq_rel(&mm->mm_users, 1);			/* (A) */

	VM_BUG_ON(!before, "one mmput() too many");
	return before == 1;
}

void mmput(struct mm_user *user)
{
	witness_call();
	struct mm_struct *mm = mm_end_user(user);

	might_sleep();
	if (!put_user(mm))
		return;
	mm_teardown(mm);
	mmdrop(mm);
}

static void put_work(struct port_work *work) __may_sleep
{
	struct mm_struct *mm = container_of(work, struct mm_struct, put_work);
	struct vmarea *instance = mm->instance;

	mm_teardown(mm);
	mmdrop(mm);
	/* Pairs with vmarea_destroy(): the last that is done with the instance. */
	atomic_sub_release(&instance->nr_put_later, 1);
}

void mmput_async(struct mm_user *user)
{
	struct mm_struct *mm = mm_end_user(user);

	if (!put_user(mm))
		return;
	/* Relaxed: who destroys the instance knows of this, or waits for the work that does it. */
	atomic_add_relaxed(&mm->instance->nr_put_later, 1);
	/* Only the last user comes here, so the work cannot be queued already. */
	/* Its frames are given back by this process, and not by a forked child of it, too. */
	if (mm_has_pages(mm))
		port_work_shared(&mm->put_work, put_work);
	else
		port_work(&mm->put_work, put_work);
}

struct mm_struct *mm_user_mm(struct mm_user *user)
{
	return mm_of(user);
}
