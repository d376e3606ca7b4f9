/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where areas are found from their pages.
 *
 *	address_space.i_mmap		every area that maps the file, private ones too
 *	anon_chain.areas		every area that has the chain (anon.c)
 *
 * Both are interval trees by file page, so a private area of a file that was written to is in two.
 * Who looks in a tree for read may rely on the bounds, the mm and its page table of what he finds:
 *
 *	into the tree		after the bounds are set, before there is any entry
 *	bounds change		with the trees locked for write
 *	entries move		with the trees locked for write (mremap)
 *	out of the trees	after the last entry was taken out, before tables are freed
 *
 * A change of several areas, a split or a merge, is one step to who looks: for its length a *hold*
 * has both locks.  All areas of such a change have the same file, and chains of one family.
 *
 * Order.  A VMA's readers are waited for before a hold begins, the file's lock comes before the
 * family's, and no hook is called inside.
 */
#include "file/filemap.h"
#include "vma/anon.h"
#include "vma/guard.h"
#include "vma/rmap_place.h"

void rmap_hold_begin(struct mm_struct *mm, const struct file *file, const struct anon_chain *chain)
	__context_unsafe("which locks they are, the areas say")
{
	struct rmap_hold *hold = &mm->rmap_hold;
	struct address_space *mapping = file ? file->mapping : NULL;
	struct anon_vma *root = anon_root(chain);

	if (!mm->pgt)
		return;
	if (hold->depth++) {
		VM_BUG_ON((mapping && mapping != hold->mapping) || (root && root != hold->root),
			  "another file or family than the change began with");
		return;
	}
	hold->mapping = mapping;
	hold->root = root;
	if (mapping)
		rwsem_write_lock(&mapping->i_mmap_lock);
	if (root)
		anon_lock_write(root);
}

void rmap_hold_end(struct mm_struct *mm)
	__context_unsafe("which locks they are, the hold says")
{
	struct rmap_hold *hold = &mm->rmap_hold;

	if (!mm->pgt || --hold->depth)
		return;
	if (hold->root)
		anon_unlock_write(hold->root);
	if (hold->mapping)
		rwsem_write_unlock(&hold->mapping->i_mmap_lock);
}

/* Neither changes once the area can be found. */
static bool may_be_stored_through(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return (vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == (VM_SHARED | VM_MAYWRITE);
}

void rmap_show(struct vm_area_struct *vma)
	__context_unsafe("the hold has the locks")
{
	struct it_node *node = &vma->file_place;

	if (!vma->vm_mm->pgt)
		return;
	if (vma->vm_file) {
		node->first = vma_pgoff_at(vma, vma->vm_start);
		node->last = vma_pgoff_at(vma, vma->vm_end) - 1;
		it_insert(&vma->vm_file->mapping->i_mmap, node);
		vma->vm_file->mapping->nr_writable += may_be_stored_through(vma);
	}
	if (vma->anon)
		anon_link_area(vma->anon, vma);
}

void rmap_hide(struct vm_area_struct *vma)
	__context_unsafe("the hold has the locks")
{
	if (!vma->vm_mm->pgt)
		return;
	if (vma->vm_file) {
		it_erase(&vma->vm_file->mapping->i_mmap, &vma->file_place);
		vma->vm_file->mapping->nr_writable -= may_be_stored_through(vma);
	}
	if (vma->anon)
		anon_unlink_area(vma->anon, vma);
}

void rmap_set_anon(struct vm_area_struct *vma, struct anon_chain *chain)
{
	if (vma->anon_place.inside)
		anon_unlink_area(vma->anon, vma);
	vma_set_anon(vma, chain);
	if (chain && vma->vm_mm->pgt)
		anon_link_area(chain, vma);
}

void rmap_hide_all(struct mm_struct *mm)
	__context_unsafe("nobody else can reach them but by the trees")
{
	struct rt_entry entry;
	struct rt_iter it;

	if (!mm->pgt)
		return;
	rt_iter_init(&it, rt_working(&mm->areas), 0);
	while (rt_iter_next(&it, &entry)) {
		struct vm_area_struct *vma = entry.item;

		rmap_hold_begin(mm, vma->vm_file, vma->anon);
		rmap_hide(vma);
		rmap_hold_end(mm);
	}
}

static bool is_in_file(struct vm_area_struct *vma)
	__must_hold(vma_stable) __may_sleep
{
	struct address_space *mapping = vma->vm_file->mapping;
	const struct it_node *node = &vma->file_place;
	bool good;

	rwsem_read_lock(&mapping->i_mmap_lock);
	good = node->first == vma_pgoff_at(vma, vma->vm_start) &&
	       node->last == vma_pgoff_at(vma, vma->vm_end) - 1 && it_has(&mapping->i_mmap, node);
	rwsem_read_unlock(&mapping->i_mmap_lock);
	return good;
}

bool rmap_is_shown(struct vm_area_struct *vma)
{
	if (!vma->vm_mm->pgt)
		return !vma->file_place.inside && !vma->anon_place.inside;
	if (vma->vm_file ? !is_in_file(vma) : vma->file_place.inside)
		return false;
	return vma->anon ? anon_chain_findable(vma) : !vma->anon_place.inside;
}
