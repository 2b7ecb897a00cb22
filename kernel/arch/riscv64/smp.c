/* Other CPUs, started through the SBI's hart state management (RISC-V SBI 1.0 §9). */
#include "arch/riscv64/cpu.h"

extern uint8_t boot_secondary[];

/* The CPU that starts now, for boot.S; arch_cpu_start starts one at a time. */
struct cpu *smp_starting;

void smp_init_cpu(void)
{
	irq_init_cpu();
}

int smp_start_at(struct cpu *cpu, const uint8_t *address)
{
	smp_starting = cpu;
	/* Everything that the CPU will read must be in memory before the call. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return sbi_call(SBI_HSM, HSM_HART_START, cpu->id, (uintptr_t)address, 0).error ? ERROR_NODEV : 0;
}

int smp_start(struct cpu *cpu)
{
	return smp_start_at(cpu, boot_secondary);
}
