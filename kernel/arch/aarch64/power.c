/* PSCI (Arm DEN0022), and the machine's end through it. */
#include "arch/aarch64/cpu.h"

#include "arch/common/machine.h"
#include "base/panic.h"
#include "base/string.h"

#define PSCI_SYSTEM_OFF 0x84000008u
#define PSCI_SYSTEM_RESET 0x84000009u

extern uint64_t boot_level;

enum conduit { CONDUIT_GUESS, CONDUIT_HVC, CONDUIT_SMC };
static enum conduit conduit;

int64_t psci_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = a;
	register uint64_t x2 __asm__("x2") = b;
	register uint64_t x3 __asm__("x3") = c;

	/* Until the tree was read: QEMU serves hvc on machines that boot at EL1, and smc on those that boot at EL2. */
	if (conduit == CONDUIT_SMC || (conduit == CONDUIT_GUESS && boot_level == 2 << 2))
		__asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
	else
		__asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
	return (int64_t)x0;
}

void power_init(void)
{
	int node = fdt_find(&machine.fdt, -1, "compatible", "arm,psci-0.2");
	const char *method = fdt_string(&machine.fdt, node, "method");

	if (!method)
		panic("device tree: no PSCI 0.2");
	conduit = strcmp(method, "smc") == 0 ? CONDUIT_SMC : CONDUIT_HVC;
}

/* The calls carry no status: success is a power-off and failure a reset, at which QEMU ends because of -no-reboot. */
void arch_exit(bool success)
{
	arch_irq_disable();
	psci_call(success ? PSCI_SYSTEM_OFF : PSCI_SYSTEM_RESET, 0, 0, 0);
	for (;;)
		__asm__ volatile("wfi");
}
