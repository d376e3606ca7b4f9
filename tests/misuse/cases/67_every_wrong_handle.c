/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Each handle in the place of another.
 *
 * bare,gcc,borrowck	passing argument 1 of 'mmgrab' from incompatible pointer type
 * bare,gcc 2	passing argument 1 of 'mmap_read_trylock' from incompatible pointer type
 * bare,gcc	passing argument 2 of 'vma_start_write' from incompatible pointer type
 * bare,gcc 2	passing argument 1 of 'vma_as_mixedmap' from incompatible pointer type
 * bare,gcc,borrowck 2	passing argument 1 of 'vm_insert_page' from incompatible pointer type
 * bare,gcc,borrowck	passing argument 3 of 'vm_insert_page' from incompatible pointer type
 * bare,gcc,borrowck 2	passing argument 1 of 'vma_set_anon_name' from incompatible pointer type
 * bare,gcc,borrowck	passing argument 1 of 'vma_try_clear_mayexec' from incompatible pointer type
 * bare,gcc,borrowck	passing argument 1 of 'file_size' from incompatible pointer type
 * bare,gcc,borrowck	passing argument 1 of 'vma_end_read' from incompatible pointer type
 * bare,gcc	passing argument 1 of 'mm_user_mm' makes pointer from integer without a cast
 * bare,gcc,borrowck	passing argument 1 of 'mmap_read_unlock' from incompatible pointer type
 * bare,gcc,borrowck	passing argument 1 of 'mmap_write_unlock' from incompatible pointer type
 * borrowck 4	passing argument 1 of 'mmap_read_trylock' from incompatible pointer type
 * borrowck 2	passing argument 2 of 'vma_start_write' from incompatible pointer type
 * borrowck 4	passing argument 1 of 'vma_as_mixedmap' from incompatible pointer type
 * borrowck 2	passing argument 1 of 'mm_user_mm' makes pointer from integer without a cast
 * analyze22,tsa	incompatible pointer types passing 'struct mm_user *' to parameter of type 'struct
 * analyze22,tsa	incompatible pointer types passing 'struct mm_struct *' to parameter of type 'struct
 * analyze22,tsa 2	incompatible pointer types passing 'struct mmap_read *' to parameter of type 'struct
 * analyze22,tsa 2	incompatible pointer types passing 'struct vma_mixedmap *' to parameter of type 'struct
 * analyze22,tsa 3	incompatible pointer types passing 'struct vma_mut *' to parameter of type 'struct
 * analyze22,tsa 2	incompatible pointer types passing 'struct vma_new *' to parameter of type 'struct
 * analyze22,tsa 2	incompatible pointer types passing 'struct vma_ref *' to parameter of type 'struct
 * analyze22,tsa	incompatible pointer types passing 'struct file *' to parameter of type 'struct page *
 * analyze22,tsa	incompatible pointer types passing 'struct page *' to parameter of type 'const struct
 * analyze22,tsa	incompatible integer to pointer conversion passing 'unsigned long' to parameter of type
 * analyze22,tsa	incompatible pointer types passing 'struct mmap_write *' to parameter of type 'struct
 */
#include "misuse.h"

#ifdef FIXED
# define WRONG(right, wrong)	right
#else
# define WRONG(right, wrong)	wrong
#endif

/* Without marks of locks: what they would say of such a function is not the point here. */
void types(struct mm_struct *mm, struct mm_user *user, struct mmap_read *read,
	   struct mmap_write *write, struct vma_ref *ref, struct vma_mixedmap *mixed,
	   struct vma_mut *mut, struct vma_new *new_vma, struct page *page, struct file *file)
	__no_context_analysis;
void types(struct mm_struct *mm, struct mm_user *user, struct mmap_read *read,
	   struct mmap_write *write, struct vma_ref *ref, struct vma_mixedmap *mixed,
	   struct vma_mut *mut, struct vma_new *new_vma, struct page *page, struct file *file)
{
	mmgrab(WRONG(mm, user));
	hand_away(mmap_read_trylock(WRONG(user, mm)));
	hand_away(mmap_read_trylock(WRONG(user, read)));
	hand_away(vma_start_write(write, WRONG(ref, mixed)));
	hand_away(vma_as_mixedmap(WRONG(ref, mut)));
	hand_away(vma_as_mixedmap(WRONG(ref, new_vma)));
	sink = vm_insert_page(WRONG(mixed, ref), MIXED, page);
	sink = vm_insert_page(WRONG(mixed, mut), MIXED, page);
	sink = vm_insert_page(mixed, MIXED, WRONG(page, file));
	sink = vma_set_anon_name(WRONG(mut, ref), NULL);
	sink = vma_set_anon_name(WRONG(mut, new_vma), NULL);
	sink = vma_try_clear_mayexec(WRONG(new_vma, mut));
	sink = file_size(WRONG(file, page));
	vma_end_read(WRONG(ref, mixed));
	hand_away(mm_user_mm(WRONG(user, MIXED)));
	mmap_read_unlock(WRONG(read, write));
	mmap_write_unlock(WRONG(write, read));
	__free_page(page);
}
