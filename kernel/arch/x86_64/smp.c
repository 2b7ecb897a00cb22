/* Other CPUs, started by INIT and SIPI (Intel SDM 3A 8.4.4). */
#include "arch/x86_64/cpu.h"

#include "base/string.h"

#define ICR_INIT 0x4500
#define ICR_STARTUP 0x4600
#define INIT_WAIT_NS 200000ull
#define START_WAIT_NS 100000000ull

extern uint8_t trampoline_start[], trampoline_end[], trampoline_stack[], trampoline_entry[];

unsigned smp_init(const uint8_t *apic_ids, unsigned count)
{
	cpus[0].id = irq_apic_id();
	cpus_present = 1;
	for (unsigned i = 0; i < count && cpus_present < ARCH_CPUS_MAX; i++) {
		if (apic_ids[i] == cpus[0].id)
			continue;
		cpus[cpus_present].number = cpus_present;
		cpus[cpus_present++].id = apic_ids[i];
	}
	return cpus_present;
}

void smp_init_cpu(void)
{
	irq_init_cpu();
}

/* The CPU that is being started; one at a time. */
static unsigned start_cpu;

/* First C code of a started CPU, which does not know its number yet. */
static void smp_begin(void)
{
	cpu_init(start_cpu);
	smp_entry();
}

/* Offsets as numbers, because each label is an object of its own to C. */
static void trampoline_place(uintptr_t stack, uintptr_t entry)
{
	uintptr_t start = (uintptr_t)trampoline_start;
	uint8_t *copy = (uint8_t *)TRAMPOLINE_BASE;

	memcpy(copy, trampoline_start, (uintptr_t)trampoline_end - start);
	memcpy(copy + ((uintptr_t)trampoline_stack - start), &stack, sizeof(stack));
	memcpy(copy + ((uintptr_t)trampoline_entry - start), &entry, sizeof(entry));
}

int smp_start(struct cpu *cpu)
{
	uint8_t apic_id = (uint8_t)cpu->id;

	start_cpu = (unsigned)cpu->number;
	trampoline_place((uintptr_t)cpu->stack, (uintptr_t)smp_begin);
	irq_apic_command(apic_id, ICR_INIT);
	smp_wait_started(cpu, INIT_WAIT_NS);
	/* A second SIPI is for CPUs that lost the first (Intel SDM 3A 8.4.4.1); one that runs ignores it. */
	for (unsigned attempt = 0; attempt < 2; attempt++) {
		irq_apic_command(apic_id, ICR_STARTUP | TRAMPOLINE_BASE >> 12);
		if (smp_wait_started(cpu, START_WAIT_NS))
			return 0;
	}
	return ERROR_NODEV;
}
