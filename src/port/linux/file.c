/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Files of the host.  What a file system allows is not to be asked of the kernel, so it is known by
 * its number: placing mappings by 2 MiB and knowing MAP_SYNC (statfs(2), mmap(2)).
 *
 * Pages are written by the system call itself: programs may store to them meanwhile, which the
 * thread sanitizer would take for our race if it saw the bytes being read.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/bits.h"
#include "port/linux/write_guard.h"
#include "port/port.h"

#define EXT4_MAGIC		0xef53ul	/* of ext2 and ext3, too */
#define XFS_MAGIC		0x58465342ul
#define BTRFS_MAGIC		0x9123683eul
#define TMPFS_MAGIC		0x01021994ul

static u32 what_of_system(int fd)
{
	struct statvfs fs;
	struct statfs kind;
	u32 what = 0;

	if (!fstatvfs(fd, &fs) && (fs.f_flag & ST_NOEXEC))
		what |= PORT_FILE_NOEXEC;
	if (fstatfs(fd, &kind))
		return what;
	switch ((unsigned long)kind.f_type) {
	case TMPFS_MAGIC:
		return what | PORT_FILE_MEMORY;
	case EXT4_MAGIC:
	case XFS_MAGIC:
		return what | PORT_FILE_PLACED_HUGE | PORT_FILE_KNOWS_SYNC;
	case BTRFS_MAGIC:
		return what | PORT_FILE_PLACED_HUGE;
	default:
		return what;
	}
}

static u32 what_of_open(int flags)
{
	u32 what = (flags & O_APPEND ? PORT_FILE_APPEND : 0) |
		   (flags & O_DIRECT ? PORT_FILE_DIRECT : 0);

	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return what | PORT_FILE_READ;
	case O_WRONLY:
		return what | PORT_FILE_WRITE;
	default:
		return what | PORT_FILE_READ | PORT_FILE_WRITE;
	}
}

/* A host without statx(2) has no such files. */
static u32 what_of_dax(int fd)
{
	struct statx stx;

	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0, &stx))
		return 0;
	return stx.stx_attributes & STATX_ATTR_DAX ? PORT_FILE_DAX : 0;
}

/* As maps shows it, without " (deleted)". */
static void take_name(int fd, struct port_file_info *info)
{
	static const char deleted[] = " (deleted)";
	const size_t tail = sizeof(deleted) - 1;
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, info->name, sizeof(info->name) - 1);
	info->name[n < 0 ? 0 : n] = 0;
	if ((info->what & PORT_FILE_DELETED) && n > (ssize_t)tail &&
	    !strcmp(info->name + n - tail, deleted))
		info->name[n - (ssize_t)tail] = 0;
}

int port_file_look(int fd, struct port_file_info *info)
{
	int saved = errno, flags = fcntl(fd, F_GETFL), err;
	struct stat st;

	if (flags < 0 || fstat(fd, &st)) {
		err = -errno;
		errno = saved;
		return err;
	}
	/* It names a file, and is not open on it. */
	if (flags & O_PATH)
		return -EBADF;
	info->what = what_of_open(flags) | what_of_system(fd) | what_of_dax(fd);
	if (S_ISREG(st.st_mode))
		info->what |= PORT_FILE_REGULAR;
	if (!st.st_nlink)
		info->what |= PORT_FILE_DELETED;
	info->dev_major = major(st.st_dev);
	info->dev_minor = minor(st.st_dev);
	info->inode = st.st_ino;
	info->bytes = (u64)st.st_size;
	take_name(fd, info);
	errno = saved;
	return 0;
}

int port_file_dup(int fd)
{
	int saved = errno, copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		copy = -errno;
	errno = saved;
	return copy;
}

/* By the name that Linux gives to what is open: a file may have no other. */
int port_file_open_for_parts(int fd)
{
	int saved = errno, flags = fcntl(fd, F_GETFL), own = -1;
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (flags >= 0)
		own = open(name, (flags & O_ACCMODE) | O_CLOEXEC);
	if (own < 0)
		own = -errno;
	errno = saved;
	return own;
}

void port_file_close(int fd)
{
	int saved = errno;

	/* Whatever it says, the descriptor is free. */
	close(fd);
	errno = saved;
}

int port_file_read(int fd, u64 offset, void *to, size_t bytes)
{
	int saved = errno, err = 0;
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = pread(fd, (char *)to + done, bytes - done, (off_t)(offset + done));

		if (n > 0)
			done += (size_t)n;
		else if (!n)
			break;
		else if (errno != EINTR) {
			err = -errno;
			break;
		}
	}
	if (!err)
		memset((char *)to + done, 0, bytes - done);
	errno = saved;
	return err;
}

int port_file_write(int fd, u64 offset, const void *from, size_t bytes)
{
	int saved = errno, flags = fcntl(fd, F_GETFL), err = 0;
	struct write_guard guard;
	size_t done = 0;

	/* It would go to the end, whatever @offset is. */
	if (flags < 0 || (flags & O_APPEND)) {
		err = flags < 0 ? -errno : -EINVAL;
		errno = saved;
		return err;
	}
	write_guard_begin(&guard);
	while (done < bytes) {
		ssize_t n = syscall(SYS_pwrite64, fd, (const char *)from + done, bytes - done,
				    offset + done);

		if (n > 0)
			done += (size_t)n;
		else if (!n || errno != EINTR) {
			err = n ? -errno : -EIO;
			break;
		}
	}
	write_guard_end(&guard, -err);
	errno = saved;
	return err;
}

int port_file_get_bytes(int fd, u64 *bytes)
{
	int saved = errno, err = 0;
	struct stat st;

	if (fstat(fd, &st))
		err = -errno;
	else
		*bytes = (u64)st.st_size;
	errno = saved;
	return err;
}

int port_file_set_bytes(int fd, u64 bytes)
{
	struct write_guard guard;
	int saved = errno, err;

	write_guard_begin(&guard);
	do
		err = ftruncate(fd, (off_t)bytes) ? -errno : 0;
	while (err == -EINTR);
	write_guard_end(&guard, -err);
	errno = saved;
	return err;
}

int port_file_punch(int fd, u64 offset, u64 bytes)
{
	int saved = errno, err;

	do
		err = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
				(off_t)bytes) ? -errno : 0;
	while (err == -EINTR);
	errno = saved;
	return err;
}
