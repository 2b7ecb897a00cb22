/* Exceptions, contexts, and the order in which this machine is brought up. */
#include "arch/aarch64/cpu.h"

#include "arch/common/paging.h"
#include "base/panic.h"
#include "base/print.h"

#include <stddef.h>

#define AFFINITY_MASK 0xff00ffffffull

/* As trap.S stores it. */
struct trap_frame {
	uint64_t x[31], sp;
	uint64_t elr, spsr, esr, far, vector;
};

struct cpu cpus[ARCH_CPUS_MAX];
_Static_assert(offsetof(struct cpu, trap_stack) == CPU_TRAP_STACK && offsetof(struct cpu, stack) == CPU_STACK &&
		       sizeof(struct cpu) == CPU_SIZE,
	       "trap.S and boot.S know these");
_Static_assert(sizeof(struct trap_frame) <= 304 && offsetof(struct trap_frame, vector) == 288, "trap.S knows this");

unsigned arch_cpu(void)
{
	uint64_t number;

	__asm__ volatile("mrs %0, tpidr_el1\n\tldr %0, [%0]" : "=r"(number));
	return (unsigned)number;
}

uint64_t cpu_affinity(void)
{
	return SYSREG_READ(mpidr_el1) & AFFINITY_MASK;
}

/* ESR_EL1.EC (Arm ARM D17.2.37). */
#define CLASS_DATA_ABORT 0x25

static const char *exception_name(uint64_t class)
{
	switch (class) {
	case 0x00:
		return "unknown instruction";
	case 0x0e:
		return "illegal execution state";
	case 0x18:
		return "trapped system register";
	case 0x21:
		return "instruction abort";
	case 0x22:
		return "pc alignment";
	case CLASS_DATA_ABORT:
		return "data abort";
	case 0x26:
		return "sp alignment";
	case 0x2f:
		return "SError";
	case 0x3c:
		return "brk";
	default:
		return "exception";
	}
}

static const char *trap_name(const struct trap_frame *frame)
{
	uint64_t class = frame->esr >> 26 & 63;
	const char *fault = class == CLASS_DATA_ABORT ? paging_fault_name(frame->far) : NULL;

	if (frame->vector % 4 == 3)
		return "SError";
	return fault ? fault : exception_name(class);
}

/* Called by trap.S on the trap stack. */
_Noreturn void cpu_trap(const struct trap_frame *frame);
void cpu_trap(const struct trap_frame *frame)
{
	panic_begin();
	print("\n[PANIC] trap: %s, vector %lu esr 0x%lx elr 0x%016lx far 0x%016lx cpu %u\n", trap_name(frame),
	      frame->vector, frame->esr, frame->elr, frame->far, arch_cpu());
	for (unsigned i = 0; i < 28; i += 4)
		print("x%02u %016lx %016lx %016lx %016lx\n", i, frame->x[i], frame->x[i + 1], frame->x[i + 2],
		      frame->x[i + 3]);
	print("x28 %016lx x29 %016lx x30 %016lx sp %016lx spsr %016lx\n", frame->x[28], frame->x[29], frame->x[30],
	      frame->sp, frame->spsr);
	arch_exit(false);
}

bool arch_irq_disable(void)
{
	uint64_t daif = SYSREG_READ(daif);

	__asm__ volatile("msr daifset, #2" : : : "memory");
	return !(daif & 1 << 7);
}

void arch_irq_restore(bool enabled)
{
	if (enabled)
		__asm__ volatile("msr daifclr, #2" : : : "memory");
}

void arch_irq_wait(void)
{
	/* wfi ends on a pending interrupt whether or not it is masked, so none can slip in before it. */
	__asm__ volatile("dsb sy; wfi; msr daifclr, #2; isb; msr daifset, #2" : : : "memory");
}

void arch_relax(void)
{
	__asm__ volatile("yield" : : : "memory");
}

void *arch_context_new(void *stack_top, void (*entry)(void *), void *argument)
{
	extern void context_start(void);
	uint64_t *stack = (uint64_t *)((uintptr_t)stack_top & ~15ull) - 12;

	/* As arch_context_switch loads: x19 … x28, x29, x30. */
	for (unsigned i = 0; i < 12; i++)
		stack[i] = 0;
	stack[0] = (uintptr_t)entry;
	stack[1] = (uintptr_t)argument;
	stack[11] = (uintptr_t)context_start;
	return stack;
}
