/* The console: a 16550, whose speed OpenSBI has set. */
#include "arch/common/machine.h"
#include "arch/common/mmio.h"
#include "arch/riscv64/cpu.h"
#include "drivers/uart/ns16550.h"

/* Where QEMU's virt machine has it, so that a damaged device tree can be named there. */
static struct fdt_region registers = {0x10000000, 0x100};

static uint8_t console_read(unsigned number)
{
	return mmio_read8(registers.start + number);
}

static void console_write(unsigned number, uint8_t value)
{
	mmio_write8(registers.start + number, value);
}

static struct ns16550 console = {console_read, console_write, {PATIENCE_NS, false}};

void uart_init(void)
{
	machine_console("ns16550a", &registers);
	ns16550_init(&console, 0);
}

void arch_putc(char c)
{
	ns16550_put(&console, c);
}

void uart_drain(void)
{
	ns16550_drain(&console);
}
