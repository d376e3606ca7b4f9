/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Arenas: a file in memory, mapped shared.
 *
 * The file has no name, is as long as the window and has no blocks: the kernel makes a page when
 * one is touched, and takes it back when a hole is punched.  Such a file is not counted against the
 * host's promises before that, and the mapping says MAP_NORESERVE, so a window larger than the
 * machine is had for nothing but its page tables.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "port/linux/write_guard.h"
#include "port/port.h"

/* A place for @bytes that is aligned: more than that is reserved, and the ends are given back. */
static char *reserve_aligned(size_t bytes)
{
	size_t room;
	char *at, *base;

	if (check_add_overflow(bytes, PORT_ARENA_ALIGN, &room))
		return NULL;
	at = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	base = (char *)ALIGN((uintptr_t)at, PORT_ARENA_ALIGN);
	if (base > at)
		munmap(at, (size_t)(base - at));
	munmap(base + bytes, (size_t)(at + room - (base + bytes)));
	return base;
}

static int set_bytes(int fd, off_t bytes)
{
	struct write_guard guard;
	int err;

	write_guard_begin(&guard);
	err = ftruncate(fd, bytes);
	write_guard_end(&guard, err ? errno : 0);
	return err;
}

static int make_file(size_t bytes)
{
	int fd = memfd_create("vmarea-arena", MFD_CLOEXEC);

	if (fd < 0)
		return -1;
	if (bytes > INT64_MAX || set_bytes(fd, (off_t)bytes)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The window of the file, and over its start memory that a fork copies. */
static bool map_at(char *base, size_t bytes, size_t private_bytes, int fd)
{
	const int prot = PROT_READ | PROT_WRITE, flags = MAP_FIXED | MAP_NORESERVE;

	if (mmap(base, bytes, prot, flags | MAP_SHARED, fd, 0) == MAP_FAILED)
		return false;
	return !private_bytes || mmap(base, private_bytes, prot,
				      flags | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static int create(struct port_arena *arena, size_t bytes, size_t private_bytes)
{
	int fd = make_file(bytes);
	char *base;

	if (fd < 0)
		return -ENOMEM;
	base = reserve_aligned(bytes);
	if (!base) {
		close(fd);
		return -ENOMEM;
	}
	if (!map_at(base, bytes, private_bytes, fd)) {
		munmap(base, bytes);
		close(fd);
		return -ENOMEM;
	}
	*arena = (struct port_arena){ .base = base, .bytes = bytes, .fd = fd };
	return 0;
}

int port_arena_create(struct port_arena *arena, size_t bytes, size_t private_bytes)
{
	int saved = errno, err;

	VM_BUG_ON(!bytes || !IS_ALIGNED(bytes, PORT_ARENA_ALIGN) || private_bytes > bytes,
		  "%zu bytes, %zu private", bytes, private_bytes);
	if (port_fail_site())
		return -ENOMEM;
	err = create(arena, bytes, private_bytes);
	errno = saved;
	return err;
}

void port_arena_destroy(struct port_arena *arena)
{
	if (munmap(arena->base, arena->bytes) || close(arena->fd))
		port_panic("arena of %zu bytes at %p: %s", arena->bytes, arena->base,
			   strerror(errno));
}

int port_arena_discard(struct port_arena *arena, size_t offset, size_t bytes)
{
	int saved = errno, err = 0;

	if (port_fail_kind(PORT_FAIL_UNMAP))
		err = -ENOMEM;
	else if (fallocate(arena->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
			   (off_t)bytes))
		err = -errno;
	errno = saved;
	return err;
}
