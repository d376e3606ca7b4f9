/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "explore.h"
static struct vmarea *instance;
static struct mm_user *mm;
static void setup(void)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct mm_config mm_config = MM_CONFIG_INIT;
	VT_CHECK(!vmarea_create(&config, &instance));
	VT_CHECK(!mm_create(instance, &mm_config, &mm));
	VT_CHECK(mm_mmap(mm, AT(0), 4 * PAGE, PROT_READ, ANON, NULL, 0) == (long)AT(0));
}
static void reader(void)
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, AT(1));
	if (vma) {
		VT_CHECK(vma_start(vma) <= AT(1) && vma_end(vma) > AT(1));
		vma_end_read(vma);
	}
}
static void writer(void)
{
	VT_CHECK(!mm_munmap(mm, AT(1), PAGE));
}
static void finish(void)
{
	mmput(mm);
	vmarea_destroy(instance);
}
const struct vt_scenario lookup_unmap = {
	.name = "lookup-unmap", .about = "a locked VMA stays as it is", .setup = setup,
	.threads = { { "reader", reader }, { "writer", writer } }, .finish = finish,
};
