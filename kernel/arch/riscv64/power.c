/* The SBI (RISC-V SBI 1.0), and the machine's end through it. */
#include "arch/riscv64/cpu.h"

#include "arch/common/machine.h"
#include "arch/common/mmio.h"

#define SRST_RESET 0
#define SRST_SHUTDOWN 0
#define SRST_COLD_REBOOT 1
#define SRST_SYSTEM_FAILURE 1
/* SiFive's test device: ends QEMU with the status in the upper half. */
#define FINISHER_FAIL 0x3333u
#define FINISHER_STATUS (3u << 16) /* no status that QEMU gives of its own accord */

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

void power_init(void)
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
