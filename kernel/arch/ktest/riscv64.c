#include "arch/ktest/cpu.h"

#include "arch/riscv64/cpu.h"
#include "test/ktest.h"

#define PATIENCE_NS 1000000000ull

extern uint8_t boot_entry[];

static uint8_t stack[4096] __attribute__((aligned(16)));
static volatile uint64_t arrived_at;

/* They are exceptions there, which nothing masks (Privileged ISA 3.1.15). */
bool cpu_takes_errors(void)
{
	return true;
}

/* First and last code of the CPU that is started: stops it. Returns only when the firmware refuses. */
static void arrive(void)
{
	arrived_at = arch_cpu();
	sbi_call(SBI_HSM, HSM_HART_STOP, 0, 0, 0);
}

static bool cpu_stops(const struct cpu *cpu)
{
	uint64_t start = arch_ticks();
	struct sbi_result state;

	do {
		state = sbi_call(SBI_HSM, HSM_HART_STATUS, cpu->id, 0, 0);
		if (!state.error && state.value == HSM_STOPPED)
			return true;
	} while (arch_ticks_to_ns(arch_ticks() - start) < PATIENCE_NS);
	return false;
}

/* OpenSBI may start a hart where the boot hart entered, with the device tree in a1 (boot.S). */
void cpu_check_start(void)
{
	static const char sentence[] = "a CPU that enters as the boot CPU did arrives where it was to start";
	struct cpu *cpu = &cpus[cpus_present - 1];

	if (cpus_present < 2 || cpu->started) {
		ktest_skip(sentence, "there is no CPU to start");
		return;
	}
	cpu->entry = arrive;
	cpu->stack = stack + sizeof(stack);
	ktest_check(!smp_start_at(cpu, boot_entry) && smp_wait_started(cpu, PATIENCE_NS) && cpu_stops(cpu) &&
			    arrived_at == cpu->number,
		    sentence);
	cpu->started = 0;
}
