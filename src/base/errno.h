/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Linux's error numbers (x86-64), for a build without a C library.  With one, its own
 * <errno.h> may come before or after: the numbers are the same.
 */
#ifndef BASE_ERRNO_H
#define BASE_ERRNO_H

#ifndef EPERM
# define EPERM		1
# define ENOENT		2
# define ESRCH		3
# define EINTR		4
# define EIO		5
# define ENXIO		6
# define EBADF		9
# define EAGAIN		11
# define ENOMEM		12
# define EACCES		13
# define EFAULT		14
# define EBUSY		16
# define EEXIST		17
# define ENODEV		19
# define EINVAL		22
# define EFBIG		27
# define ENOSPC		28
# define ENOSYS		38
# define EOVERFLOW	75
# define EOPNOTSUPP	95
# define ETIMEDOUT	110
# define EHWPOISON	133
#endif

#define MAX_ERRNO	4095		/* -4095 to -1 are errors */

/*
 * No program sees it: a memory call found no frame, and may be made again when pages have been
 * taken back (mm/retry.c).  Every other want of memory is -ENOMEM.  And no hook can answer it.
 */
#define ENOFRAME	(MAX_ERRNO + 1)
/* The same, of a page of a file: it begins past the end; it is another by now, look again. */
#define EPASTEND	(MAX_ERRNO + 2)
#define ECHANGED	(MAX_ERRNO + 3)

#endif
