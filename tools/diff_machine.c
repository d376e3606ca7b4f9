/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which kernel runs here, with which limits, built with what: so that the library is set to be
 * the same machine.  What can only be told by trying is tried.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli.h"
#include "diff.h"

#ifndef PR_SET_VMA
# define PR_SET_VMA		0x53564d41
# define PR_SET_VMA_ANON_NAME	0
#endif

static unsigned long read_number(const char *path, unsigned long otherwise)
{
	FILE *f = fopen(path, "r");
	unsigned long value;

	if (!f)
		return otherwise;
	if (fscanf(f, "%lu", &value) != 1)
		value = otherwise;
	fclose(f);
	return value;
}

static unsigned long meminfo_pages(const char *what)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long kib = 0, value;
	char line[128], name[64];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63[^:]: %lu kB", name, &value) == 2 && !strcmp(name, what))
			kib = value;
	if (f)
		fclose(f);
	return kib / 4;
}

/* VmFlags of the area at @addr, "" if there is none. */
static void vm_flags_at(const void *addr, char flags[256])
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	char line[512];
	bool here = false;

	flags[0] = 0;
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = (unsigned long)addr >= start && (unsigned long)addr < end;
		else if (here && !strncmp(line, "VmFlags:", 8))
			snprintf(flags, 256, "%.255s", line + 8);
	}
	if (f)
		fclose(f);
}

/* Since Linux 6.17 a move may span areas: two that cannot be one are tried. */
static bool moves_several(void)
{
	char *from = mmap(NULL, 8 * DIFF_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *to = from + 4 * DIFF_PAGE;
	bool works;

	mprotect(from, DIFF_PAGE, PROT_READ);
	works = mremap(from, 2 * DIFF_PAGE, 2 * DIFF_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       to) == to;
	munmap(from, 8 * DIFF_PAGE);
	return works;
}

static unsigned int probe_features(void)
{
	char *page = mmap(NULL, DIFF_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	unsigned int features = 0;
	char flags[256];

	vm_flags_at(page, flags);
	if (strstr(flags, " sd"))
		features |= VMAREA_FEATURE_SOFT_DIRTY;
	if (!prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, page, DIFF_PAGE, "probe"))
		features |= VMAREA_FEATURE_ANON_NAMES;
	if (!madvise(page, DIFF_PAGE, MADV_MERGEABLE))
		features |= VMAREA_FEATURE_KSM;
	if (!access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK))
		features |= VMAREA_FEATURE_THP;
	if (!access("/sys/kernel/mm/hugepages/hugepages-1048576kB", F_OK))
		features |= VMAREA_FEATURE_HUGE_1G;
	if (!access("/proc/sys/vm/memory_failure_early_kill", F_OK))
		features |= VMAREA_FEATURE_MEMORY_FAILURE;
	if (!madvise(page, DIFF_PAGE, MADV_GUARD_INSTALL)) {
		vm_flags_at(page, flags);
		if (strstr(flags, " gu"))
			features |= VMAREA_FEATURE_GUARD_FLAG;
	}
	/* Of a length that is refused wherever the call exists. */
	if (syscall(462, page + 1, DIFF_PAGE, 0) && errno == EINVAL)
		features |= VMAREA_FEATURE_MSEAL;
	munmap(page, DIFF_PAGE);
	if (moves_several())
		features |= VMAREA_FEATURE_MULTI_MREMAP;
	return features;
}

/* A hint below the lowest is moved up to it. */
static unsigned long lowest_hint(unsigned long otherwise)
{
	void *p = mmap((void *)DIFF_PAGE, DIFF_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return otherwise;
	munmap(p, DIFF_PAGE);
	return (unsigned long)p <= 1ul << 20 ? (unsigned long)p : otherwise;
}

static bool thp_on_advice(void)
{
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
	char line[64] = "";
	bool chosen = f && fgets(line, sizeof(line), f) && strstr(line, "[madvise]");

	if (f)
		fclose(f);
	return chosen;
}

unsigned long machine_nr_collapsed(void)
{
	return read_number("/sys/kernel/mm/transparent_hugepage/khugepaged/pages_collapsed", 0);
}

unsigned long machine_nr_written(void)
{
	FILE *f = fopen("/proc/vmstat", "r");
	unsigned long written = 0, value;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "nr_written %lu", &value) == 1)
			written = value;
	if (f)
		fclose(f);
	return written;
}

void machine_probe(struct machine *m)
{
	struct utsname name;

	uname(&name);
	snprintf(m->release, sizeof(m->release), "%s %s", name.sysname, name.release);
	m->root = !geteuid();
	m->config = (struct vmarea_config)VMAREA_CONFIG_INIT;
	m->config.total_ram_pages = meminfo_pages("MemTotal");
	m->config.total_swap_pages = meminfo_pages("SwapTotal");
	m->config.overcommit =
		(enum vmarea_overcommit)read_number("/proc/sys/vm/overcommit_memory", 0);
	m->config.overcommit_ratio = (unsigned int)read_number("/proc/sys/vm/overcommit_ratio", 50);
	m->config.overcommit_kbytes = read_number("/proc/sys/vm/overcommit_kbytes", 0);
	m->config.user_reserve_kbytes = read_number("/proc/sys/vm/user_reserve_kbytes", 131072);
	m->config.admin_reserve_kbytes = read_number("/proc/sys/vm/admin_reserve_kbytes", 8192);
	m->config.max_map_count = (unsigned int)read_number("/proc/sys/vm/max_map_count", 65530);
	m->config.mmap_min_addr = read_number("/proc/sys/vm/mmap_min_addr", 65536);
	m->config.lsm_mmap_min_addr = lowest_hint(m->config.lsm_mmap_min_addr);
	m->legacy_layout = read_number("/proc/sys/vm/legacy_va_layout", 0);
	m->thp_on_advice = thp_on_advice();
	m->config.nr_huge_2m_pages = (unsigned int)read_number(
		"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", 0);
	m->config.nr_huge_1g_pages = (unsigned int)read_number(
		"/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", 0);
	m->config.features = probe_features();
}
