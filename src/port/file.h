/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Files of the host: see "Files" in port.h. */
#ifndef PORT_FILE_H
#define PORT_FILE_H

#include "base/compiler.h"

#define PORT_FILE_NAME_BYTES	4096u

/* What is known of an open file. */
#define PORT_FILE_REGULAR	0x001u
#define PORT_FILE_READ		0x002u		/* it is open for that */
#define PORT_FILE_WRITE		0x004u
#define PORT_FILE_APPEND	0x008u		/* whatever is written goes to its end */
#define PORT_FILE_NOEXEC	0x010u		/* its file system allows no execution */
#define PORT_FILE_DELETED	0x020u		/* it has no name any more */
#define PORT_FILE_MEMORY	0x040u		/* its file system is in memory */
#define PORT_FILE_PLACED_HUGE	0x080u		/* its file system places by 2 MiB */
#define PORT_FILE_KNOWS_SYNC	0x100u		/* its file system knows MAP_SYNC */
#define PORT_FILE_DAX		0x200u		/* and can do it for this file */
#define PORT_FILE_DIRECT	0x400u		/* open for whole blocks only: O_DIRECT */

struct port_file_info {
	u32 what;				/* PORT_FILE_* */
	u32 dev_major, dev_minor;
	u64 inode;
	u64 bytes;				/* how long it is */
	char name[PORT_FILE_NAME_BYTES];
};

int port_file_look(int fd, struct port_file_info *info)		__must_check;
int port_file_dup(int fd)					__must_check;
int port_file_open_for_parts(int fd)				__must_check;
void port_file_close(int fd);
int port_file_read(int fd, u64 offset, void *to, size_t bytes)	__must_check __may_sleep;
int port_file_write(int fd, u64 offset, const void *from, size_t bytes)
	__must_check __may_sleep;
int port_file_get_bytes(int fd, u64 *bytes)			__must_check;
int port_file_set_bytes(int fd, u64 bytes)			__must_check __may_sleep;
int port_file_punch(int fd, u64 offset, u64 bytes)		__must_check __may_sleep;

#endif
