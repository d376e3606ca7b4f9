/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Accesses of the agent that may be refused: loads, stores and the execution of one instruction,
 * each by code of which the handler of signals knows that it may fault.
 */
#include <stddef.h>

#include "diff_agent_parts.h"
#include "diff_text.h"

static volatile int touching;			/* an access is under way */
static volatile uint64_t touching_at;
static volatile int fault_kind;
static volatile uint64_t fault_at;		/* the address that the signal named */
uint64_t loaded;

struct signal_info {
	int32_t signo, error, code, pad;
	uint64_t addr;
};

enum { SI_KERNEL = 0x80 };
enum { MCONTEXT = 40, REG_RIP = 16, REG_FLAGS = 17, TRAP_FLAG = 0x100 };

extern char touch_begin[], touch_end[], touch_exec_jump[], touch_resume[];

static int is_touching(uint64_t rip)
{
	return touching && ((rip >= ptr(touch_begin) && rip < ptr(touch_end)) ||
			    rip == ptr(touch_exec_jump) || rip == touching_at);
}

static int kind_of(int signo, int code)
{
	if (signo == SIG_BUS)
		return code == 2 ? TOUCH_BUS : TOUCH_OTHER;
	/* An address that is none at all has a code of its own: nothing is mapped there. */
	if (code == 1 || code == SI_KERNEL)
		return TOUCH_MAPERR;
	return code == 2 ? TOUCH_ACCERR : TOUCH_OTHER;
}

/* @context is a ucontext: flags, link and stack are 40 bytes, then the registers. */
void on_fault(int signo, struct signal_info *info, char *context);
void on_fault(int signo, struct signal_info *info, char *context)
{
	uint64_t *regs = (uint64_t *)(context + MCONTEXT);

	/* The trap before the one instruction at the address, and the one after it. */
	if (signo == SIG_TRAP && regs[REG_RIP] == touching_at)
		return;
	if (signo != SIG_TRAP && !is_touching(regs[REG_RIP])) {
		shared->fault_addr = info->addr;
		shared->where = regs[REG_RIP];
		set_status(AGENT_CRASHED);
		leave();
	}
	if (signo != SIG_TRAP) {
		fault_kind = kind_of(signo, info->code);
		fault_at = info->code == SI_KERNEL ? touching_at : info->addr;
	}
	regs[REG_RIP] = ptr(touch_resume);
	regs[REG_FLAGS] &= ~(uint64_t)TRAP_FLAG;
}

void on_fault_return(void);
__asm__(".globl on_fault_return\n"
	"on_fault_return:\n"
	"	mov $15, %eax\n"		/* rt_sigreturn */
	"	syscall\n");

/*
 * Between touch_begin and touch_end each instruction is an access or a ret.  A touch to write
 * leaves what is there: an or of nothing.  All memory that is executed holds zeroes, which is an
 * addition to where %rax points; the trap flag ends it after that.
 */
void touch_to_execute(uint64_t addr, char *scratch);
uint64_t load_1(uint64_t addr), load_2(uint64_t addr), load_4(uint64_t addr), load_8(uint64_t addr);
void store_1(uint64_t addr, uint64_t value), store_2(uint64_t addr, uint64_t value);
void store_4(uint64_t addr, uint64_t value), store_8(uint64_t addr, uint64_t value);
void touch_to_write(uint64_t addr);
__asm__(".globl touch_to_write, touch_to_execute, touch_begin, touch_end\n"
	".globl touch_exec_jump, touch_resume\n"
	".globl load_1, load_2, load_4, load_8, store_1, store_2, store_4, store_8\n"
	"touch_begin:\n"
	"load_1:	movzbl (%rdi), %eax\n"
	"	ret\n"
	"load_2:	movzwl (%rdi), %eax\n"
	"	ret\n"
	"load_4:	movl (%rdi), %eax\n"
	"	ret\n"
	"load_8:	movq (%rdi), %rax\n"
	"	ret\n"
	"store_1:	movb %sil, (%rdi)\n"
	"	ret\n"
	"store_2:	movw %si, (%rdi)\n"
	"	ret\n"
	"store_4:	movl %esi, (%rdi)\n"
	"	ret\n"
	"store_8:	movq %rsi, (%rdi)\n"
	"	ret\n"
	"touch_to_write:\n"
	"	orb $0, (%rdi)\n"
	"	ret\n"
	"touch_end:\n"
	"touch_to_execute:\n"
	"	mov %rsi, %rax\n"
	"	pushfq\n"
	"	orq $0x100, (%rsp)\n"
	"	popfq\n"
	"touch_exec_jump:\n"
	"	jmp *%rdi\n"
	"touch_resume:\n"
	"	ret\n");

long touch(uint64_t addr, uint64_t kind)
{
	char scratch[2] = { 0 };

	fault_kind = TOUCH_DONE;
	touching_at = addr;
	touching = 1;
	if (kind == TOUCH_READ)
		load_1(addr);
	else if (kind == TOUCH_WRITE)
		touch_to_write(addr);
	else
		touch_to_execute(addr, scratch);
	touching = 0;
	return fault_kind;
}

static uint64_t load_one(uint64_t addr, uint64_t bytes)
{
	switch (bytes) {
	case 1:
		return load_1(addr);
	case 2:
		return load_2(addr);
	case 4:
		return load_4(addr);
	default:
		return load_8(addr);
	}
}

static void store_one(uint64_t addr, uint64_t bytes, uint64_t value)
{
	switch (bytes) {
	case 1:
		store_1(addr, value);
		break;
	case 2:
		store_2(addr, value);
		break;
	case 4:
		store_4(addr, value);
		break;
	default:
		store_8(addr, value);
	}
}

static uint64_t access_once(uint64_t addr, uint64_t bytes, const uint64_t *store)
{
	uint64_t value = 0;

	touching_at = addr;
	touching = 1;
	if (store)
		store_one(addr, bytes, *store);
	else
		value = load_one(addr, bytes);
	touching = 0;
	return fault_kind == TOUCH_DONE ? value : 0;
}

/* A load leaves what it found in loaded. */
long access(uint64_t addr, uint64_t bytes, const uint64_t *store)
{
	fault_kind = TOUCH_DONE;
	loaded = 0;
	if (!(bytes & (bytes - 1))) {
		loaded = access_once(addr, bytes, store);
	} else {
		for (uint64_t i = 0; i < bytes && fault_kind == TOUCH_DONE; i++) {
			uint64_t byte = store ? *store >> 8 * i : 0;

			loaded |= access_once(addr + i, 1, store ? &byte : 0) << 8 * i;
		}
	}
	return ACCESS_RESULT(fault_kind, fault_kind == TOUCH_DONE ? 0 : fault_at - addr);
}

void catch_faults(void)
{
	struct {
		uint64_t handler, flags, restorer, mask;
	} action = { ptr(on_fault), 0x44000004, ptr(on_fault_return), 0 };
	/* SA_NODEFER | SA_RESTORER | SA_SIGINFO above; children need no wait() */
	struct {
		uint64_t handler, flags, restorer, mask;
	} ignore = { 1, 0x04000002, ptr(on_fault_return), 0 };

	MUST(sys4(NR_rt_sigaction, SIG_SEGV, ptr(&action), 0, 8));
	MUST(sys4(NR_rt_sigaction, SIG_TRAP, ptr(&action), 0, 8));
	MUST(sys4(NR_rt_sigaction, SIG_BUS, ptr(&action), 0, 8));
	MUST(sys4(NR_rt_sigaction, SIG_CHLD, ptr(&ignore), 0, 8));
}

uint64_t hash_page(uint64_t addr)
{
	uint64_t hash = 0;

	fault_kind = TOUCH_DONE;
	for (uint64_t at = addr; at < addr + PAGE && fault_kind == TOUCH_DONE; at += 8)
		hash = page_hash(hash, access_once(at, 8, 0));
	return fault_kind == TOUCH_DONE ? hash : 0;
}
