/* Exceptions, contexts, and the order in which this machine is brought up. */
#include "arch/riscv64/cpu.h"

#include "arch/common/paging.h"
#include "base/panic.h"
#include "base/print.h"

#include <stddef.h>

/* As trap.S stores it. */
struct trap_frame {
	uint64_t x[32];
	uint64_t sepc, sstatus, scause, stval;
};

struct cpu cpus[ARCH_CPUS_MAX];
_Static_assert(offsetof(struct cpu, trap_stack) == CPU_TRAP_STACK && offsetof(struct cpu, stack) == CPU_STACK &&
		       offsetof(struct cpu, fatal_sp) == CPU_FATAL_SP,
	       "trap.S and boot.S know these");
_Static_assert(sizeof(struct trap_frame) == 288, "trap.S knows this");

/* Privileged ISA table 4.2. */
#define CAUSE_LOAD_PAGE 13
#define CAUSE_STORE_PAGE 15
static const char *const exception_names[] = {
	"instruction misaligned",
	"instruction access fault",
	"illegal instruction",
	"breakpoint",
	"load misaligned",
	"load access fault",
	"store misaligned",
	"store access fault",
	"ecall from U",
	"ecall from S",
	"exception",
	"exception",
	"instruction page fault",
	"load page fault",
	"exception",
	"store page fault",
};

unsigned arch_cpu(void)
{
	uint64_t number;

	__asm__ volatile("ld %0, 0(tp)" : "=r"(number));
	return (unsigned)number;
}

static const char *trap_name(const struct trap_frame *frame)
{
	bool data = frame->scause == CAUSE_LOAD_PAGE || frame->scause == CAUSE_STORE_PAGE;
	const char *fault = data ? paging_fault_name(frame->stval) : NULL;

	if (fault)
		return fault;
	return frame->scause < 16 ? exception_names[frame->scause] : "exception";
}

/* Called by trap.S on the trap stack. */
_Noreturn void cpu_trap(const struct trap_frame *frame);
void cpu_trap(const struct trap_frame *frame)
{
	panic_begin();
	print("\n[PANIC] trap: %s, cause %lu sepc 0x%016lx stval 0x%016lx cpu %u\n", trap_name(frame), frame->scause,
	      frame->sepc, frame->stval, arch_cpu());
	for (unsigned i = 0; i < 32; i += 4)
		print("x%02u %016lx %016lx %016lx %016lx\n", i, frame->x[i], frame->x[i + 1], frame->x[i + 2],
		      frame->x[i + 3]);
	print("sstatus %016lx\n", frame->sstatus);
	arch_exit(false);
}

bool arch_irq_disable(void)
{
	uint64_t before;

	__asm__ volatile("csrrc %0, sstatus, %1" : "=r"(before) : "K"(SSTATUS_SIE) : "memory");
	return before & SSTATUS_SIE;
}

void arch_irq_restore(bool enabled)
{
	if (enabled)
		CSR_SET(sstatus, SSTATUS_SIE);
}

void arch_irq_wait(void)
{
	/* wfi ends on a pending interrupt whether or not sstatus masks it, so none can slip in before it. */
	__asm__ volatile("wfi" : : : "memory");
	CSR_SET(sstatus, SSTATUS_SIE);
	CSR_CLEAR(sstatus, SSTATUS_SIE);
}

void arch_relax(void)
{
	/* pause (Zihintpause), a fence without effect to those that do not know it. */
	__asm__ volatile(".4byte 0x0100000f" : : : "memory");
}

void *arch_context_new(void *stack_top, void (*entry)(void *), void *argument)
{
	extern void context_start(void);
	uint64_t *stack = (uint64_t *)((uintptr_t)stack_top & ~15ull) - 14;

	/* As arch_context_switch loads: ra, s0 … s11. */
	for (unsigned i = 0; i < 14; i++)
		stack[i] = 0;
	stack[0] = (uintptr_t)context_start;
	stack[1] = (uintptr_t)entry;
	stack[2] = (uintptr_t)argument;
	return stack;
}
