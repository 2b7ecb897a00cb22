/* The order in which this machine is brought up. */
#include "arch/riscv64/cpu.h"

#include "arch/common/machine.h"

extern uint64_t boot_hart, boot_tree;
extern uint8_t kernel_end[];

/* Stacks of the other CPUs; that of the boot CPU is in boot.S. */
static uint8_t trap_stacks[ARCH_CPUS_MAX - 1][TRAP_STACK_SIZE] __attribute__((aligned(16)));
static struct arch_boot boot = {.name = "riscv64", .irq = "intx", .command_line = machine.command_line};

const struct arch_boot *arch_init(void)
{
	machine_read(boot_tree, boot_hart);
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
	irq_init_cpu();
	boot.cpus_present = cpus_present = machine.cpus;
	machine_free_memory((uintptr_t)kernel_end, &boot);
	return &boot;
}
