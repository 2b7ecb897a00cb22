/* The end of the machine: ACPI's power-off, or isa-debug-exit. */
#include "arch/x86_64/cpu.h"

#define POWER_OFF_NS 1000000000ull

static uint16_t power_port;

void power_init(uint16_t pm1a_control_port)
{
	power_port = pm1a_control_port;
}

void arch_exit(bool success)
{
	__asm__ volatile("cli");
	/* SLP_EN with sleep type 0, which q35's DSDT calls S5 (ACPI 6.4 §4.8.3.2). */
	if (success) {
		io_out16(power_port, 0x2000);
		/* QEMU's main loop acts on it a moment later. */
		for (uint64_t start = arch_ticks(); arch_ticks_to_ns(arch_ticks() - start) < POWER_OFF_NS;)
			arch_relax();
	}
	/* isa-debug-exit: QEMU ends with (value << 1) | 1. */
	io_out32(0xf4, 1);
	for (;;)
		__asm__ volatile("hlt");
}
