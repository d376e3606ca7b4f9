/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What exec() mapped, from the program's file, for logs that do not show it.
 *
 * Where it lies is not known until the dynamic linker protects the part of it that it has relocated
 * (PT_GNU_RELRO), of the program and of itself: the length of that call is in the file, and its
 * address tells where the file's other segments are.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "strace.h"

#define MAX_HEADERS	64
#define PAGE		4096ul

struct elf {
	Elf64_Ehdr head;
	Elf64_Phdr segments[MAX_HEADERS];
	size_t nr;
	char *interpreter;	/* or NULL */
};

static bool read_at(int fd, void *to, size_t bytes, off_t offset)
{
	return pread(fd, to, bytes, offset) == (ssize_t)bytes;
}

/* Opens @path, or the interpreter of the script that it is. */
static int open_program(const char *path)
{
	char line[256], *end;
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	for (int depth = 0; fd >= 0 && depth < 4; depth++) {
		ssize_t n = pread(fd, line, sizeof(line) - 1, 0);

		line[n > 0 ? n : 0] = '\0';
		if (strncmp(line, "#!", 2))
			break;
		path = line + 2 + strspn(line + 2, " \t");
		end = line + (path - line) + strcspn(path, " \t\n");
		*end = '\0';
		close(fd);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	return fd;
}

static bool read_elf(const char *path, struct elf *elf)
{
	int fd = open_program(path);
	bool good;

	*elf = (struct elf){ .nr = 0 };
	good = fd >= 0 && read_at(fd, &elf->head, sizeof(elf->head), 0) &&
	       !memcmp(elf->head.e_ident, ELFMAG, SELFMAG) &&
	       elf->head.e_ident[EI_CLASS] == ELFCLASS64 &&
	       elf->head.e_phentsize == sizeof(Elf64_Phdr) && elf->head.e_phnum <= MAX_HEADERS &&
	       read_at(fd, elf->segments, elf->head.e_phnum * sizeof(Elf64_Phdr),
		       (off_t)elf->head.e_phoff);
	if (good)
		elf->nr = elf->head.e_phnum;
	for (size_t i = 0; i < elf->nr; i++) {
		const Elf64_Phdr *s = &elf->segments[i];

		if (s->p_type != PT_INTERP || elf->interpreter || s->p_filesz > 4096)
			continue;
		elf->interpreter = cli_alloc(s->p_filesz + 1);
		if (!read_at(fd, elf->interpreter, s->p_filesz, (off_t)s->p_offset))
			elf->interpreter[0] = '\0';
	}
	if (fd >= 0)
		close(fd);
	return good;
}

static unsigned long up(unsigned long addr)
{
	return (addr + PAGE - 1) & ~(PAGE - 1);
}

static void add(struct play_mm *mm, unsigned long start, unsigned long end, vm_flags_t flags)
{
	struct area_desc area = {
		.start = start, .end = end, .pgoff = start / PAGE,
		.flags = flags | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC |
			 (flags & VM_WRITE ? VM_ACCOUNT : 0),
	};

	if (start < end)	/* -EEXIST: something has been put there since */
		(void)mm_add_area(mm->user, &area);
}

static void add_segment(struct play_mm *mm, const Elf64_Phdr *s, unsigned long bias)
{
	unsigned long start = (bias + s->p_vaddr) & ~(PAGE - 1);
	vm_flags_t flags = (s->p_flags & PF_R ? VM_READ : 0) | (s->p_flags & PF_W ? VM_WRITE : 0) |
			   (s->p_flags & PF_X ? VM_EXEC : 0);
	unsigned long file_end = up(bias + s->p_vaddr + s->p_filesz);

	add(mm, start, file_end, flags);
	add(mm, file_end, up(bias + s->p_vaddr + s->p_memsz), flags);
}

/* If the call is the protection of this file's relocated part: its segments, where they are. */
static bool add_if_relro(struct play_mm *mm, const struct elf *elf, unsigned long addr,
			 unsigned long len)
{
	for (size_t i = 0; i < elf->nr; i++) {
		const Elf64_Phdr *s = &elf->segments[i];
		unsigned long start = s->p_vaddr & ~(PAGE - 1);
		unsigned long end = (s->p_vaddr + s->p_memsz) & ~(PAGE - 1);

		if (s->p_type != PT_GNU_RELRO || end - start != len ||
		    (elf->head.e_type == ET_EXEC && start != addr))
			continue;
		for (size_t k = 0; k < elf->nr; k++)
			if (elf->segments[k].p_type == PT_LOAD)
				add_segment(mm, &elf->segments[k], addr - start);
		return true;
	}
	return false;
}

bool strace_add_image(struct play_mm *mm, const char *program, unsigned long addr,
		      unsigned long len)
{
	struct elf elf, interpreter;
	bool added;

	if (!read_elf(program, &elf))
		return false;
	added = add_if_relro(mm, &elf, addr, len);
	if (!added && elf.interpreter) {
		if (read_elf(elf.interpreter, &interpreter))
			added = add_if_relro(mm, &interpreter, addr, len);
		free(interpreter.interpreter);
	}
	free(elf.interpreter);
	return added;
}
