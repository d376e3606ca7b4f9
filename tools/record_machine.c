/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The header of a recording: what this kernel is set to, and what it was built with.  The latter
 * is found out by trying, in this process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli.h"
#include "record.h"

#ifndef PR_SET_VMA
# define PR_SET_VMA		0x53564d41
# define PR_SET_VMA_ANON_NAME	0
#endif

static unsigned long sysctl(const char *name, unsigned long otherwise)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	f = fopen(path, "r");
	if (!f)
		return otherwise;
	if (fscanf(f, "%lu", &otherwise) != 1)
		otherwise = 0;
	fclose(f);
	return otherwise;
}

/* VmFlags of the area that begins at @start, as smaps has them. */
static bool own_vmflags(void *start, char *flags, size_t size)
{
	char line[512], want[32];
	bool inside = false, found = false;
	FILE *f = fopen("/proc/self/smaps", "r");

	if (!f)
		return false;
	snprintf(want, sizeof(want), "%lx-", (unsigned long)start);
	while (!found && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, want, strlen(want)))
			inside = true;
		if (inside && !strncmp(line, "VmFlags:", 8)) {
			snprintf(flags, size, "%s", line);
			found = true;
		}
	}
	fclose(f);
	return found;
}

static bool has_multi_mremap(char *three)
{
	/* Two areas that differ, moved at once: before 6.17 this is EFAULT. */
	mprotect(three, PAGE, PROT_READ);
	return mremap(three, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, three + 3 * PAGE) !=
	       MAP_FAILED;
}

static bool cpu_has_1g_pages(void)
{
	char line[8192];
	bool found = false;
	FILE *f = fopen("/proc/cpuinfo", "r");

	while (f && !found && fgets(line, sizeof(line), f))
		found = !strncmp(line, "flags", 5) && strstr(line, " pdpe1gb");
	if (f)
		fclose(f);
	return found;
}

/* An area of its own: guard gaps of nothing around it, in a reserve of pages that nobody uses. */
static unsigned int find_features(void)
{
	char *p = mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char flags[512] = "", *area = p + PAGE;
	unsigned int features = 0;

	if (p == MAP_FAILED)
		return VMAREA_FEATURES_DEFAULT;
	mprotect(area, PAGE, PROT_READ | PROT_WRITE);
	if (own_vmflags(area, flags, sizeof(flags)) && strstr(flags, " sd"))
		features |= VMAREA_FEATURE_SOFT_DIRTY;
	if (!prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, area, PAGE, "vmarea"))
		features |= VMAREA_FEATURE_ANON_NAMES;
	if (!madvise(area, PAGE, MADV_UNMERGEABLE))
		features |= VMAREA_FEATURE_KSM;
	if (!access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK))
		features |= VMAREA_FEATURE_THP;
	if (!madvise(area, PAGE, MADV_GUARD_INSTALL) && own_vmflags(area, flags, sizeof(flags)) &&
	    strstr(flags, " gu"))
		features |= VMAREA_FEATURE_GUARD_FLAG;
	mprotect(p + 4 * PAGE, 3 * PAGE, PROT_READ | PROT_WRITE);
	if (has_multi_mremap(p + 4 * PAGE))
		features |= VMAREA_FEATURE_MULTI_MREMAP;
	if (!syscall(call_kinds[CALL_MSEAL].nr, p, 0ul, 0ul))
		features |= VMAREA_FEATURE_MSEAL;
	if (cpu_has_1g_pages())
		features |= VMAREA_FEATURE_HUGE_1G;
	munmap(p, 16 * PAGE);
	return features;
}

/* The lowest address that a hint is raised to. */
static unsigned long find_lowest_hint(void)
{
	unsigned long lowest = 65536;
	char *p = mmap((void *)PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return lowest;
	if ((unsigned long)p <= 1ul << 20)
		lowest = (unsigned long)p;
	munmap(p, PAGE);
	return lowest;
}

static void find_thp(char *thp, size_t size)
{
	char line[128] = "";
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
	char *open = NULL, *close = NULL;

	if (f) {
		if (fgets(line, sizeof(line), f))
			open = strchr(line, '[');
		fclose(f);
	}
	if (open)
		close = strchr(open, ']');
	if (close)
		*close = '\0';
	snprintf(thp, size, "%s", close ? open + 1 : "none");
}

void machine_header(struct trace_header *h, char **command)
{
	struct utsname uts;
	struct sysinfo info;

	*h = (struct trace_header){ .version = TRACE_VERSION };
	uname(&uts);
	sysinfo(&info);
	snprintf(h->kernel, sizeof(h->kernel), "%.60s", uts.release);
	snprintf(h->machine, sizeof(h->machine), "%.15s", uts.machine);
	h->ram_pages = info.totalram / PAGE * info.mem_unit;
	h->swap_pages = info.totalswap / PAGE * info.mem_unit;
	h->overcommit = (unsigned int)sysctl("overcommit_memory", 0);
	h->overcommit_ratio = (unsigned int)sysctl("overcommit_ratio", 50);
	h->overcommit_kbytes = sysctl("overcommit_kbytes", 0);
	h->user_reserve_kbytes = sysctl("user_reserve_kbytes", 131072);
	h->admin_reserve_kbytes = sysctl("admin_reserve_kbytes", 8192);
	h->max_map_count = sysctl("max_map_count", 65530);
	h->mmap_min_addr = sysctl("mmap_min_addr", 65536);
	h->lsm_mmap_min_addr = find_lowest_hint();
	h->stack_guard_gap = 256;
	find_thp(h->thp, sizeof(h->thp));
	h->features = find_features();
	h->command = cli_strdup("");
	for (char **arg = command; *arg; arg++) {
		char *longer = cli_printf("%s%s%s", h->command, arg == command ? "" : " ", *arg);

		free(h->command);
		h->command = longer;
	}
}
