/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <errno.h>
#include <vmarea/testing.h>

#include "ring.h"

#define ADDR	0x10000000ul

static struct vmarea *machine;
static struct mm_user *mm;
static struct file *file;
static struct ring ring;

static void open_ring(void)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct mm_config mm_config = MM_CONFIG_INIT;
	struct file_desc desc = { .size = sizeof(desc), .ops = &ring_fops, .private_data = &ring,
				  .name = "/dev/ring", .flags = FILE_READ | FILE_WRITE };

	VT_CHECK(!vmarea_create(&config, &machine));
	VT_CHECK(!mm_create(machine, &mm_config, &mm));
	ring = (struct ring){ .machine = machine, .lock = PTHREAD_MUTEX_INITIALIZER };
	VT_CHECK(!file_create(machine, &desc, &file));
}

static long map_ring(void)
{
	return mm_mmap(mm, ADDR, RING_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0);
}

static void open_and_map(void)
{
	open_ring();
	VT_CHECK(map_ring() == (long)ADDR);
}

static void close_all(void)
{
	mmput(mm);
	file_put(file);
	vmarea_destroy(machine);
}

static void sender(void)
{
	int err = ring_send(&ring, 7);

	VT_CHECK(!err || err == -EPIPE, "%d", err);
}

static void unmapper(void)
{
	VT_CHECK(!mm_munmap(mm, ADDR, RING_BYTES));
}

static const struct vt_scenario send_unmap = {
	.name = "send-unmap", .about = "nobody writes into a page that is gone",
	.setup = open_and_map, .finish = close_all,
	.threads = { { "sender", sender }, { "unmapper", unmapper } },
};

static void mapper(void)
{
	VT_CHECK(map_ring() == -EBUSY);
}

static const struct vt_scenario send_map = {
	.name = "send-map", .about = "mapping it a second time is refused",
	.setup = open_and_map, .finish = close_all,
	.threads = { { "sender", sender }, { "mapper", mapper } },
};

/* At most one allocation of an execution is refused: the second attempt works. */
static void retrier(void)
{
	long got = map_ring();

	if (got == -ENOMEM)
		got = map_ring();
	VT_CHECK(got == (long)ADDR, "%ld", got);
}

static void early_sender(void)
{
	int err = ring_send(&ring, 7);

	VT_CHECK(!err || err == -ENOTCONN || err == -EPIPE, "%d", err);
}

static const struct vt_scenario map_retry = {
	.name = "map-retry", .about = "an mmap() that failed leaves nothing behind",
	.setup = open_ring, .finish = close_all, .flags = VT_NO_MEMORY,
	.threads = { { "retrier", retrier }, { "sender", early_sender } },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, (const struct vt_scenario *const[]){
		&send_unmap, &send_map, &map_retry, NULL });
}
