/* The order in which this machine is brought up. */
#include "arch/aarch64/cpu.h"

#include "arch/common/machine.h"
#include "base/panic.h"

/* The base of RAM, where QEMU leaves the tree for a kernel that is not Linux; x0 does not point at it. */
#define TREE_ADDRESS 0x40000000ull

extern uint64_t boot_level;
extern uint8_t kernel_end[];

/* Stacks of the other CPUs; that of the boot CPU is in boot.S. */
static uint8_t trap_stacks[ARCH_CPUS_MAX - 1][TRAP_STACK_SIZE] __attribute__((aligned(16)));
static struct arch_boot boot = {.name = "aarch64", .irq = "intx", .command_line = machine.command_line};

const struct arch_boot *arch_init(void)
{
	/* PSCI and the GIC are out of reach elsewhere. */
	if (SYSREG_READ(CurrentEL) != 1 << 2)
		panic("booted at EL%lu: start QEMU's virt machine without secure=on", boot_level >> 2);
	machine_read(TREE_ADDRESS, cpu_affinity());
	for (unsigned i = 0; i < machine.cpus; i++) {
		cpus[i].number = i;
		cpus[i].id = machine.cpu_ids[i];
		if (i)
			cpus[i].trap_stack = trap_stacks[i - 1] + TRAP_STACK_SIZE;
	}
	power_init();
	uart_init();
	mmu_init();
	timer_init();
	irq_init();
	timer_init_cpu();
	irq_init_cpu();
	boot.cpus_present = cpus_present = machine.cpus;
	machine_free_memory((uintptr_t)kernel_end, &boot);
	return &boot;
}
