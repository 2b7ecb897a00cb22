#include "arch/common/cpu.h"

#include "base/panic.h"

#define START_WAIT_NS 1000000000ull

struct cpu cpus[ARCH_CPUS_MAX];
unsigned cpus_present;
_Static_assert(offsetof(struct cpu, trap_stack) == CPU_TRAP_STACK && offsetof(struct cpu, stack) == CPU_STACK &&
		       offsetof(struct cpu, fatal_sp) == CPU_FATAL_SP && sizeof(struct cpu) == CPU_SIZE,
	       "trap.S and boot.S know these");

void smp_entry(void)
{
	struct cpu *cpu = &cpus[arch_cpu()];

	smp_init_cpu();
	__atomic_store_n(&cpu->started, 1, __ATOMIC_RELEASE);
	cpu->entry();
	panic("cpu %lu: its entry returned", cpu->number);
}

bool smp_wait_started(const struct cpu *cpu, uint64_t ns)
{
	uint64_t began = arch_ticks();

	while (!__atomic_load_n(&cpu->started, __ATOMIC_ACQUIRE)) {
		if (arch_ticks_to_ns(arch_ticks() - began) > ns)
			return false;
		arch_relax();
	}
	return true;
}

int arch_cpu_start(unsigned cpu, void (*entry)(void), void *stack_top)
{
	struct cpu *target = &cpus[cpu];

	if (cpu == 0 || cpu >= cpus_present)
		return ERROR_NODEV;
	target->entry = entry;
	target->stack = (void *)((uintptr_t)stack_top & ~15ull);
	target->started = 0;
	return smp_start(target) || !smp_wait_started(target, START_WAIT_NS) ? ERROR_NODEV : 0;
}
