/* The PL011: polled output (Arm DDI 0183). */
#include "arch/aarch64/cpu.h"
#include "arch/common/machine.h"
#include "arch/common/mmio.h"

#define UART_DATA 0x00
#define UART_FLAGS 0x18
#define UART_LINE 0x2c
#define UART_CONTROL 0x30
#define UART_INTERRUPTS 0x38
#define FLAG_TX_FULL 0x20

/*
 * Counted, because characters are printed before the frequency of arch_ticks is known. 115,200 baud send a character in
 * 87 µs; a register read takes more than 100 ns even natively.
 */
#define UART_POLLS_MAX 100000

/* Where QEMU's virt machine has it, so that a damaged device tree can be named there. */
static struct fdt_region registers = {0x09000000, 0x1000};

void uart_init(void)
{
	machine_console("arm,pl011", &registers);
	mmio_write32(registers.start + UART_INTERRUPTS, 0);
	mmio_write32(registers.start + UART_LINE, 0x70);     /* 8 bits, FIFOs on */
	mmio_write32(registers.start + UART_CONTROL, 0x301); /* on, both directions */
}

void arch_putc(char c)
{
	for (unsigned poll = 0; poll < UART_POLLS_MAX; poll++) {
		if (!(mmio_read32(registers.start + UART_FLAGS) & FLAG_TX_FULL)) {
			mmio_write32(registers.start + UART_DATA, (uint8_t)c);
			return;
		}
		arch_relax();
	}
}
