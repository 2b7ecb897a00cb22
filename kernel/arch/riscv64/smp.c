/* Other CPUs, started through the SBI's hart state management (RISC-V SBI 1.0 §9). */
#include "arch/riscv64/cpu.h"

#define HSM_HART_START 0

extern uint8_t boot_secondary[];

void smp_init_cpu(void)
{
	irq_init_cpu();
}

int smp_start(struct cpu *cpu)
{
	/* Everything that the CPU will read must be in memory before the call. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return sbi_call(SBI_HSM, HSM_HART_START, cpu->id, (uintptr_t)boot_secondary, (uintptr_t)cpu).error ? ERROR_NODEV
													   : 0;
}
