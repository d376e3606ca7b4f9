/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Every VM_* flag: how smaps shows it, and what merging makes of it.
 *
 * Two adjacent areas are changed to another protection and back, which joins them if they are alike.
 * With the same flags on both sides they join unless a flag says that nothing joins (SPECIAL); with a
 * flag on one side only they stay two, unless the flag is one that merging looks past (STICKY), and
 * then the joined area has it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <vmarea/debug.h>

#define PAGE	4096ul
#define AT(n)	(0x10000000ul + (n) * PAGE)
#define BASE	(VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)

enum kind {
	ORDINARY,		/* must be the same on both sides */
	SPECIAL,		/* joins nothing */
	STICKY,			/* merging looks past it; the joined area has it */
	CHANGED,		/* mprotect() itself sets, clears or needs it */
	SEALED,			/* mprotect() is refused */
	NEEDS_A_FILE,		/* not on an anonymous area */
};

static const struct {
	const char *name, *code;
	vm_flags_t flag;
	enum kind kind;
} flags[] = {
	{ "READ", "rd ", VM_READ, CHANGED },
	{ "WRITE", "wr ", VM_WRITE, CHANGED },
	{ "EXEC", "ex ", VM_EXEC, CHANGED },
	{ "SHARED", "sh ", VM_SHARED, NEEDS_A_FILE },
	{ "MAYREAD", "mr ", VM_MAYREAD, CHANGED },
	{ "MAYWRITE", "mw ", VM_MAYWRITE, CHANGED },
	{ "MAYEXEC", "me ", VM_MAYEXEC, ORDINARY },
	{ "MAYSHARE", "ms ", VM_MAYSHARE, NEEDS_A_FILE },
	{ "GROWSDOWN", "gd ", VM_GROWSDOWN, ORDINARY },
	{ "PFNMAP", "pf ", VM_PFNMAP, SPECIAL },
	{ "MAYBE_GUARD", "gu ", VM_MAYBE_GUARD, STICKY },
	{ "LOCKED", "lo ", VM_LOCKED, ORDINARY },
	{ "IO", "io ", VM_IO, SPECIAL },
	{ "SEQ_READ", "sr ", VM_SEQ_READ, ORDINARY },
	{ "RAND_READ", "rr ", VM_RAND_READ, ORDINARY },
	{ "DONTCOPY", "dc ", VM_DONTCOPY, ORDINARY },
	{ "DONTEXPAND", "de ", VM_DONTEXPAND, SPECIAL },
	{ "LOCKONFAULT", "lf ", VM_LOCKONFAULT, ORDINARY },
	{ "ACCOUNT", "ac ", VM_ACCOUNT, CHANGED },
	{ "NORESERVE", "nr ", VM_NORESERVE, ORDINARY },
	{ "HUGETLB", "ht ", VM_HUGETLB, NEEDS_A_FILE },
	{ "SYNC", "sf ", VM_SYNC, ORDINARY },
	{ "ARCH_1", "ar ", VM_ARCH_1, ORDINARY },
	{ "WIPEONFORK", "wf ", VM_WIPEONFORK, ORDINARY },
	{ "DONTDUMP", "dd ", VM_DONTDUMP, ORDINARY },
	{ "SOFTDIRTY", "sd ", VM_SOFTDIRTY, STICKY },
	{ "MIXEDMAP", "mm ", VM_MIXEDMAP, SPECIAL },
	{ "HUGEPAGE", "hg ", VM_HUGEPAGE, ORDINARY },
	{ "NOHUGEPAGE", "nh ", VM_NOHUGEPAGE, ORDINARY },
	{ "MERGEABLE", "mg ", VM_MERGEABLE, ORDINARY },
	{ "DROPPABLE", "dp ", VM_DROPPABLE, ORDINARY },
	{ "SEALED", "sl ", VM_SEALED, SEALED },
};

#define NR_FLAGS	(sizeof(flags) / sizeof(flags[0]))

static struct vmarea *instance;

static struct mm_user *two_areas(vm_flags_t low, vm_flags_t high)
{
	const struct mm_config config = MM_CONFIG_INIT;
	struct mm_user *mm;

	assert_int_equal(mm_create(instance, &config, &mm), 0);
	assert_int_equal(mm_add_area(mm, &(struct area_desc){ .start = AT(0), .end = AT(2),
		.flags = low, .pgoff = AT(0) / PAGE }), 0);
	assert_int_equal(mm_add_area(mm, &(struct area_desc){ .start = AT(2), .end = AT(4),
		.flags = high, .pgoff = AT(2) / PAGE }), 0);
	return mm;
}

/* Both areas through another protection and back; how many are left, and the flags of the first. */
static unsigned long join(struct mm_user *mm, vm_flags_t *first)
{
	struct mm_stats stats;
	struct area_info info;
	char why[256] = "";

	assert_int_equal(mm_mprotect(mm, AT(0), 4 * PAGE, PROT_READ), 0);
	assert_int_equal(mm_mprotect(mm, AT(0), 4 * PAGE, PROT_READ | PROT_WRITE), 0);
	if (mm_validate(mm, why, sizeof(why)))
		fail_msg("%s", why);
	mm_get_stats(mm, &stats);
	assert_int_equal(mm_query(mm, AT(0), &info), 0);
	*first = info.flags;
	area_info_put(&info);
	return stats.nr_areas;
}

/* VM_LOCKONFAULT means nothing without VM_LOCKED, and what may be dropped is never promised. */
static vm_flags_t base_for(vm_flags_t flag)
{
	if (flag == VM_LOCKONFAULT)
		return BASE | VM_LOCKED;
	return flag == VM_DROPPABLE ? BASE | VM_NORESERVE : BASE;
}

static void test_shown(void **state)
{
	char buf[128];

	(void)state;
	assert_int_equal(vm_flags_format(VM_NONE, buf), 0);
	for (size_t i = 0; i < NR_FLAGS; i++) {
		assert_int_equal(vm_flags_format(flags[i].flag, buf), 3);
		if (strcmp(buf, flags[i].code))
			fail_msg("%s is shown as '%s', not '%s'", flags[i].name, buf, flags[i].code);
	}
}

static void test_alike(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FLAGS; i++) {
		vm_flags_t first, both = base_for(flags[i].flag) | flags[i].flag;
		unsigned long want = flags[i].kind == SPECIAL ? 2 : 1;
		struct mm_user *mm;

		if (flags[i].kind == SEALED || flags[i].kind == NEEDS_A_FILE)
			continue;
		mm = two_areas(both, both);
		if (join(mm, &first) != want)
			fail_msg("%s on both sides: not %lu areas", flags[i].name, want);
		if (!(first & flags[i].flag) && flags[i].kind != CHANGED)
			fail_msg("%s was lost", flags[i].name);
		mmput(mm);
	}
}

static void test_different(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FLAGS; i++) {
		unsigned long want = flags[i].kind == STICKY ? 1 : 2;
		vm_flags_t first;

		if (flags[i].kind == SEALED || flags[i].kind == NEEDS_A_FILE ||
		    flags[i].kind == CHANGED)
			continue;
		for (int side = 0; side < 2; side++) {
			vm_flags_t without = base_for(flags[i].flag), with = without ^ flags[i].flag;
			struct mm_user *mm = two_areas(side ? without : with,
						       side ? with : without);

			if (join(mm, &first) != want)
				fail_msg("%s on one side: not %lu areas", flags[i].name, want);
			if (flags[i].kind == STICKY)
				assert_true(first & flags[i].flag);
			mmput(mm);
		}
	}
}

static void test_sealed(void **state)
{
	struct mm_user *mm = two_areas(BASE | VM_SEALED, BASE | VM_SEALED);
	struct mm_stats stats;

	(void)state;
	assert_int_equal(mm_mprotect(mm, AT(0), 4 * PAGE, PROT_READ), -1);
	assert_int_equal(mm_munmap(mm, AT(0), PAGE), -1);
	mm_get_stats(mm, &stats);
	assert_int_equal(stats.nr_areas, 2);
	mmput(mm);
}

static void test_exclusive(void **state)
{
	const struct mm_config config = MM_CONFIG_INIT;
	struct area_desc area = { .start = AT(0), .end = AT(1),
				  .flags = BASE | VM_PFNMAP | VM_MIXEDMAP };
	struct mm_user *mm;

	(void)state;
	assert_int_equal(mm_create(instance, &config, &mm), 0);
	assert_int_equal(mm_add_area(mm, &area), -22);
	area.flags = BASE | VM_HUGETLB;
	assert_int_equal(mm_add_area(mm, &area), -22);
	mmput(mm);
}

/* Areas that the walker would find fault with are not taken. */
static void impossible_areas_are_refused(void **state)
{
	static const vm_flags_t impossible[] = {
		VM_READ, VM_WRITE | VM_MAYREAD, VM_EXEC, BASE | VM_SHARED, BASE | VM_MAYSHARE,
		BASE | VM_LOCKONFAULT, BASE | VM_ACCOUNT | VM_NORESERVE,
		BASE | VM_SEQ_READ | VM_RAND_READ, BASE | VM_HUGEPAGE | VM_NOHUGEPAGE,
		BASE | VM_DROPPABLE,
	};
	const struct mm_config config = MM_CONFIG_INIT;
	struct area_desc area = { .start = AT(0), .end = AT(1) };
	struct mm_user *mm;
	char why[128];

	(void)state;
	assert_int_equal(mm_create(instance, &config, &mm), 0);
	for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
		area.flags = impossible[i];
		assert_int_equal(mm_add_area(mm, &area), -22);
	}
	assert_int_equal(mm_validate(mm, why, sizeof(why)), 0);
	mmput(mm);
}

static int setup(void **state)
{
	const struct vmarea_config config = VMAREA_CONFIG_INIT;

	(void)state;
	return vmarea_create(&config, &instance);
}

static int teardown(void **state)
{
	(void)state;
	vmarea_destroy(instance);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shown), cmocka_unit_test(test_alike),
		cmocka_unit_test(test_different), cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_exclusive), cmocka_unit_test(impossible_areas_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
