/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The world has no files here: what they do would be no part of an execution. */
#include "base/errno.h"
#include "port/sim/sim.h"

int port_file_look(int fd, struct port_file_info *info)
{
	(void)fd;
	(void)info;
	return -EOPNOTSUPP;
}

int port_file_dup(int fd)
{
	(void)fd;
	return -EOPNOTSUPP;
}

int port_file_open_for_parts(int fd)
{
	(void)fd;
	return -EOPNOTSUPP;
}

/* Nobody has a file to call these with. */
void port_file_close(int fd)
{
	port_panic("file %d: there are none", fd);
}

int port_file_read(int fd, u64 offset, void *to, size_t bytes)
{
	(void)offset;
	(void)to;
	(void)bytes;
	port_panic("file %d: there are none", fd);
}

int port_file_write(int fd, u64 offset, const void *from, size_t bytes)
{
	(void)offset;
	(void)from;
	(void)bytes;
	port_panic("file %d: there are none", fd);
}

int port_file_get_bytes(int fd, u64 *bytes)
{
	(void)bytes;
	port_panic("file %d: there are none", fd);
}

int port_file_set_bytes(int fd, u64 bytes)
{
	(void)bytes;
	port_panic("file %d: there are none", fd);
}

int port_file_punch(int fd, u64 offset, u64 bytes)
{
	(void)offset;
	(void)bytes;
	port_panic("file %d: there are none", fd);
}
