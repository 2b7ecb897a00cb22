/* The PL011: polled output (Arm DDI 0183). */
#include "arch/aarch64/cpu.h"
#include "arch/common/machine.h"
#include "arch/common/mmio.h"
#include "drivers/uart/patience.h"

#define UART_DATA 0x00
#define UART_FLAGS 0x18
#define UART_LINE 0x2c
#define UART_CONTROL 0x30
#define UART_INTERRUPTS 0x38
#define FLAG_TX_FULL 0x20

/* Where QEMU's virt machine has it, so that a damaged device tree can be named there. */
static struct fdt_region registers = {0x09000000, 0x1000};

void uart_init(void)
{
	machine_console("arm,pl011", &registers);
	mmio_write32(registers.start + UART_INTERRUPTS, 0);
	mmio_write32(registers.start + UART_LINE, 0x70);     /* 8 bits, FIFOs on */
	mmio_write32(registers.start + UART_CONTROL, 0x301); /* on, both directions */
}

static bool has_room(const void *port)
{
	return !(mmio_read32(((const struct fdt_region *)port)->start + UART_FLAGS) & FLAG_TX_FULL);
}

void arch_putc(char c)
{
	static struct patience patience = {PATIENCE_NS, false};

	if (patience_wait(&patience, has_room, &registers))
		mmio_write32(registers.start + UART_DATA, (uint8_t)c);
}
