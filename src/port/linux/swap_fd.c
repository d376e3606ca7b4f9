/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Slots of a swap area in a file of the host. */
#include <errno.h>
#include <unistd.h>

#include <vmarea/swap.h>

#include "base/bits.h"
#include "port/port.h"

static int fd_of(void *private_data)
{
	return (int)(intptr_t)private_data;
}

static int fd_read(void *private_data, uint64_t slot, void *to)
{
	int saved = errno, err = 0;
	size_t done = 0;

	while (done < PAGE_SIZE && !err) {
		ssize_t nr = pread(fd_of(private_data), (char *)to + done, PAGE_SIZE - done,
				   (off_t)(slot * PAGE_SIZE + done));

		if (nr > 0)
			done += (size_t)nr;
		else if (!nr)
			err = -EIO;
		else if (errno != EINTR)
			err = -errno;
	}
	errno = saved;
	return err;
}

static int fd_write(void *private_data, uint64_t slot, const void *from) __may_sleep
{
	return port_file_write(fd_of(private_data), slot * PAGE_SIZE, from, PAGE_SIZE);
}

const struct swap_ops *swap_fd_ops(void)
{
	static const struct swap_ops ops = { .read_page = fd_read, .write_page = fd_write };

	return &ops;
}
