/* Other CPUs, started by INIT and SIPI (Intel SDM 3A 8.4.4). */
#include "arch/x86_64/cpu.h"

#include "base/string.h"

#define ICR_INIT 0x4500
#define ICR_STARTUP 0x4600
#define INIT_WAIT_NS 200000ull
#define START_WAIT_NS 100000000ull

extern uint8_t trampoline_start[], trampoline_end[], trampoline_stack[], trampoline_entry[];

static uint8_t cpu_apic_ids[ARCH_CPUS_MAX];

/* Handed to the CPU that is being started, one at a time. */
static void (*volatile start_entry)(void);
static volatile unsigned start_cpu;
static volatile bool start_done;

unsigned smp_init(const uint8_t *apic_ids, unsigned count)
{
	unsigned known = 1;

	cpu_apic_ids[0] = irq_apic_id();
	for (unsigned i = 0; i < count && known < ARCH_CPUS_MAX; i++)
		if (apic_ids[i] != cpu_apic_ids[0])
			cpu_apic_ids[known++] = apic_ids[i];
	return known;
}

uint8_t smp_apic_id(unsigned cpu)
{
	return cpu_apic_ids[cpu];
}

/* First C code of a started CPU, on the stack it was given. */
static void smp_entry(void)
{
	void (*entry)(void) = start_entry;

	cpu_init(start_cpu);
	irq_init_cpu();
	start_done = true;
	entry();
	arch_exit(false);
}

static bool smp_wait_done(uint64_t ns)
{
	uint64_t start = arch_ticks();

	while (!start_done && arch_ticks_to_ns(arch_ticks() - start) < ns)
		arch_relax();
	return start_done;
}

static void trampoline_place(uintptr_t stack, uintptr_t entry)
{
	uint8_t *copy = (uint8_t *)TRAMPOLINE_BASE;

	memcpy(copy, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	memcpy(copy + (trampoline_stack - trampoline_start), &stack, sizeof(stack));
	memcpy(copy + (trampoline_entry - trampoline_start), &entry, sizeof(entry));
}

int arch_cpu_start(unsigned cpu, void (*entry)(void), void *stack_top)
{
	start_entry = entry;
	start_cpu = cpu;
	start_done = false;
	trampoline_place((uintptr_t)stack_top & ~15ul, (uintptr_t)smp_entry);
	irq_apic_command(cpu_apic_ids[cpu], ICR_INIT);
	smp_wait_done(INIT_WAIT_NS);
	/* A second SIPI is for CPUs that lost the first (Intel SDM 3A 8.4.4.1); one that runs ignores it. */
	for (unsigned attempt = 0; attempt < 2; attempt++) {
		irq_apic_command(cpu_apic_ids[cpu], ICR_STARTUP | TRAMPOLINE_BASE >> 12);
		if (smp_wait_done(START_WAIT_NS))
			return 0;
	}
	return ERROR_NODEV;
}
