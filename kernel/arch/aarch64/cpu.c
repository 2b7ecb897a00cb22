/* This CPU: its number, its interrupt mask, what was interrupted, contexts. */
#include "arch/aarch64/cpu.h"

#define AFFINITY_MASK 0xff00ffffffull

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

uintptr_t arch_interrupted_pc(void)
{
	return SYSREG_READ(elr_el1);
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
