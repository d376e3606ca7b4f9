/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Which flags an area can have at once. */
#ifndef VMA_RULES_H
#define VMA_RULES_H

#include <vmarea/driver.h>

/* NULL, or what is wrong: "VM_WRITE without VM_MAYWRITE". */
const char *vma_flags_wrong(vm_flags_t flags);

#endif
