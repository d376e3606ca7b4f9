/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Files of the host, as files to be mapped.
 *
 *	fd = open("data", O_RDWR);
 *	host_file_open(machine, fd, HOST_FILE_TAKE, &file);
 *	mm_mmap(mm, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
 *
 * The host's file is where the bytes are kept (driver.h): a page is read by pread() when it is first
 * needed, and what was stored to it is written by pwrite() at file_sync(), msync(MS_SYNC) and when
 * the last file that can write goes.  Until then the host has the old bytes, and the old size where
 * file_write() made the file longer.  file_truncate(), file_punch_hole() and MADV_REMOVE reach the
 * host at once (ftruncate(), fallocate()).  Handed to the host is not yet on its disk: who needs that
 * calls fdatasync() on host_file_fd() after file_sync().
 *
 * Whose file it is besides.  Others may read it at any time.  If others make it longer or shorter,
 * file_refresh() (file.h) takes that over: mapped pages past the new end are SIGBUS from then on, and
 * the rest of the last one is zero; before, such pages show what was read of them, or zeros, and
 * writing one back makes the file longer again.  What others write is seen in pages that are read
 * later.
 *
 * What fails: a page that pread() refuses is MM_FAULT_BUS to who needs it; one that pwrite() refuses
 * stays dirty, and file_sync() tells of it (file.h).  A file that would be longer than the process is
 * allowed (RLIMIT_FSIZE) is -EFBIG, and no SIGXFSZ.  While somebody has set O_APPEND on the
 * descriptor, or on one that it was copied from or to, writing back is -EINVAL.
 *
 * All that are open on one inode of the host, by its device and number, are files of one inode here
 * (file_desc.same_inode), whoever opened them.
 */
#ifndef VMAREA_HOST_FILE_H
#define VMAREA_HOST_FILE_H

#include <vmarea/file.h>

#ifdef __cplusplus
extern "C" {
#endif
__nonnull_begin

/* What becomes of the descriptor. */
enum host_file_fd {
	HOST_FILE_DUP,			/* the file has one of its own; @fd stays the caller's */
	HOST_FILE_TAKE,			/* @fd is the file's from then on, and closed with it */
};

/*
 * The regular file that @fd is open on, for what @fd is open for.  Its name, numbers, size and what
 * its file system allows are looked up.  One reference.
 *
 * 0; -EBADF; -EINVAL: not a regular file, open for writing only, or O_APPEND and for writing (such
 * a pwrite() goes to the end); -EOPNOTSUPP: the instance has no arena, or the host no files; -ENOMEM;
 * or what the host says when asked about it, -EMFILE for one.  After an error @fd is the caller's,
 * and nothing changed.
 *
 * With O_DIRECT whole pages are read and written so.  For a last page that is not whole the file has
 * a second descriptor, without it: also for what the host says when that is opened, by /proc.
 *
 * Waits while the last file that was open on the same inode is being closed.
 */
VMAREA_API int host_file_open(struct vmarea *instance, int fd, enum host_file_fd what,
			      struct file **out) __may_sleep __must_check;

/* The descriptor, good for as long as the file is; -1: it is no file of the host. */
VMAREA_API int host_file_fd(const struct file *file);

__nonnull_end
#ifdef __cplusplus
}
#endif
#endif
