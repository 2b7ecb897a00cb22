/* This CPU: its number, its interrupt mask, what was interrupted, contexts. */
#include "arch/riscv64/cpu.h"

unsigned arch_cpu(void)
{
	uint64_t number;

	__asm__ volatile("ld %0, 0(tp)" : "=r"(number));
	return (unsigned)number;
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

uintptr_t arch_interrupted_pc(void)
{
	return CSR_READ(sepc);
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
