/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which open file is which.
 *
 * Areas join only if they map the same open file, so a recording must tell a dup() from a second
 * open().  The recorder takes a descriptor of its own to each file that is mapped (pidfd_getfd) and
 * later asks the kernel whether another descriptor is the same file (kcmp).  A file is held so only
 * while a mm that mapped it is alive; one that is open for writing only while it is mapped, because
 * nobody may execute a file that is open for writing.
 *
 * The files that exec() maps are open nowhere: each exec has its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cli.h"
#include "record.h"

#define KCMP_FILE	0
#define PIDFD_THREAD	O_EXCL

struct held_file {
	struct trace_file desc;
	int fd;				/* of this process; -1: none is needed */
	dev_t st_dev;			/* of fstat(), for a first look */
	ino_t st_ino;
	int shmid;			/* -1: no SysV segment */
	bool busy;			/* holding it keeps others from executing it */
	bool of_this_image;
	unsigned int *mms;		/* ids of the mms that may map it */
	size_t nr_mms;
	struct held_file *next;
};

static struct held_file *files;

/* ------------------------------------------------------------------------- what a file is -- */

/* As maps prints it: a newline becomes \012, " (deleted)" is a flag. */
static char *printed_name(const char *raw, unsigned int *flags)
{
	static const char deleted[] = " (deleted)";
	char *name = cli_alloc(strlen(raw) * 4 + 1), *to = name;

	for (; *raw; raw++) {
		if (*raw == '\n')
			to = stpcpy(to, "\\012");
		else
			*to++ = *raw;
	}
	*to = '\0';
	if ((size_t)(to - name) > strlen(deleted) &&
	    !strcmp(to - strlen(deleted), deleted)) {
		to[-(long)strlen(deleted)] = '\0';
		*flags |= FILE_DELETED;
	}
	return name;
}

static void find_placement(int fd, struct trace_file *f)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return;
	trace_file_placement((unsigned long)fs.f_type, f);
	if (fs.f_flags & ST_NOEXEC)
		f->flags |= FILE_NOEXEC;
}

static void find_attributes(int fd, struct trace_file *f)
{
	struct statx x;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals > 0 && seals & (F_SEAL_WRITE | 0x10 /* F_SEAL_FUTURE_WRITE */))
		f->flags |= FILE_SEAL_WRITE;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x))
		return;
	if (x.stx_attributes & STATX_ATTR_APPEND)
		f->flags |= FILE_APPEND_ONLY;
	if (x.stx_attributes & 0x00200000 /* STATX_ATTR_DAX */)
		f->flags |= FILE_DAX;
}

/* What the driver's mmap() hook made of an area: read back from smaps. */
static void find_hook(struct task *task, unsigned long addr, struct trace_file *f)
{
	char path[64], line[4400], want[32];
	bool inside = false;
	FILE *smaps;

	snprintf(path, sizeof(path), "/proc/%d/smaps", task->tid);
	smaps = fopen(path, "r");
	snprintf(want, sizeof(want), "%lx-", addr);
	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (!strncmp(line, want, strlen(want)))
			inside = true;
		if (!inside || strncmp(line, "VmFlags:", 8))
			continue;
		for (char *two = line + 8; *two == ' ' && two[1] > ' '; two += 3)
			f->hook_flags |= vm_flag_by_letters(two + 1);
		break;
	}
	if (smaps)
		fclose(smaps);
	f->hook = HOOK_DRIVER;
	f->hook_flags &= VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP |
			 VM_MIXEDMAP;
}

/* ----------------------------------------------------------------------------- held files -- */

static void add_mm(struct held_file *h, const struct mm *mm)
{
	for (size_t i = 0; i < h->nr_mms; i++)
		if (h->mms[i] == mm->id)
			return;
	h->mms = cli_realloc(h->mms, (h->nr_mms + 1) * sizeof(*h->mms));
	h->mms[h->nr_mms++] = mm->id;
}

static struct held_file *new_file(struct recorder *r, int fd)
{
	struct held_file *h = cli_alloc(sizeof(*h));

	h->desc.id = ++r->last_file;
	h->fd = fd;
	h->shmid = -1;
	h->next = files;
	files = h;
	return h;
}

static void forget(struct held_file **slot)
{
	struct held_file *h = *slot;

	*slot = h->next;
	if (h->fd >= 0)
		close(h->fd);
	free(h->desc.name);
	free(h->mms);
	free(h);
}

void files_mm_gone(const struct mm *mm)
{
	for (struct held_file **slot = &files; *slot;) {
		struct held_file *h = *slot;
		size_t before = h->nr_mms;

		for (size_t i = 0; i < h->nr_mms; i++)
			if (h->mms[i] == mm->id)
				h->mms[i] = h->mms[--h->nr_mms];
		if (before && !h->nr_mms && h->shmid < 0)
			forget(slot);
		else
			slot = &h->next;
	}
}

void files_mm_copied(const struct mm *from, const struct mm *to)
{
	for (struct held_file *h = files; h; h = h->next) {
		size_t n = h->nr_mms;

		for (size_t i = 0; i < n; i++)
			if (h->mms[i] == from->id)
				add_mm(h, to);
	}
}

static bool is_mapped(const struct recorder *r, const struct held_file *h)
{
	struct seen_area a;

	for (const struct mm *mm = r->mms; mm; mm = mm->next)
		for (size_t i = 0; i < h->nr_mms; i++)
			for (unsigned long addr = 0; h->mms[i] == mm->id &&
			     sample_area(mm, addr, true, &a); addr = a.end)
				if (a.inode == h->desc.inode && a.dev_major == h->desc.dev_major &&
				    a.dev_minor == h->desc.dev_minor)
					return true;
	return false;
}

void files_let_go(struct recorder *r)
{
	for (struct held_file **slot = &files; *slot;) {
		if ((*slot)->busy && !is_mapped(r, *slot))
			forget(slot);
		else
			slot = &(*slot)->next;
	}
}

/* This process's own descriptor of what @fd is in @task, or -errno. */
static int own_descriptor(const struct task *task, int fd)
{
	long pidfd = syscall(SYS_pidfd_open, task->tid, PIDFD_THREAD);
	long own;

	if (pidfd < 0)
		pidfd = syscall(SYS_pidfd_open, task->tgid, 0);
	if (pidfd < 0)
		return -errno;
	own = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (own < 0)
		own = -errno;
	close((int)pidfd);
	return (int)own;
}

static struct held_file *same_file(int fd, const struct stat *st)
{
	pid_t self = getpid();

	for (struct held_file *h = files; h; h = h->next)
		if (h->fd >= 0 && h->st_dev == st->st_dev && h->st_ino == st->st_ino &&
		    syscall(SYS_kcmp, self, self, KCMP_FILE, (long)h->fd, (long)fd) == 0)
			return h;
	return NULL;
}

static void describe(struct held_file *h, struct task *task, const struct stat *st,
		     unsigned long result)
{
	struct trace_file *f = &h->desc;
	bool device = S_ISCHR(st->st_mode) || !(st->st_mode & S_IFMT);
	int access = fcntl(h->fd, F_GETFL) & O_ACCMODE;
	char path[64], name[4200];
	struct seen_area a;
	ssize_t n;

	f->flags = (access != O_WRONLY ? FILE_READ : 0) | (access != O_RDONLY ? FILE_WRITE : 0);
	f->size_bytes = (uint64_t)st->st_size;
	/* What bounds an offset: only these have less than all numbers. */
	f->max_bytes = S_ISREG(st->st_mode) || S_ISBLK(st->st_mode) || S_ISSOCK(st->st_mode)
		     ? 0 : ~0ul;
	f->dev_major = major(st->st_dev);
	f->dev_minor = minor(st->st_dev);
	f->inode = st->st_ino;
	find_placement(h->fd, f);
	find_attributes(h->fd, f);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", h->fd);
	n = readlink(path, name, sizeof(name) - 1);
	name[n < 0 ? 0 : n] = '\0';
	if (S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 5)) {
		f->flags |= FILE_DEV_ZERO;
		device = false;
	} else if (!is_error(result) && sample_area(task->mm, result, false, &a) && a.inode) {
		/* What maps says of the file, which for some file systems stat() does not. */
		f->dev_major = a.dev_major;
		f->dev_minor = a.dev_minor;
		f->inode = a.inode;
		snprintf(name, sizeof(name), "%s", a.name);
	}
	f->name = printed_name(name, &f->flags);
	if (device && !is_error(result))
		find_hook(task, result, f);
	if (result == -(unsigned long)ENODEV || S_ISDIR(st->st_mode) || S_ISFIFO(st->st_mode) ||
	    S_ISSOCK(st->st_mode))
		f->hook = HOOK_NONE;
	h->busy = S_ISREG(st->st_mode) && st->st_nlink && f->flags & FILE_WRITE;
}

unsigned int file_of_fd(struct recorder *r, struct task *task, int fd, unsigned long result)
{
	struct held_file *h;
	struct stat st;
	int own = own_descriptor(task, fd);

	if (own < 0)
		return 0;
	if (fstat(own, &st) || fcntl(own, F_GETFL) & O_PATH) {
		close(own);
		return 0;
	}
	h = same_file(own, &st);
	if (h) {
		int seals = h->desc.flags & FILE_SHMEM ? fcntl(own, F_GET_SEALS) : 0;

		close(own);
		if (seals > 0 && seals & (F_SEAL_WRITE | 0x10) &&
		    !(h->desc.flags & FILE_SEAL_WRITE)) {
			h->desc.flags |= FILE_SEAL_WRITE;
			text_printf(r->out, "sealed f%u\n", h->desc.id);
		}
	} else {
		h = new_file(r, own);
		h->st_dev = st.st_dev;
		h->st_ino = st.st_ino;
		describe(h, task, &st, result);
		trace_write_file(r->out, &h->desc);
	}
	add_mm(h, task->mm);
	return h->desc.id;
}

/* ---------------------------------------------------------------- files that nobody opened -- */

void files_image_begin(void)
{
	for (struct held_file *h = files; h; h = h->next)
		h->of_this_image = false;
}

static unsigned int file_of_area(struct recorder *r, const struct seen_area *a, const struct mm *mm,
				 struct held_file *h)
{
	h->desc.dev_major = a->dev_major;
	h->desc.dev_minor = a->dev_minor;
	h->desc.inode = a->inode;
	h->desc.name = printed_name(a->name, &h->desc.flags);
	add_mm(h, mm);
	trace_write_file(r->out, &h->desc);
	return h->desc.id;
}

/* How long the file is that exec() mapped; with --touch a descriptor of it is kept. */
static void open_image(struct recorder *r, struct held_file *h, pid_t tid,
		       const struct seen_area *a)
{
	char *path = cli_printf("/proc/%d/root%s", tid, a->name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	free(path);
	if (fd >= 0 && !fstat(fd, &st) && st.st_ino == a->inode && S_ISREG(st.st_mode)) {
		h->desc.size_bytes = (uint64_t)st.st_size;
		if (r->touch) {
			h->fd = fd;
			return;
		}
	}
	if (fd >= 0)
		close(fd);
}

unsigned int file_of_image(struct recorder *r, const struct mm *mm, pid_t tid,
			   const struct seen_area *a)
{
	struct held_file *h;

	for (h = files; h; h = h->next)
		if (h->of_this_image && h->desc.inode == a->inode &&
		    h->desc.dev_major == a->dev_major && h->desc.dev_minor == a->dev_minor)
			return h->desc.id;
	h = new_file(r, -1);
	h->of_this_image = true;
	h->desc.flags = FILE_READ;
	open_image(r, h, tid, a);
	return file_of_area(r, a, mm, h);
}

unsigned int file_of_segment(struct recorder *r, const struct mm *mm, int shmid,
			     unsigned long result)
{
	struct shmid_ds ds;
	struct held_file *h;
	struct seen_area a = { .dev_minor = 1, .inode = (uint64_t)shmid };

	for (h = files; h; h = h->next)
		if (h->shmid == shmid && shmid >= 0)
			return h->desc.id;
	if (shmctl(shmid, IPC_STAT, &ds))
		return 0;
	h = new_file(r, -1);
	h->shmid = shmid;
	h->desc.flags = FILE_READ | FILE_WRITE | FILE_SHMEM;
	h->desc.placement = FILE_PLACE_SHMEM;
	h->desc.size_bytes = ds.shm_segsz;
	if (is_error(result) || !sample_area(mm, result, false, &a))
		snprintf(a.name, sizeof(a.name), "/SYSV%08x (deleted)",
			 (unsigned int)ds.shm_perm.__key);
	return file_of_area(r, &a, mm, h);
}

unsigned int file_of_aio(struct recorder *r, const struct mm *mm, const struct seen_area *ring)
{
	struct held_file *h = new_file(r, -1);

	h->desc.flags = FILE_READ | FILE_WRITE;
	h->desc.hook = HOOK_DRIVER;
	h->desc.hook_flags = VM_DONTEXPAND;
	h->desc.size_bytes = ring->end - ring->start;
	return file_of_area(r, ring, mm, h);
}

/* ------------------------------------------------------------------------- pages of files -- */

static bool is_of(const struct held_file *h, const struct mm *mm)
{
	for (size_t i = 0; i < h->nr_mms; i++)
		if (h->mms[i] == mm->id)
			return true;
	return false;
}

unsigned int file_of_seen(const struct mm *mm, const struct seen_area *a, int *fd)
{
	unsigned int id = 0;

	*fd = -1;
	for (const struct held_file *h = files; h; h = h->next) {
		if (h->desc.inode != a->inode || h->desc.dev_major != a->dev_major ||
		    h->desc.dev_minor != a->dev_minor || h->desc.hook || !is_of(h, mm) ||
		    h->desc.flags & (FILE_DEV_ZERO | FILE_HUGETLB))
			continue;
		id = h->desc.id;
		if (h->fd >= 0 && (h->desc.flags & FILE_READ || *fd < 0))
			*fd = h->fd;
	}
	return id;
}

void files_sizes_changed(struct recorder *r, const struct mm *mm)
{
	struct stat st;

	for (struct held_file *h = files; h; h = h->next) {
		if (h->fd < 0 || !is_of(h, mm) || fstat(h->fd, &st) || !S_ISREG(st.st_mode) ||
		    (uint64_t)st.st_size == h->desc.size_bytes)
			continue;
		h->desc.size_bytes = (uint64_t)st.st_size;
		text_printf(r->out, "size f%u %lu\n", h->desc.id, (unsigned long)st.st_size);
	}
}

/* ------------------------------------------------------------------------------- new names -- */

/* One line of maps that has a file: what it says now. */
struct named {
	unsigned int dev_major, dev_minor;
	unsigned long inode;
	char *name;		/* in the text */
};

static bool named_of_line(char *line, struct named *n)
{
	int at = 0;

	return sscanf(line, "%*x-%*x %*s %*x %x:%x %lu %n", &n->dev_major, &n->dev_minor, &n->inode,
		      &at) >= 3 && n->inode && at && (n->name = line + at);
}

static void compare_name(struct recorder *r, struct held_file *h, const struct named *n)
{
	unsigned int flags = 0;
	char *name = printed_name(n->name, &flags);

	if (strcmp(name, h->desc.name)) {
		free(h->desc.name);
		h->desc.name = cli_strdup(name);
		text_printf(r->out, "rename f%u ", h->desc.id);
		trace_write_quoted(r->out, name);
		text_printf(r->out, "\n");
	}
	if (flags & ~h->desc.flags & FILE_DELETED) {
		h->desc.flags |= FILE_DELETED;
		text_printf(r->out, "deleted f%u\n", h->desc.id);
	}
	free(name);
}

void files_names_changed(struct recorder *r, const struct mm *mm, const char *map)
{
	char *text = cli_strdup(map), *save = NULL;
	struct named *lines = NULL;
	size_t nr = 0;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		lines = cli_realloc(lines, (nr + 1) * sizeof(*lines));
		if (named_of_line(l, &lines[nr]))
			nr++;
	}
	for (struct held_file *h = files; h; h = h->next) {
		const struct named *found = NULL;
		bool mine = false;

		if (h->desc.flags & FILE_DEV_ZERO)
			continue;
		for (size_t i = 0; i < h->nr_mms && !mine; i++)
			mine = h->mms[i] == mm->id;
		for (size_t i = 0; i < nr && mine; i++) {
			const struct named *n = &lines[i];
			size_t same = strlen(h->desc.name);

			if (n->inode != h->desc.inode || n->dev_major != h->desc.dev_major ||
			    n->dev_minor != h->desc.dev_minor)
				continue;
			if (!found || (!strncmp(n->name, h->desc.name, same) &&
				       (!n->name[same] || !strcmp(n->name + same, " (deleted)"))))
				found = n;
		}
		if (found)
			compare_name(r, h, found);
	}
	free(lines);
	free(text);
}
