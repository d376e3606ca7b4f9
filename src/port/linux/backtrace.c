/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where a thread is, for the reports of debug builds.
 *
 * Taking a backtrace is on the path of every lock, so it follows frame pointers, which debug builds
 * are compiled with: a load or two for each caller.  (The C library's backtrace() reads unwind
 * tables, a hundred times as slow, and may allocate.)  A caller that was compiled without frame
 * pointers is left out, or ends the trace.  What is followed is checked to lie in the thread's own
 * stack, above the frame before it, so it can be read.  On a stack that is not the thread's own, as
 * of a signal handler, the trace is the first caller alone.
 *
 * Naming an address is for reports only, and slow: the module's symbol table is read from its file,
 * since what the dynamic linker knows does not have the functions that a library does not export.
 */
#include "port/linux/port_linux.h"

#ifdef CONFIG_VMAREA_DEBUG

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------- backtrace -- */

/* What the two machines push first: the caller's frame, and where to go on in the caller. */
struct frame {
	const struct frame *up;
	const void *pc;
};

/* No stack is larger, and the thread's block lies in no other memory that near above one. */
#define MAX_STACK_BYTES		(64ul << 20)

/* The end of the first thread's stack.  The C library's. */
extern void *__libc_stack_end;

/* The end of the stack that @sp is in: other threads have their thread block there.  0: unknown. */
static uintptr_t stack_end(uintptr_t sp)
{
	uintptr_t block = (uintptr_t)__builtin_thread_pointer();
	uintptr_t first = (uintptr_t)__libc_stack_end;

	if (block > sp && block - sp < MAX_STACK_BYTES)
		return block;
	if (first > sp && first - sp < MAX_STACK_BYTES)
		return first;
	return 0;
}

__attribute__((noinline, no_sanitize("address", "thread", "undefined")))
unsigned int port_backtrace(const void **pcs, unsigned int max)
{
	const struct frame *frame = __builtin_frame_address(0);
	uintptr_t end = stack_end((uintptr_t)frame);
	unsigned int nr = 0;

	if (!end && max) {
		pcs[0] = __builtin_return_address(0);
		return 1;
	}
	while (nr < max) {
		const struct frame *up = frame->up;

		if (!frame->pc)
			break;
		pcs[nr++] = frame->pc;
		if (up <= frame || (uintptr_t)up % sizeof(void *) ||
		    (uintptr_t)up > end - sizeof(*up))
			break;
		frame = up;
	}
	return nr;
}

/* --------------------------------------------------------------------------------- names -- */

/* The module that an address is in. */
struct module {
	uintptr_t pc;
	uintptr_t base;
	char path[256];
	bool found;
};

static int look_at_module(struct dl_phdr_info *info, size_t bytes, void *arg)
{
	struct module *m = arg;

	(void)bytes;
	for (int i = 0; i < info->dlpi_phnum && !m->found; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		m->found = p->p_type == PT_LOAD &&
			   m->pc - info->dlpi_addr - p->p_vaddr < p->p_memsz;
	}
	if (!m->found)
		return 0;
	m->base = info->dlpi_addr;
	/* The program itself has no name here. */
	snprintf(m->path, sizeof(m->path), "%s",
		 info->dlpi_name && *info->dlpi_name ? info->dlpi_name : "/proc/self/exe");
	return 1;
}

/* A file that is mapped while it is looked at. */
struct image {
	const unsigned char *bytes;
	size_t size;
};

static bool image_open(struct image *image, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p = MAP_FAILED;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && st.st_size > 0)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	*image = (struct image){ .bytes = p, .size = (size_t)st.st_size };
	return p != MAP_FAILED;
}

static const void *image_at(const struct image *image, size_t offset, size_t bytes)
{
	if (offset > image->size || bytes > image->size - offset)
		return NULL;
	return image->bytes + offset;
}

static const ElfW(Shdr) *find_section(const struct image *image, unsigned int type)
{
	const ElfW(Ehdr) *elf = image_at(image, 0, sizeof(*elf));
	const ElfW(Shdr) *sections;

	if (!elf || memcmp(elf->e_ident, ELFMAG, SELFMAG))
		return NULL;
	sections = image_at(image, elf->e_shoff, elf->e_shnum * sizeof(*sections));
	for (unsigned int i = 0; sections && i < elf->e_shnum; i++)
		if (sections[i].sh_type == type && sections[i].sh_link < elf->e_shnum)
			return &sections[i];
	return NULL;
}

/* The function of this table that contains @offset, an address less its module's. */
static const char *find_function(const struct image *image, unsigned int type, uintptr_t offset,
				 uintptr_t *into)
{
	const ElfW(Ehdr) *elf = image_at(image, 0, sizeof(*elf));
	const ElfW(Shdr) *table = find_section(image, type), *names;
	const ElfW(Sym) *syms;

	if (!table)
		return NULL;
	syms = image_at(image, table->sh_offset, table->sh_size);
	names = (const ElfW(Shdr) *)(image->bytes + elf->e_shoff) + table->sh_link;
	for (size_t i = 0; syms && i < table->sh_size / sizeof(*syms); i++) {
		/* ELF32_ST_TYPE() is the same. */
		if (ELF64_ST_TYPE(syms[i].st_info) != STT_FUNC ||
		    syms[i].st_name >= names->sh_size ||
		    offset - syms[i].st_value >= syms[i].st_size)
			continue;
		*into = offset - syms[i].st_value;
		return image_at(image, names->sh_offset + syms[i].st_name, 1);
	}
	return NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void port_describe_pc(const void *pc, char *buf, size_t bytes)
{
	/* It is where a call returns to; the call may be the last instruction of its function. */
	struct module m = { .pc = (uintptr_t)pc - 1 };
	const char *name = NULL;
	struct image image;
	uintptr_t into;

	if (!dl_iterate_phdr(look_at_module, &m)) {
		snprintf(buf, bytes, "%p", pc);
		return;
	}
	snprintf(buf, bytes, "%p in %s", pc, base_name(m.path));
	if (!image_open(&image, m.path))
		return;
	name = find_function(&image, SHT_SYMTAB, m.pc - m.base, &into);
	if (!name)
		name = find_function(&image, SHT_DYNSYM, m.pc - m.base, &into);
	if (name)
		snprintf(buf, bytes, "%s+0x%lx", name, (unsigned long)into + 1);
	munmap((void *)image.bytes, image.size);
}

#endif
