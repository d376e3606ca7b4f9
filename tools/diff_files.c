/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The files that the calls map: one of each kind for which mmap(), mprotect() or merging has a
 * rule.  All are without a name or deleted; none outlives the command.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cli.h"
#include "cmds.h"
#include "diff.h"

#ifndef F_SEAL_FUTURE_WRITE
# define F_SEAL_FUTURE_WRITE	0x0010
#endif
#ifndef MFD_EXEC
# define MFD_EXEC		0x0010u
#endif

/* Descriptors that the agent gets are low: ours are not. */
enum { OUR_FD = 200 };

static const struct file_operations no_mmap = { .owner = "test" };

static enum file_placement placement_of(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return FILE_PLACE_ANY;
	switch ((unsigned long)fs.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
		return FILE_PLACE_HUGE;
	case TMPFS_MAGIC:
		return FILE_PLACE_SHMEM;
	default:
		return FILE_PLACE_ANY;
	}
}

static unsigned int flags_of(int fd, const struct stat *st, bool mappable)
{
	int mode = fcntl(fd, F_GETFL) & O_ACCMODE;
	unsigned int flags = 0;
	struct statvfs fs;
	int seals = fcntl(fd, F_GET_SEALS);

	if (mode != O_WRONLY)
		flags |= FILE_READ;
	if (mode != O_RDONLY)
		flags |= FILE_WRITE;
	if (mappable && !fstatvfs(fd, &fs) && (fs.f_flag & ST_NOEXEC))
		flags |= FILE_NOEXEC;
	if (seals >= 0 && !(seals & F_SEAL_SEAL))
		flags |= FILE_SEALABLE;
	if (st->st_mode & 0111)
		flags |= FILE_EXECUTABLE;
	return flags;
}

/* What bounds an offset: only files with a size of their own have less than all numbers. */
static uint64_t max_bytes_of(const struct stat *st)
{
	return S_ISREG(st->st_mode) || S_ISBLK(st->st_mode) || S_ISSOCK(st->st_mode) ? 0 : ~0ul;
}

/* The name as maps shows it, " (deleted)" taken off and noted. */
static void take_name(struct file_desc *desc, const char *shown)
{
	static const char deleted[] = " (deleted)";
	size_t n = strlen(shown), m = sizeof(deleted) - 1;
	char *name = cli_strdup(shown);

	if (n > m && !strcmp(shown + n - m, deleted)) {
		name[n - m] = 0;
		desc->flags |= FILE_DELETED;
	}
	desc->name = name;
}

static struct test_file *add(struct test_files *files, const char *label, int fd, bool mappable)
{
	struct test_file *file = &files->file[files->nr];
	char link[64], shown[512];
	struct stat st;
	ssize_t n;

	if (files->nr == AGENT_MAX_FILES)
		abort();
	files->nr++;
	*file = (struct test_file){ .fd = -1, .same_as = -1 };
	if (fd < 0)
		return file;
	file->fd = fcntl(fd, F_DUPFD_CLOEXEC, OUR_FD);
	close(fd);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", file->fd);
	n = readlink(link, shown, sizeof(shown) - 1);
	if (file->fd < 0 || n < 0 || fstat(file->fd, &st))
		return file;
	shown[n] = 0;
	file->label = label;
	file->mappable = mappable;
	file->desc = (struct file_desc){ .size = sizeof(file->desc), .inode = st.st_ino,
		.dev_major = major(st.st_dev), .dev_minor = minor(st.st_dev),
		.flags = flags_of(file->fd, &st, mappable),
		.placement = S_ISREG(st.st_mode) ? placement_of(file->fd) : FILE_PLACE_ANY,
		.size_bytes = (uint64_t)st.st_size, .max_bytes = max_bytes_of(&st) };
	take_name(&file->desc, shown);
	if (file->desc.placement == FILE_PLACE_SHMEM)
		file->desc.flags |= FILE_SHMEM;
	if (!mappable)
		file->desc.ops = &no_mmap;
	return file;
}

/*
 * Only of file systems of which it is known what they do: stacked ones map a file that is none of
 * ours, btrfs shows another device than stat() does.  On tmpfs it is one more memory file.
 */
static bool is_known_disk(int fd)
{
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs))
		return false;
	return (unsigned long)fs.f_type == EXT4_SUPER_MAGIC ||
		(unsigned long)fs.f_type == XFS_SUPER_MAGIC || fs.f_type == TMPFS_MAGIC;
}

static struct test_file *add_disk(struct test_files *files, const char *label, int fd)
{
	bool known = is_known_disk(fd);
	struct test_file *file;

	if (!known && fd >= 0)
		close(fd);
	file = add(files, label, known ? fd : -1, true);
	file->disk = !(file->desc.flags & FILE_SHMEM);
	if (file->desc.placement == FILE_PLACE_HUGE)
		file->desc.flags |= FILE_MAP_SYNC;
	return file;
}

/* MFD_EXEC: it has a mode with an x, which the kernel may be told not to give otherwise. */
static int memory_file(const char *name, unsigned int flags, off_t bytes)
{
	int fd = memfd_create(name, flags | MFD_CLOEXEC | MFD_EXEC);

	return fd < 0 || ftruncate(fd, bytes) ? -1 : fd;
}

static struct test_file *add_sealed(struct test_files *files, const char *label, const char *name,
				    unsigned int seals)
{
	static const char zeros[8 * DIFF_PAGE];
	int fd = memory_file(name, MFD_ALLOW_SEALING, sizeof(zeros));
	struct test_file *file;

	/* What is sealed is never cleared again: so all its pages are there from the first. */
	if (fd >= 0 && (pwrite(fd, zeros, sizeof(zeros), 0) != sizeof(zeros) ||
			fcntl(fd, F_ADD_SEALS, seals)))
		fd = -1;
	file = add(files, label, fd, true);
	file->seals = seals;
	file->desc.flags |= FILE_SEALABLE;
	return file;
}

static int reopen(const struct test_file *file, int flags)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", file->fd);
	return open(link, flags | O_CLOEXEC);
}

static int temporary(off_t bytes)
{
	const char *dir = getenv("TMPDIR") ? getenv("TMPDIR") : "/var/tmp";
	char *path = cli_printf("%s/vmarea-diff-XXXXXX", dir);
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0 || ftruncate(fd, bytes)) {
		cli_error("diff", "%s: no place for a temporary file: %s", dir, strerror(errno));
		exit(EXIT_USAGE);
	}
	unlink(path);
	free(path);
	return fd;
}

/* Asked where there is nothing to be lost. */
static bool refuses_holes(int fd)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, DIFF_PAGE) &&
	       errno == EOPNOTSUPP;
}

static int append_only(void)
{
	int fd = temporary(4 * DIFF_PAGE), flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		goto none;
	flags |= FS_APPEND_FL;
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags))
		goto none;
	return fd;
none:
	close(fd);
	return -1;
}

static int pipe_end(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -1;
	close(fds[1]);
	return fds[0];
}

/* A shared memory segment, gone with its last user; kept by an attachment of ours. */
static void add_segment(struct test_files *files, int at, size_t bytes)
{
	int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0700);
	struct file_desc *desc = &files->segment[at];
	unsigned long start, end, where;
	char line[512], shown[256];
	unsigned long inode;
	void *p;
	FILE *f;

	files->shmid[at] = -1;
	files->attached[at] = NULL;
	p = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
	if (p == (void *)-1)
		return;
	where = (unsigned long)p;
	f = fopen("/proc/self/maps", "r");
	*desc = (struct file_desc){ .size = sizeof(*desc), .placement = FILE_PLACE_SHMEM,
		.flags = FILE_READ | FILE_WRITE | FILE_SHMEM, .size_bytes = bytes };
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %*s %*s %x:%x %lu %255[^\n]", &start, &end,
			   &desc->dev_major, &desc->dev_minor, &inode, shown) != 6 ||
		    start != where)
			continue;
		desc->inode = inode;
		files->shmid[at] = id;
		files->attached[at] = p;
		take_name(desc, shown);
		break;
	}
	if (f)
		fclose(f);
	shmctl(id, IPC_RMID, NULL);
}

/* The second is the first, opened again. */
static void add_anew(struct test_files *files)
{
	struct test_file *file = add(files, "memfd to seal",
				     memory_file("anew", MFD_ALLOW_SEALING, 8 * DIFF_PAGE), true);

	file->anew = true;
	file = add(files, "memfd to seal, opened to read", reopen(file, O_RDONLY), true);
	file->anew = true;
}

/* With the same number as before. */
static int make_anew(const struct test_file *file)
{
	int fd = file->desc.flags & FILE_WRITE ?
		memory_file("anew", MFD_ALLOW_SEALING, (off_t)file->desc.size_bytes) :
		reopen(file - 1, O_RDONLY);
	int err = fd < 0 ? -1 : dup3(fd, file->fd, O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return err;
}

void files_open(struct test_files *files)
{
	const off_t page = DIFF_PAGE;
	struct test_file *file;
	int at, disk;

	files->nr = 0;
	file = add(files, "/dev/zero", open("/dev/zero", O_RDWR | O_CLOEXEC), true);
	file->desc.flags |= FILE_DEV_ZERO;
	at = files->nr;
	add(files, "memfd", memory_file("a", MFD_ALLOW_SEALING, 64 * page), true);
	file = add(files, "memfd dup", dup(files->file[at].fd), true);
	file->same_as = at;
	add(files, "memfd opened again", reopen(&files->file[at], O_RDWR), true);
	add(files, "memfd opened to read", reopen(&files->file[at], O_RDONLY), true);
	add(files, "memfd of 3 pages and a bit", memory_file("b", 0, 3 * page + 100), true);
	add(files, "memfd, empty", memory_file("c", 0, 0), true);
	add_sealed(files, "memfd sealed: write", "d", F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
	add_sealed(files, "memfd sealed: future write", "e",
		   F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	disk = files->nr;
	file = add_disk(files, "disk", temporary(64 * page));
	files->no_holes = file->label && refuses_holes(file->fd);
	add_disk(files, "disk opened again", reopen(&files->file[disk], O_RDWR));
	add_disk(files, "disk opened to read", reopen(&files->file[disk], O_RDONLY));
	add_disk(files, "disk opened to write", reopen(&files->file[disk], O_WRONLY));
	/* It is never emptied, so which pages are in core is no round's own. */
	file = add_disk(files, "disk, append-only", append_only());
	file->desc.flags |= FILE_APPEND_ONLY;
	file->disk = true;
	file = add(files, "memfd of huge pages", memory_file("h", MFD_HUGETLB, 0), true);
	file->desc.flags |= FILE_HUGETLB;
	add(files, "directory", open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), false);
	/* Pipes are on a mount of their own, which statvfs() does not say all about. */
	file = add(files, "pipe", pipe_end(), false);
	file->desc.flags |= FILE_NOEXEC;
	add(files, "/dev/null", open("/dev/null", O_RDWR | O_CLOEXEC), false);
	file = add(files, "memfd opened to append", reopen(&files->file[at], O_RDWR | O_APPEND),
		   true);
	file->append = true;
	file = add_disk(files, "disk opened to append",
			reopen(&files->file[disk], O_RDWR | O_APPEND));
	file->append = true;
	add_anew(files);
	add_segment(files, 0, 4 * DIFF_PAGE);
	add_segment(files, 1, DIFF_PAGE);
	add_segment(files, 2, 9 * DIFF_PAGE + 1);
}

void files_close(struct test_files *files)
{
	for (int i = 0; i < files->nr; i++) {
		if (!files->file[i].label)
			continue;
		close(files->file[i].fd);
		free((char *)files->file[i].desc.name);
	}
	/* The attachments go with the process, and the segments with them. */
	for (int i = 0; i < DIFF_NR_SEGMENTS; i++)
		if (files->shmid[i] >= 0)
			free((char *)files->segment[i].name);
}

static size_t page_up(uint64_t bytes)
{
	return (bytes + DIFF_PAGE - 1) & ~(DIFF_PAGE - 1);
}

static int reset(const struct test_file *file)
{
	if (file->anew)
		return make_anew(file);
	if (!file->mappable || !(file->desc.flags & FILE_WRITE) || file->seals ||
	    (file->desc.flags & FILE_APPEND_ONLY))
		return 0;
	return ftruncate(file->fd, 0) || ftruncate(file->fd, (off_t)file->desc.size_bytes) ? -1 : 0;
}

void files_reset(const struct test_files *files)
{
	for (int i = FILE_FIRST_SIZED; i < files->nr; i++) {
		const struct test_file *file = &files->file[i];

		if (!file->label || reset(file) >= 0)
			continue;
		cli_error("diff", "%s: cannot be resized: %s", file->label, strerror(errno));
		exit(EXIT_DEFECT);
	}
	for (int i = 0; i < DIFF_NR_SEGMENTS; i++)
		if (files->attached[i])
			madvise(files->attached[i], page_up(files->segment[i].size_bytes),
				MADV_REMOVE);
}
