/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Files whose bytes are kept somewhere else: writing back what was stored to their pages.
 *
 * Stores and file_write() change pages.  What they changed goes to where the bytes are kept by way
 * of file_operations.write_page() (driver.h): at file_sync() and msync(MS_SYNC), and when the last
 * open file of the inode that is FILE_WRITE and has the hook goes.  No time passes by itself: who
 * wants write-back every so often calls file_sync().
 *
 * Not written back: pages of FILE_SHMEM and FILE_HUGETLB, and of files without the hook.  Those of
 * FILE_SHMEM go to swap (vmarea/swap.h) instead: what cannot be read from there is -EIO.
 */
#ifndef VMAREA_FILE_H
#define VMAREA_FILE_H

#include <vmarea/vmarea.h>

#ifdef __cplusplus
extern "C" {
#endif
__nonnull_begin

/*
 * As fsync() of the pages that bytes [start, end) lie in; 0 and UINT64_MAX: of all.  Writes those
 * that are dirty, in order, and waits for those that others are writing.  What was stored before
 * the call has been handed to write_page() when it returns; what is stored meanwhile may have been.
 * By way of any file that is open on the inode, also one that cannot write by itself; but beside the
 * last file_put() of the last that can, it may return before that has written.
 *
 * 0; -EINVAL: @start is past @end; or the newest error of a write-back that this open file has not
 * been told of, be it by a sync of another's or of other pages: each file is told once of each, and
 * one that is opened later of those that nobody was told of.  A page that could not be written
 * stays dirty.
 *
 * Takes page locks; not from read_page() or write_page().
 */
VMAREA_API int file_sync(struct file *file, uint64_t start, uint64_t end)
	__may_sleep __must_check;

/* ----------------------------------------------------------------- size -- */

/*
 * As ftruncate(): file_set_size(), and set_size() (driver.h) where the bytes are kept, as one step:
 * nothing is read or written back in between.
 *
 * -EINVAL: not open for writing, @bytes is 2^63 or more, or not whole pages of FILE_HUGETLB; -EFBIG:
 * past max_bytes; -EPERM: FILE_APPEND_ONLY, or sealed; the page that it would end in is in swap, and
 * -ENOMEM: there is no frame for it, -EIO: it cannot be read; or what set_size() returned.  Nothing
 * changed.
 */
VMAREA_API int file_truncate(struct file *file, uint64_t bytes)	__may_sleep __must_check;

/*
 * Others have perhaps made the file longer or shorter where its bytes are kept: asks get_size()
 * (driver.h), and if so does what file_set_size() does.  Of a file that became longer the rest of
 * the page that was the last is read anew.  Bytes that others changed inside of the file are seen
 * in pages that are read from then on, not in those that are here.
 *
 * 0; -EOPNOTSUPP: no get_size(); -ENOMEM; or what get_size() or read_page() returned.  Nothing
 * changed.
 */
VMAREA_API int file_refresh(struct file *file)			__may_sleep __must_check;

/* ---------------------------------------------------------------- seals -- */

#ifndef F_SEAL_SEAL
# define F_SEAL_SEAL		0x0001
# define F_SEAL_SHRINK		0x0002
# define F_SEAL_GROW		0x0004
# define F_SEAL_WRITE		0x0008
#endif
#ifndef F_SEAL_FUTURE_WRITE
# define F_SEAL_FUTURE_WRITE	0x0010
#endif
#ifndef F_SEAL_EXEC
# define F_SEAL_EXEC		0x0020
#endif

/*
 * As fcntl(F_ADD_SEALS): what the inode of a FILE_SHMEM or FILE_HUGETLB can never suffer any more,
 * through whatever file (memfd_create(2)).  One that is not FILE_SEALABLE has F_SEAL_SEAL from the
 * beginning.  Waits for reads and writes in progress.
 *
 * -EPERM: not open for writing, or F_SEAL_SEAL is set; -EINVAL: an unknown seal, or no such file;
 * -EBUSY: F_SEAL_WRITE, and an area may be stored through, now or after mprotect(), or is just being
 * mapped so, or a page is pinned (for which Linux waits a moment).  An instance without an arena
 * knows of no areas.  Nothing changed.
 */
VMAREA_API int file_add_seals(struct file *file, unsigned int seals) __may_sleep __must_check;
/* As fcntl(F_GET_SEALS).  -EINVAL: no such file. */
VMAREA_API int file_get_seals(const struct file *file)		__must_check;

__nonnull_end
#ifdef __cplusplus
}
#endif
#endif
