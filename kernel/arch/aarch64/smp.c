/* Other CPUs, started through PSCI (Arm DEN0022). */
#include "arch/aarch64/cpu.h"

#define PSCI_CPU_ON 0xc4000003u

extern uint8_t boot_secondary[];

void smp_init_cpu(void)
{
	timer_init_cpu();
	irq_init_cpu();
}

int smp_start(struct cpu *cpu)
{
	/* It reads these with its caches off: they must be in memory. */
	__asm__ volatile("dc civac, %0; dsb sy" : : "r"(cpu) : "memory");
	return psci_call(PSCI_CPU_ON, cpu->id, (uintptr_t)boot_secondary, (uintptr_t)cpu) ? ERROR_NODEV : 0;
}
