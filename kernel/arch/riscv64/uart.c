/* The 16550: polled output, polled input. OpenSBI has set its speed. */
#include "arch/dt/machine.h"
#include "arch/dt/mmio.h"
#include "arch/riscv64/cpu.h"

#define UART_DATA 0
#define UART_INTERRUPTS 1
#define UART_FIFO 2
#define UART_STATUS 5
#define STATUS_READY 0x01
#define STATUS_EMPTY 0x20
#define STATUS_IDLE 0x40

/* 115,200 baud send a character in 87 µs; a register read takes more than 100 ns even natively. */
#define UART_LOOKS_MAX 100000

/* Where QEMU's virt machine has it, so that a damaged device tree can be named there. */
static struct fdt_region registers = {0x10000000, 0x100};

void uart_init(void)
{
	machine_console("ns16550a", &registers);
	mmio_write8(registers.start + UART_INTERRUPTS, 0);
	mmio_write8(registers.start + UART_FIFO, 0x07); /* on, both cleared */
}

void arch_putc(char c)
{
	for (unsigned look = 0; look < UART_LOOKS_MAX; look++) {
		if (mmio_read8(registers.start + UART_STATUS) & STATUS_EMPTY) {
			mmio_write8(registers.start + UART_DATA, (uint8_t)c);
			return;
		}
		arch_relax();
	}
}

void uart_drain(void)
{
	for (unsigned look = 0; look < UART_LOOKS_MAX && !(mmio_read8(registers.start + UART_STATUS) & STATUS_IDLE);
	     look++)
		arch_relax();
}

int arch_getc(void)
{
	if (!(mmio_read8(registers.start + UART_STATUS) & STATUS_READY))
		return -1;
	return mmio_read8(registers.start + UART_DATA);
}
