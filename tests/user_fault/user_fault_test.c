/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One call at a time: who may be registered, what becomes of areas, what an answer does. */
#include "faults.h"

#define MISSING		USER_FAULT_MISSING
#define MINOR		USER_FAULT_MINOR
#define WP		USER_FAULT_WP
#define PROTECT		USER_FAULT_PROTECT

static struct memory m;
static struct user_faults *uf;

static void setup(void)
{
	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 16, RW, ANON), 0);
	uf = faults_make(&m, 0);
}

static void teardown(void)
{
	user_faults_put(uf);
	memory_close(&m);
}

static vm_flags_t flags_at(unsigned long page)
{
	struct area_info info;
	vm_flags_t flags;

	assert_int_equal(mm_query(m.s.mm, at(page), &info), 0);
	flags = info.flags;
	area_info_put(&info);
	return flags;
}

/* -------------------------------------------------------------------------- registration -- */

static void arguments_are_checked(void **state)
{
	struct user_faults_config config = USER_FAULTS_CONFIG_INIT;
	struct user_fault_msg msg;
	struct user_faults *other;

	setup();
	config.features = 1u << 31;
	assert_int_equal(user_faults_create(m.s.mm, &config, &other), -EINVAL);
	config = (struct user_faults_config){ .size = 1 };
	assert_int_equal(user_faults_create(m.s.mm, &config, &other), -EINVAL);

	assert_int_equal(faults_register(uf, 0, 4, 0), -EINVAL);
	assert_int_equal(faults_register(uf, 0, 4, 0x80), -EINVAL);
	assert_int_equal(faults_register(uf, 0, 0, MISSING), -EINVAL);
	assert_int_equal(user_faults_register(uf, at(0) + 1, PAGE, MISSING), -EINVAL);
	assert_int_equal(user_faults_register(uf, at(0), PAGE + 1, MISSING), -EINVAL);
	assert_int_equal(user_faults_register(uf, 0, PAGE, MISSING), -EINVAL);
	assert_int_equal(user_faults_register(uf, at(0), ~0ul & ~(PAGE - 1), MISSING), -EINVAL);
	assert_int_equal(faults_register(uf, 100, 4, MISSING), -EINVAL);
	assert_int_equal(faults_unregister(uf, 100, 4), -EINVAL);
	assert_int_equal(user_faults_wake(uf, at(0), 0), -EINVAL);
	assert_int_equal(user_faults_read(uf, &msg, 0), -EINVAL);
	assert_int_equal(faults_copy(uf, 0, 1, 1, 0x80), -EINVAL);
	assert_int_equal(flags_at(0) & VM_UFFD_MISSING, 0);
	teardown();
}

static void areas_split_and_merge(void **state)
{
	setup();
	assert_int_equal(faults_register(uf, 4, 4, MISSING), 0);
	assert_areas(&m.s, "[0..4)rw-p [4..8)rw-p [8..16)rw-p");
	assert_int_equal(flags_at(4) & VM_UFFD_MISSING, VM_UFFD_MISSING);
	assert_int_equal(flags_at(8) & VM_UFFD_MISSING, 0);
	/* The same again changes nothing; more of it merges. */
	assert_int_equal(faults_register(uf, 4, 4, MISSING), 0);
	assert_int_equal(faults_register(uf, 6, 10, MISSING), 0);
	assert_areas(&m.s, "[0..4)rw-p [4..16)rw-p");
	assert_int_equal(faults_unregister(uf, 6, 1), 0);
	assert_areas(&m.s, "[0..4)rw-p [4..6)rw-p [6..7)rw-p [7..16)rw-p");
	assert_int_equal(faults_unregister(uf, 0, 16), 0);
	assert_areas(&m.s, "[0..16)rw-p");
	/* A hole is no error. */
	assert_int_equal(space_unmap(&m.s, 2, 2), 0);
	assert_int_equal(faults_register(uf, 0, 8, MISSING), 0);
	assert_areas(&m.s, "[0..2)rw-p [4..8)rw-p [8..16)rw-p");
	teardown();
}

static void another_has_it(void **state)
{
	struct user_faults *other;

	setup();
	other = faults_make(&m, 0);
	assert_int_equal(faults_register(uf, 4, 4, MISSING), 0);
	assert_int_equal(faults_register(other, 0, 8, MISSING), -EBUSY);
	assert_int_equal(faults_unregister(other, 4, 4), -EINVAL);
	assert_int_equal(faults_register(other, 8, 4, MISSING), 0);
	assert_areas(&m.s, "[0..4)rw-p [4..8)rw-p [8..12)rw-p [12..16)rw-p");
	/* Whoever may answer, may answer. */
	assert_int_equal(faults_copy(other, 4, 1, 7, 0), PAGE);
	assert_int_equal(get(&m, 4), 7);
	user_faults_close(other);
	assert_areas(&m.s, "[0..4)rw-p [4..8)rw-p [8..16)rw-p");
	assert_int_equal(faults_register(other, 8, 4, MISSING), -EBADF);
	assert_int_equal(faults_unregister(other, 8, 4), -EBADF);
	assert_int_equal(faults_register(uf, 8, 8, MISSING), 0);
	user_faults_put(other);
	assert_areas(&m.s, "[0..4)rw-p [4..16)rw-p");
	teardown();
}

static void who_may_be_registered(void **state)
{
	struct file *plain, *shmem, *sealed;

	setup();
	plain = space_file(&m.s, 8, 0, FILE_PLACE_ANY);
	shmem = space_file(&m.s, 8, FILE_SHMEM, FILE_PLACE_SHMEM);
	sealed = space_file(&m.s, 8, FILE_SHMEM | FILE_SEAL_WRITE, FILE_PLACE_SHMEM);
	assert_int_equal(space_map_file(&m.s, 20, 2, RW, MAP_PRIVATE, plain, 0), 0);
	assert_int_equal(space_map_file(&m.s, 22, 2, RW, MAP_SHARED, plain, 0), 0);
	assert_int_equal(space_map_file(&m.s, 24, 2, RW, MAP_SHARED, shmem, 0), 0);
	assert_int_equal(space_map_file(&m.s, 26, 2, RW, MAP_PRIVATE, shmem, 0), 0);
	assert_int_equal(space_map_file(&m.s, 28, 2, PROT_READ, MAP_SHARED, sealed, 0), 0);
	assert_int_equal(space_map(&m.s, 30, 2, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_int_equal(space_map(&m.s, 32, 2, RW, MAP_DROPPABLE | MAP_ANONYMOUS), 0);

	assert_int_equal(faults_register(uf, 20, 1, MISSING), -EINVAL);
	assert_int_equal(faults_register(uf, 22, 1, MISSING), -EINVAL);
	assert_int_equal(faults_register(uf, 24, 2, MISSING), 0);
	assert_int_equal(faults_register(uf, 26, 2, MISSING), 0);
	assert_int_equal(faults_register(uf, 28, 2, MISSING), -EPERM);
	assert_int_equal(faults_register(uf, 30, 2, MISSING), 0);
	assert_int_equal(faults_register(uf, 32, 2, MISSING), -EINVAL);
	/* All are looked at before one is changed. */
	assert_int_equal(faults_register(uf, 0, 21, MISSING), -EINVAL);
	assert_int_equal(flags_at(0) & VM_UFFD_MISSING, 0);
	assert_int_equal(faults_unregister(uf, 20, 1), -EINVAL);
	user_faults_close(uf);
	file_put(plain);
	file_put(shmem);
	file_put(sealed);
	teardown();
}

/* ------------------------------------------------------------------------------- answers -- */

static void copies_and_zeros(void **state)
{
	setup();
	assert_int_equal(faults_copy(uf, 4, 1, 1, 0), -ENOENT);
	assert_int_equal(faults_register(uf, 4, 8, MISSING), 0);
	assert_int_equal(faults_copy(uf, 4, 2, 5, 0), 2 * PAGE);
	assert_int_equal(get(&m, 4), 5);
	assert_int_equal(get(&m, 5), 5);
	assert_int_equal(mm_attrs(m.s.mm, 4) & (PT_WRITE | PT_DIRTY), PT_WRITE | PT_DIRTY);
	assert_int_equal(put(&m, 4, 6), MM_FAULT_DONE);
	assert_int_equal(get(&m, 4), 6);

	/* Somebody's page stays; what came before it is told of first. */
	assert_int_equal(faults_copy(uf, 4, 1, 1, 0), -EEXIST);
	assert_int_equal(faults_zero(uf, 5, 1), -EEXIST);
	assert_int_equal(space_unmap(&m.s, 100, 1), 0);
	assert_int_equal(faults_copy(uf, 7, 1, 9, 0), PAGE);
	assert_int_equal(faults_copy(uf, 6, 3, 8, 0), PAGE);
	assert_int_equal(get(&m, 6), 8);
	assert_int_equal(get(&m, 7), 9);

	assert_int_equal(faults_zero(uf, 8, 2), 2 * PAGE);
	assert_int_equal(get(&m, 8), 0);
	assert_int_equal(mm_attrs(m.s.mm, 8) & (PT_WRITE | PT_SPECIAL), PT_SPECIAL);
	assert_int_equal(put(&m, 8, 3), MM_FAULT_DONE);
	assert_int_equal(get(&m, 8), 3);
	/* Over an end of the area. */
	assert_int_equal(faults_copy(uf, 11, 2, 8, 0), -ENOENT);
	assert_int_equal(faults_zero(uf, 3, 2), -ENOENT);
	/* Discarded, and to be asked for anew. */
	assert_int_equal(mm_madvise(m.s.mm, at(4), PAGE, MADV_DONTNEED), 0);
	assert_int_equal(faults_copy(uf, 4, 1, 44, 0), PAGE);
	assert_int_equal(get(&m, 4), 44);
	teardown();
}

static void guards_give_way_to_bytes(void **state)
{
	setup();
	assert_int_equal(faults_register(uf, 4, 8, MISSING), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(4), 2 * PAGE, MADV_GUARD_INSTALL), 0);
	assert_int_equal(get(&m, 4), NO_BYTE(MAPERR));
	assert_int_equal(faults_zero(uf, 4, 1), -EEXIST);
	assert_int_equal(faults_copy(uf, 4, 1, 1, 0), PAGE);
	assert_int_equal(get(&m, 4), 1);
	assert_int_equal(get(&m, 5), NO_BYTE(MAPERR));
	teardown();
}

static void private_shared_memory(void **state)
{
	struct file *shmem;

	setup();
	shmem = space_file(&m.s, 2, FILE_SHMEM, FILE_PLACE_SHMEM);
	assert_int_equal(space_map_file(&m.s, 24, 4, RW, MAP_PRIVATE, shmem, 0), 0);
	assert_int_equal(faults_register(uf, 24, 4, MISSING), 0);
	assert_int_equal(faults_copy(uf, 24, 1, 4, 0), PAGE);
	assert_int_equal(get(&m, 24), 4);
	assert_int_equal(faults_copy(uf, 26, 1, 4, 0), -EFAULT);
	assert_int_equal(faults_zero(uf, 26, 1), -EFAULT);
	assert_int_equal(faults_zero(uf, 25, 1), PAGE);
	assert_int_equal(put(&m, 25, 1), MM_FAULT_DONE);
	user_faults_close(uf);
	file_put(shmem);
	teardown();
}

static void no_pages_no_answers(void **state)
{
	struct space s;
	struct memory none = { 0 };

	space_open(&s);
	none.s = s;
	assert_int_equal(space_map(&s, 0, 4, RW, ANON), 0);
	uf = faults_make(&none, 0);
	assert_int_equal(faults_register(uf, 1, 2, MISSING), 0);
	assert_areas(&s, "[0..1)rw-p [1..3)rw-p [3..4)rw-p");
	assert_int_equal(faults_copy(uf, 1, 1, 1, 0), -EOPNOTSUPP);
	user_faults_put(uf);
	assert_areas(&s, "[0..4)rw-p");
	space_close(&s);
}

/* Pages of the file: made by answers, and mapped by them. */
static void shared_memory(void **state)
{
	struct file *shmem;
	struct accessor a;
	char byte = 77;

	setup();
	shmem = space_file(&m.s, 8, FILE_SHMEM, FILE_PLACE_SHMEM);
	assert_int_equal(space_map_file(&m.s, 24, 8, RW, MAP_SHARED, shmem, 4), 0);
	assert_int_equal(space_map_file(&m.s, 40, 8, RW, MAP_SHARED, shmem, 0), 0);
	assert_int_equal(faults_register(uf, 24, 8, MISSING | MINOR), 0);
	assert_int_equal(flags_at(24) & VM_UFFD_MASK, VM_UFFD_MISSING | VM_UFFD_MINOR);

	assert_int_equal(faults_copy(uf, 24, 1, 4, 0), PAGE);
	assert_int_equal(get(&m, 24), 4);
	assert_int_equal(get(&m, 44), 4);
	assert_int_equal(put(&m, 24, 5), MM_FAULT_DONE);
	assert_int_equal(get(&m, 44), 5);
	assert_int_equal(faults_zero(uf, 25, 1), PAGE);
	assert_int_equal(get(&m, 25), 0);
	assert_int_equal(faults_copy(uf, 25, 1, 4, 0), -EEXIST);
	assert_int_equal(faults_copy(uf, 28, 1, 4, 0), -EFAULT);
	assert_int_equal(faults_zero(uf, 28, 1), -EFAULT);

	/* In the file, by way of the other mapping, and not mapped here. */
	assert_int_equal(put(&m, 46, 6), MM_FAULT_DONE);
	assert_int_equal(faults_copy(uf, 26, 1, 4, 0), -EEXIST);
	accessor_start(&a, &m, 26, MM_ACCESS_WRITE);
	assert_int_equal(faults_expect(uf, 26).flags,
			 USER_FAULT_FLAG_WRITE | USER_FAULT_FLAG_MINOR);
	assert_int_equal(user_faults_continue(uf, at(26), PAGE, 0), PAGE);
	assert_int_equal(accessor_end(&a), MM_FAULT_DONE);
	assert_int_equal(get(&m, 26), 6);
	assert_int_equal(user_faults_continue(uf, at(26), PAGE, 0), -EEXIST);
	assert_int_equal(user_faults_continue(uf, at(27), PAGE, 0), -EFAULT);

	/* Not in the file: that is asked for as missing. */
	accessor_start(&a, &m, 27, MM_ACCESS_READ);
	assert_int_equal(faults_expect(uf, 27).flags, 0);
	assert_int_equal(faults_copy(uf, 27, 1, 7, 0), PAGE);
	assert_int_equal(accessor_end(&a), MM_FAULT_DONE);
	assert_int_equal(file_read(shmem, 7 * PAGE, &byte, 1), 1);
	assert_int_equal(byte, 7);
	/* Only anonymous memory has nothing to continue. */
	assert_int_equal(faults_register(uf, 0, 4, MINOR), -EINVAL);
	assert_int_equal(faults_register(uf, 0, 4, MISSING), 0);
	assert_int_equal(user_faults_continue(uf, at(0), PAGE, 0), -EINVAL);
	user_faults_close(uf);
	file_put(shmem);
	teardown();
}

static int protect(unsigned long page, unsigned long nr, unsigned int flags)
{
	return user_faults_writeprotect(uf, at(page), nr * PAGE, flags);
}

static bool is_protected(unsigned long page)
{
	return mm_attrs(m.s.mm, page) & PT_USER_WP;
}

/* Not where entries have no bit for it. */
static bool can_protect(void)
{
	return mm_from_user(m.s.mm)->pgt->format->user_wp;
}

static void writes_are_asked_for(void **state)
{
	struct mm_user *child;
	struct accessor a;

	setup();
	if (!can_protect()) {
		assert_int_equal(faults_register(uf, 4, 8, WP), -EINVAL);
		teardown();
		return;
	}
	assert_int_equal(faults_register(uf, 4, 8, MISSING), 0);
	assert_int_equal(protect(4, 8, PROTECT), -ENOENT);
	assert_int_equal(faults_copy(uf, 4, 1, 1, PROTECT), -EINVAL);
	assert_int_equal(faults_register(uf, 4, 8, MISSING | WP), 0);
	assert_int_equal(protect(4, 8, PROTECT | USER_FAULT_DONTWAKE), -EINVAL);
	assert_int_equal(protect(0, 8, PROTECT), -ENOENT);

	assert_int_equal(faults_copy(uf, 4, 1, 1, PROTECT), PAGE);
	assert_int_equal(faults_copy(uf, 5, 2, 2, 0), 2 * PAGE);
	assert_int_equal(faults_zero(uf, 7, 1), PAGE);
	assert_int_equal(protect(5, 7, PROTECT), 0);
	for (unsigned long page = 4; page < 8; page++)
		assert_true(is_protected(page));
	assert_int_equal(get(&m, 4), 1);
	/* It outlives mprotect(), and reading; a fork drops it for the child. */
	assert_int_equal(mm_mprotect(m.s.mm, at(4), 2 * PAGE, PROT_READ), 0);
	assert_int_equal(mm_mprotect(m.s.mm, at(4), 2 * PAGE, RW), 0);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(mm_put(child, 5, 9), MM_FAULT_DONE);
	mmput(child);
	assert_int_equal(get(&m, 5), 2);
	assert_true(is_protected(4));
	assert_true(is_protected(5));
	/* A pin for reading gets a page of its own, which is protected, too. */
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	{
		struct page *page;

		assert_int_equal(mm_pin_pages(m.s.mm, at(5), 1, MM_ACCESS_READ, &page), 1);
		mm_unpin_pages(&page, 1);
	}
	mmput(child);
	assert_true(is_protected(5));

	for (unsigned long page = 4; page < 8; page += 3) {
		accessor_start(&a, &m, page, MM_ACCESS_WRITE);
		assert_int_equal(faults_expect(uf, page).flags,
				 USER_FAULT_FLAG_WRITE | USER_FAULT_FLAG_WP);
		assert_int_equal(user_faults_wake(uf, at(page), PAGE), 0);
		faults_expect(uf, page);
		assert_int_equal(protect(page, 1, 0), 0);
		assert_int_equal(accessor_end(&a), MM_FAULT_DONE);
		assert_false(is_protected(page));
	}
	assert_int_equal(put(&m, 4, 3), MM_FAULT_DONE);
	memory_validate(m.s.mm);
	/* What moves is asked for no more, nor what is registered otherwise. */
	assert_int_equal(mm_mremap(m.s.mm, at(5), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				   at(40)), at(40));
	assert_false(is_protected(40));
	assert_int_equal(put(&m, 40, 3), MM_FAULT_DONE);
	assert_true(is_protected(6));
	assert_int_equal(faults_unregister(uf, 6, 1), 0);
	assert_int_equal(put(&m, 6, 3), MM_FAULT_DONE);
	assert_int_equal(protect(7, 1, PROTECT), 0);
	user_faults_close(uf);
	assert_int_equal(put(&m, 7, 3), MM_FAULT_DONE);
	teardown();
}

/* The area cannot be split: its pages are asked for as before. */
static void what_is_refused_keeps_it(void **state)
{
	memory_init(&m, MEMORY_BYTES);
	m.s.config.max_map_count = 2;
	memory_create(&m);
	assert_int_equal(space_map(&m.s, 0, 16, RW, ANON), 0);
	uf = faults_make(&m, 0);
	if (can_protect()) {
		assert_int_equal(faults_register(uf, 0, 16, WP), 0);
		assert_int_equal(put(&m, 5, 1), MM_FAULT_DONE);
		assert_int_equal(protect(5, 1, PROTECT), 0);
		assert_int_equal(faults_register(uf, 5, 1, MISSING), -ENOMEM);
		assert_true(is_protected(5));
		assert_int_equal(faults_unregister(uf, 5, 1), -ENOMEM);
		assert_true(is_protected(5));
		assert_int_equal(faults_unregister(uf, 5, 11), 0);
		assert_false(is_protected(5));
	}
	teardown();
}

/* The child has a copy of it at once: that is asked for no more than what it shares. */
static void a_fork_drops_it_for_pinned_pages(void **state)
{
	struct mm_user *child;
	struct page *page;

	setup();
	if (!can_protect()) {
		teardown();
		return;
	}
	assert_int_equal(faults_register(uf, 4, 8, WP), 0);
	assert_int_equal(put(&m, 4, 1), MM_FAULT_DONE);
	assert_int_equal(mm_pin_pages(m.s.mm, at(4), 1, MM_ACCESS_READ, &page), 1);
	assert_int_equal(protect(4, 1, PROTECT), 0);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	mm_unpin_pages(&page, 1);
	assert_true(is_protected(4));
	assert_int_equal(mm_attrs(child, 4) & PT_USER_WP, 0);
	memory_validate(child);
	assert_int_equal(mm_put(child, 4, 2), MM_FAULT_DONE);
	assert_int_equal(get(&m, 4), 1);
	mmput(child);
	teardown();
}

/* A leaf of 2 MiB is protected whole, or split where a part is. */
static void huge_pages_are_protected(void **state)
{
	const unsigned long first = 512;
	struct accessor a;

	setup();
	if (!can_protect()) {
		teardown();
		return;
	}
	assert_int_equal(space_map(&m.s, first, 1024, RW, ANON), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(first), 1024 * PAGE, MADV_HUGEPAGE), 0);
	assert_int_equal(faults_register(uf, first, 1024, WP), 0);
	assert_int_equal(put(&m, first, 1), MM_FAULT_DONE);
	assert_int_equal(put(&m, first + 512, 1), MM_FAULT_DONE);
	assert_int_equal(mm_leaves(m.s.mm), 2);
	assert_int_equal(protect(first, 512 + 8, PROTECT), 0);
	assert_int_equal(mm_leaves(m.s.mm), 1);
	assert_true(is_protected(first + 511));
	assert_true(is_protected(first + 519));
	assert_false(is_protected(first + 520));
	assert_int_equal(put(&m, first + 520, 1), MM_FAULT_DONE);
	accessor_start(&a, &m, first + 7, MM_ACCESS_WRITE);
	faults_expect(uf, first + 7);
	assert_int_equal(protect(first + 7, 1, 0), 0);
	assert_int_equal(accessor_end(&a), MM_FAULT_DONE);
	assert_true(is_protected(first + 8));
	/* Nor does it become one again meanwhile. */
	assert_int_equal(mm_madvise(m.s.mm, at(first), 512 * PAGE, MADV_COLLAPSE), -EINVAL);
	assert_int_equal(protect(first, 1024, 0), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(first), 512 * PAGE, MADV_COLLAPSE), 0);
	teardown();
}

/* No more areas are allowed: what is registered stays, and so does what is protected. */
static void a_refusal_forgets_no_protection(void **state)
{
	memory_init(&m, MEMORY_BYTES);
	m.s.config.max_map_count = 2;
	memory_create(&m);
	assert_int_equal(space_map(&m.s, 0, 16, RW, ANON), 0);
	uf = faults_make(&m, 0);
	if (!can_protect()) {
		teardown();
		return;
	}
	assert_int_equal(faults_register(uf, 0, 16, WP), 0);
	assert_int_equal(put(&m, 5, 1), MM_FAULT_DONE);
	assert_int_equal(protect(5, 1, PROTECT), 0);
	assert_int_equal(faults_unregister(uf, 4, 4), -ENOMEM);
	assert_true(is_protected(5));
	assert_int_equal(faults_register(uf, 4, 4, MISSING), -ENOMEM);
	assert_true(is_protected(5));
	assert_int_equal(flags_at(5) & VM_UFFD_MASK, VM_UFFD_WP);
	assert_int_equal(faults_unregister(uf, 0, 16), 0);
	assert_false(is_protected(5));
	teardown();
}

static void poison(void **state)
{
	setup();
	assert_int_equal(faults_register(uf, 4, 8, MISSING), 0);
	assert_int_equal(user_faults_poison(uf, at(4), 2 * PAGE, 0), 2 * PAGE);
	assert_int_equal(get(&m, 4), NO_BYTE(BUS));
	assert_int_equal(user_faults_poison(uf, at(4), PAGE, 0), -EEXIST);
	assert_int_equal(faults_zero(uf, 4, 1), -EEXIST);
	assert_int_equal(faults_copy(uf, 4, 1, 3, 0), PAGE);
	assert_int_equal(get(&m, 4), 3);
	assert_int_equal(user_faults_poison(uf, at(4), PAGE, 0), -EEXIST);
	assert_int_equal(mm_madvise(m.s.mm, at(5), PAGE, MADV_DONTNEED), 0);
	assert_int_equal(faults_zero(uf, 5, 1), PAGE);
	teardown();
}

/* -------------------------------------------------------------------------------- faults -- */

static void a_fault_waits_for_its_page(void **state)
{
	struct user_fault_msg msg;
	struct accessor a;

	setup();
	assert_int_equal(faults_register(uf, 4, 8, MISSING), 0);
	faults_expect_none(uf);
	accessor_start(&a, &m, 5, MM_ACCESS_WRITE);
	msg = faults_expect(uf, 5);
	assert_int_equal(msg.flags, USER_FAULT_FLAG_WRITE);
	assert_int_equal(msg.address, at(5));
	assert_int_equal(msg.thread, 0);
	faults_expect_none(uf);
	/* Any memory call may come now. */
	assert_int_equal(mm_mprotect(m.s.mm, at(4), 8 * PAGE, RW), 0);
	assert_int_equal(faults_copy(uf, 5, 1, 55, 0), PAGE);
	assert_int_equal(accessor_end(&a), MM_FAULT_DONE);
	assert_int_equal(get(&m, 5), 55);
	teardown();
}

static void a_wake_up_for_nothing(void **state)
{
	struct accessor a;

	setup();
	assert_int_equal(faults_register(uf, 4, 8, MISSING), 0);
	accessor_start(&a, &m, 5, MM_ACCESS_READ);
	assert_int_equal(faults_expect(uf, 5).flags, 0);
	assert_int_equal(user_faults_wake(uf, at(5), PAGE), 0);
	faults_expect(uf, 5);
	/* DONTWAKE leaves it asleep, and so does a range beside it. */
	assert_int_equal(faults_copy(uf, 5, 1, 1, USER_FAULT_DONTWAKE), PAGE);
	assert_int_equal(user_faults_wake(uf, at(6), PAGE), 0);
	assert_int_equal(user_faults_wake(uf, at(4), 8 * PAGE), 0);
	assert_int_equal(accessor_end(&a), MM_FAULT_DONE);
	faults_expect_none(uf);
	teardown();
}

static void what_messages_say(void **state)
{
	struct user_faults *exact;
	struct user_fault_msg msg;
	struct accessor a;

	setup();
	exact = faults_make(&m, USER_FAULTS_EXACT | USER_FAULTS_THREAD_ID);
	assert_int_equal(faults_register(exact, 4, 8, MISSING), 0);
	accessor_start(&a, &m, 5, MM_ACCESS_READ);
	msg = faults_expect(exact, 5);
	assert_int_equal(msg.address, byte_at(5));
	assert_int_not_equal(msg.thread, 0);
	assert_int_not_equal(msg.thread, port_thread_id());
	assert_int_equal(faults_zero(exact, 5, 1), PAGE);
	assert_int_equal(accessor_end(&a), MM_FAULT_DONE);
	user_faults_put(exact);
	teardown();
}

static void who_does_not_wait(void **state)
{
	struct user_faults *sigbus;
	enum mm_fault fault;
	char byte;

	setup();
	assert_int_equal(faults_register(uf, 4, 4, MISSING), 0);
	/* A debugger. */
	assert_int_equal(mm_access(m.s.mm, at(4), &byte, 1, MM_REMOTE_FORCED, &fault), 0);
	assert_int_equal(fault, MM_FAULT_BUS);
	/* What mprotect() touches of a locked area. */
	assert_int_equal(mm_mprotect(m.s.mm, at(4), 4 * PAGE, PROT_READ), 0);
	assert_int_equal(mm_set_rlimit(m.s.mm, MM_RLIMIT_MEMLOCK, MM_RLIM_INFINITY), 0);
	assert_int_equal(mm_mlock2(m.s.mm, at(4), 4 * PAGE, MLOCK_ONFAULT), 0);
	assert_int_equal(mm_mprotect(m.s.mm, at(4), 4 * PAGE, RW), 0);
	faults_expect_none(uf);

	sigbus = faults_make(&m, USER_FAULTS_SIGBUS);
	assert_int_equal(faults_register(sigbus, 12, 4, MISSING), 0);
	assert_int_equal(get(&m, 12), NO_BYTE(BUS));
	assert_int_equal(mm_madvise(m.s.mm, at(12), PAGE, MADV_POPULATE_READ), -EFAULT);
	assert_int_equal(faults_copy(sigbus, 12, 1, 3, 0), PAGE);
	assert_int_equal(get(&m, 12), 3);
	faults_expect_none(sigbus);
	user_faults_put(sigbus);
	teardown();
}

/* ------------------------------------------------------------------------- memory calls -- */

static void fork_drops_it(void **state)
{
	struct mm_user *child;

	setup();
	assert_int_equal(faults_register(uf, 4, 4, MISSING), 0);
	assert_int_equal(faults_copy(uf, 4, 1, 4, 0), PAGE);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(mm_get(child, 4), 4);
	assert_int_equal(mm_get(child, 5), 0);
	faults_expect_none(uf);
	memory_validate(child);
	mmput(child);
	teardown();
}

static void mremap_drops_it(void **state)
{
	setup();
	assert_int_equal(faults_register(uf, 4, 4, MISSING), 0);
	assert_int_equal(faults_copy(uf, 4, 1, 4, 0), PAGE);
	assert_int_equal(mm_mremap(m.s.mm, at(4), 4 * PAGE, 4 * PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(40)), at(40));
	assert_int_equal(flags_at(40) & VM_UFFD_MISSING, 0);
	assert_int_equal(get(&m, 40), 4);
	assert_int_equal(get(&m, 41), 0);
	/* What grows in place keeps it; a source that stays, too. */
	assert_int_equal(faults_register(uf, 40, 4, MISSING), 0);
	assert_int_equal(mm_mremap(m.s.mm, at(40), 4 * PAGE, 6 * PAGE, 0, 0), at(40));
	assert_int_equal(flags_at(45) & VM_UFFD_MISSING, VM_UFFD_MISSING);
	assert_int_equal(mm_mremap(m.s.mm, at(40), 6 * PAGE, 6 * PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, at(60)),
			 at(60));
	assert_int_equal(flags_at(40) & VM_UFFD_MISSING, VM_UFFD_MISSING);
	assert_int_equal(flags_at(60) & VM_UFFD_MISSING, 0);
	/* Not together with others. */
	assert_int_equal(space_map(&m.s, 46, 1, PROT_READ, ANON), 0);
	assert_int_equal(mm_mremap(m.s.mm, at(40), 7 * PAGE, 7 * PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(80)), -EFAULT);
	teardown();
}

/* Each ends the wait of a thread, and what it meets then. */
static long by_unmap(void)
{
	return space_unmap(&m.s, 5, 1);
}

static long by_unregister(void)
{
	return faults_unregister(uf, 4, 4);
}

static long by_move(void)
{
	return mm_mremap(m.s.mm, at(4), 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			 at(40)) == (long)at(40) ? 0 : -1;
}

static long by_exec(void)
{
	return mm_exec(m.s.mm, &m.s.mm_config);
}

static long by_closing(void)
{
	user_faults_close(uf);
	return 0;
}

static long by_kill(void)
{
	mm_kill(m.s.mm);
	return 0;
}

static void what_ends_a_wait(void **state)
{
	static const struct {
		long (*end)(void);
		enum mm_fault outcome;
	} ways[] = {
		{ by_unmap, MM_FAULT_MAPERR }, { by_unregister, MM_FAULT_DONE },
		{ by_move, MM_FAULT_MAPERR }, { by_exec, MM_FAULT_MAPERR },
		{ by_closing, MM_FAULT_DONE }, { by_kill, MM_FAULT_KILLED },
	};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(ways); i++) {
		struct accessor a;

		setup();
		assert_int_equal(faults_register(uf, 4, 4, MISSING), 0);
		accessor_start(&a, &m, 5, MM_ACCESS_WRITE);
		faults_expect(uf, 5);
		assert_int_equal(ways[i / 2].end(), 0);
		assert_int_equal(accessor_end(&a), ways[i / 2].outcome);
		/* Its message is not there any more. */
		if (ways[i / 2].end != by_closing)
			faults_expect_none(uf);
		teardown();
	}
}

/* A call that waits to have a page made says what has ended it. */
static void calls_are_killed_waiting(void **state)
{
	struct page *pages[8];

	setup();
	assert_int_equal(faults_register(uf, 4, 4, MISSING), 0);
	assert_int_equal(mm_set_caps(m.s.mm, MM_CAP_SYS_ADMIN), 0);
	mm_kill(m.s.mm);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 8 * PAGE, MADV_POPULATE_READ), -EINTR);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 8 * PAGE, MADV_POPULATE_WRITE), -EINTR);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 8 * PAGE, MADV_SOFT_OFFLINE), -EINTR);
	assert_int_equal(mm_pin_pages(m.s.mm, at(4), 1, MM_ACCESS_READ, pages), -EINTR);
	assert_int_equal(mm_pin_pages(m.s.mm, at(2), 8, MM_ACCESS_READ, pages), 2);
	mm_unpin_pages(pages, 2);
	assert_int_equal(mm_mlock(m.s.mm, at(0), 8 * PAGE), -EINTR);
	assert_true(flags_at(7) & VM_LOCKED);
	/* Who does not tell goes on behind it. */
	assert_int_equal(mm_mlockall(m.s.mm, MCL_CURRENT), 0);
	assert_int_not_equal(mm_frame(m.s.mm, 8), 0);
	teardown();
}

/* The mm ends: whoever reads hears of it, and the handle is still good. */
static void *end_mm(void *arg)
{
	mmput(m.s.mm);
	return NULL;
}

static void the_mm_ends(void **state)
{
	struct user_fault_msg msg;
	pthread_t thread;

	setup();
	assert_int_equal(faults_register(uf, 4, 4, MISSING), 0);
	thread = start(end_mm, NULL);
	assert_int_equal(user_faults_read(uf, &msg, 1), -ESRCH);
	finish(thread);
	assert_int_equal(faults_register(uf, 4, 4, MISSING), -ENOMEM);
	assert_int_equal(faults_copy(uf, 4, 1, 1, 0), -ESRCH);
	user_faults_put(uf);
	assert_int_equal(memory_free_frames(m.s.v), m.frames);
	vmarea_destroy(m.s.v);
}

static void closing_ends_reading(void **state)
{
	struct user_fault_msg msg;

	setup();
	user_faults_get(uf);
	user_faults_put(uf);
	faults_expect_none(uf);
	user_faults_close(uf);
	assert_int_equal(user_faults_read(uf, &msg, 1), -EBADF);
	assert_int_equal(user_faults_try_read(uf, &msg, 1), -EBADF);
	user_faults_close(uf);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_are_checked),
		cmocka_unit_test(areas_split_and_merge),
		cmocka_unit_test(another_has_it),
		cmocka_unit_test(who_may_be_registered),
		cmocka_unit_test(copies_and_zeros),
		cmocka_unit_test(guards_give_way_to_bytes),
		cmocka_unit_test(private_shared_memory),
		cmocka_unit_test(shared_memory),
		cmocka_unit_test(writes_are_asked_for),
		cmocka_unit_test(what_is_refused_keeps_it),
		cmocka_unit_test(a_fork_drops_it_for_pinned_pages),
		cmocka_unit_test(huge_pages_are_protected),
		cmocka_unit_test(a_refusal_forgets_no_protection),
		cmocka_unit_test(poison),
		cmocka_unit_test(no_pages_no_answers),
		cmocka_unit_test(a_fault_waits_for_its_page),
		cmocka_unit_test(a_wake_up_for_nothing),
		cmocka_unit_test(what_messages_say),
		cmocka_unit_test(who_does_not_wait),
		cmocka_unit_test(fork_drops_it),
		cmocka_unit_test(mremap_drops_it),
		cmocka_unit_test(what_ends_a_wait),
		cmocka_unit_test(calls_are_killed_waiting),
		cmocka_unit_test(the_mm_ends),
		cmocka_unit_test(closing_ends_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
