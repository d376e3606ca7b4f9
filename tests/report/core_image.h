/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A core file in memory, and its parts by way of the host's <elf.h>.
 */
#ifndef TESTS_REPORT_CORE_IMAGE_H
#define TESTS_REPORT_CORE_IMAGE_H

#include <elf.h>

#include <vmarea/core.h>

#include "../fault/memory.h"

#define PAGE	SPACE_PAGE

struct image {
	unsigned char *bytes;
	size_t len, room, skipped;
	unsigned long calls, fail_at;		/* the call that returns an error; 0: none */
	void (*meanwhile)(struct mm_user *mm);	/* at the first call */
	struct mm_user *mm;
};

static inline int collect(void *arg, const char *bytes, size_t nr)
{
	struct image *image = arg;

	if (++image->calls == image->fail_at)
		return -77;
	if (image->calls == 1 && image->meanwhile)
		image->meanwhile(image->mm);
	if (image->len + nr > image->room) {
		image->room = 2 * (image->len + nr);
		image->bytes = realloc(image->bytes, image->room);
		assert_non_null(image->bytes);
	}
	memcpy(image->bytes + image->len, bytes, nr);
	image->len += nr;
	return 0;
}

static inline int skip_zeros(void *arg, uint64_t bytes)
{
	static const char zeros[PAGE];
	struct image *image = arg;

	assert_int_equal(bytes % PAGE, 0);
	image->skipped += bytes;
	for (; bytes; bytes -= PAGE) {
		int err = collect(arg, zeros, PAGE);

		if (err)
			return err;
	}
	return 0;
}

static inline struct image core_with(struct mm_user *mm, const struct mm_core_config *config)
{
	struct image image = { .len = 0 };

	assert_int_equal(mm_report_core(mm, config, collect, &image), 0);
	return image;
}

static inline struct image core_of(struct mm_user *mm, unsigned int filter)
{
	struct mm_core_config config = MM_CORE_CONFIG_INIT;

	config.filter = filter;
	return core_with(mm, &config);
}

static inline const Elf64_Ehdr *header(const struct image *image)
{
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)image->bytes;

	assert_true(image->len >= sizeof(*h));
	assert_memory_equal(h->e_ident, ELFMAG, SELFMAG);
	assert_int_equal(h->e_ident[EI_CLASS], ELFCLASS64);
	assert_int_equal(h->e_ident[EI_DATA], ELFDATA2LSB);
	assert_int_equal(h->e_ident[EI_VERSION], EV_CURRENT);
	assert_int_equal(h->e_version, EV_CURRENT);
	assert_int_equal(h->e_type, ET_CORE);
	assert_int_equal(h->e_ehsize, sizeof(*h));
	assert_int_equal(h->e_phentsize, sizeof(Elf64_Phdr));
	return h;
}

static inline size_t nr_segments(const struct image *image)
{
	const Elf64_Ehdr *h = header(image);
	const Elf64_Shdr *section;

	if (h->e_phnum != PN_XNUM) {
		assert_int_equal(h->e_shoff, 0);
		assert_int_equal(h->e_shnum, 0);
		return h->e_phnum;
	}
	assert_int_equal(h->e_shoff, image->len - sizeof(*section));
	assert_int_equal(h->e_shnum, 1);
	assert_int_equal(h->e_shentsize, sizeof(*section));
	section = (const Elf64_Shdr *)(image->bytes + h->e_shoff);
	assert_int_equal(section->sh_type, SHT_NULL);
	assert_int_equal(section->sh_size, 1);
	return section->sh_info;
}

static inline const Elf64_Phdr *segment(const struct image *image, size_t i)
{
	return (const Elf64_Phdr *)(image->bytes + header(image)->e_phoff) + i;
}

/* In order, aligned, one behind the other, and the file ends where they do. */
static inline void check_segments(const struct image *image)
{
	const size_t nr = nr_segments(image);
	const Elf64_Phdr *note = segment(image, 0), *s;
	unsigned long end = 0, offset;

	assert_int_equal(note->p_type, PT_NOTE);
	assert_int_equal(note->p_offset, sizeof(Elf64_Ehdr) + nr * sizeof(Elf64_Phdr));
	offset = (note->p_offset + note->p_filesz + PAGE - 1) / PAGE * PAGE;
	for (size_t i = 1; i < nr; i++) {
		s = segment(image, i);
		assert_int_equal(s->p_type, PT_LOAD);
		assert_int_equal(s->p_align, PAGE);
		assert_int_equal(s->p_offset, offset);
		assert_true(s->p_vaddr >= end);
		assert_true(s->p_filesz <= s->p_memsz);
		end = s->p_vaddr + s->p_memsz;
		offset += s->p_filesz;
	}
	if (header(image)->e_phnum == PN_XNUM)
		offset += sizeof(Elf64_Shdr);
	assert_int_equal(image->len, offset);
}

/* That of the area in which the page of the window is. */
static inline const Elf64_Phdr *segment_at(const struct image *image, unsigned long page)
{
	for (size_t i = 1; i < nr_segments(image); i++) {
		const Elf64_Phdr *s = segment(image, i);

		if (s->p_vaddr <= at(page) && at(page) < s->p_vaddr + s->p_memsz)
			return s;
	}
	fail_msg("no segment has page %lu", page);
	return NULL;
}

/* Pages of it in the file. */
static inline unsigned long pages_at(const struct image *image, unsigned long page)
{
	assert_int_equal(segment_at(image, page)->p_filesz % PAGE, 0);
	return segment_at(image, page)->p_filesz / PAGE;
}

static inline const unsigned char *bytes_at(const struct image *image, unsigned long page)
{
	const Elf64_Phdr *s = segment_at(image, page);
	unsigned long skip_bytes = at(page) - s->p_vaddr;

	assert_true(skip_bytes < s->p_filesz);
	return image->bytes + s->p_offset + skip_bytes;
}

/* What put() has written, and nothing else. */
static inline void assert_page(const struct image *image, unsigned long page, unsigned char value)
{
	unsigned char want[PAGE] = { 0 };

	want[byte_at(0) - at(0)] = value;
	assert_memory_equal(bytes_at(image, page), want, PAGE);
}

/* The n-th note of the type; NULL: there are fewer. */
static inline const void *note(const struct image *image, unsigned int type, unsigned int n, size_t *bytes)
{
	const Elf64_Phdr *s = segment(image, 0);
	size_t done = 0;

	while (done < s->p_filesz) {
		const unsigned char *p = image->bytes + s->p_offset + done;
		const Elf64_Nhdr *h = (const Elf64_Nhdr *)p;

		assert_int_equal(h->n_namesz, 5);
		assert_string_equal((const char *)(h + 1), "CORE");
		done += sizeof(*h) + 8 + (h->n_descsz + 3) / 4 * 4;
		if (h->n_type != type || n--)
			continue;
		*bytes = h->n_descsz;
		return p + sizeof(*h) + 8;
	}
	assert_int_equal(done, s->p_filesz);
	return NULL;
}

#endif
