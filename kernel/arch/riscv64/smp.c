/* Other CPUs and the machine's power, through the SBI (RISC-V SBI 1.0). */
#include "arch/riscv64/cpu.h"

#include "arch/common/machine.h"
#include "arch/common/mmio.h"
#include "base/panic.h"

#define HSM_HART_START 0
#define SRST_RESET 0
#define SRST_SHUTDOWN 0
#define SRST_COLD_REBOOT 1
#define SRST_SYSTEM_FAILURE 1
/* SiFive's test device: ends QEMU with the status in the upper half. */
#define FINISHER_FAIL 0x3333u
#define FINISHER_STATUS (3u << 16) /* no status that QEMU gives of its own accord */
#define START_WAIT_NS 1000000000ull

/* Zero where there is none. */
static struct fdt_region finisher;

struct sbi_result sbi_call(uint64_t extension, uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
	register uint64_t a0 __asm__("a0") = a;
	register uint64_t a1 __asm__("a1") = b;
	register uint64_t a2 __asm__("a2") = c;
	register uint64_t a6 __asm__("a6") = function;
	register uint64_t a7 __asm__("a7") = extension;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
	return (struct sbi_result){(int64_t)a0, a1};
}

void smp_init(void)
{
	machine_device("sifive,test0", &finisher);
}

/*
 * OpenSBI makes the same end of every shutdown, whatever its reason: a failure goes to the test device, for QEMU's
 * exit status, and where there is none it is a reboot, which QEMU's -no-reboot makes an end.
 */
void arch_exit(bool success)
{
	arch_irq_disable();
	/* The test device ends QEMU in the middle of whatever it does. */
	uart_drain();
	if (!success && finisher.length)
		mmio_write32(finisher.start, FINISHER_FAIL | FINISHER_STATUS);
	sbi_call(SBI_SRST, SRST_RESET, success ? SRST_SHUTDOWN : SRST_COLD_REBOOT, success ? 0 : SRST_SYSTEM_FAILURE,
		 0);
	for (;;)
		__asm__ volatile("wfi");
}

/* First C code of a started CPU, on the stack it was given. */
_Noreturn void smp_entry(void);
void smp_entry(void)
{
	struct cpu *cpu = &cpus[arch_cpu()];

	irq_init_cpu();
	__atomic_store_n(&cpu->started, 1, __ATOMIC_RELEASE);
	cpu->entry();
	panic("cpu %lu: its entry returned", cpu->number);
}

int arch_cpu_start(unsigned cpu, void (*entry)(void), void *stack_top)
{
	extern uint8_t boot_secondary[];
	struct cpu *target = &cpus[cpu];
	uint64_t began = arch_ticks();

	if (cpu == 0 || cpu >= machine.cpus)
		return ERROR_NODEV;
	target->entry = entry;
	target->stack = (void *)((uintptr_t)stack_top & ~15ull);
	target->started = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (sbi_call(SBI_HSM, HSM_HART_START, target->hart, (uintptr_t)boot_secondary, (uintptr_t)target).error)
		return ERROR_NODEV;
	while (!__atomic_load_n(&target->started, __ATOMIC_ACQUIRE)) {
		if (arch_ticks_to_ns(arch_ticks() - began) > START_WAIT_NS)
			return ERROR_NODEV;
		arch_relax();
	}
	return 0;
}
