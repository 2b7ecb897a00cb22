/* The console: COM1, a 16550. */
#include "arch/x86_64/cpu.h"

#include "drivers/uart/ns16550.h"

#define COM1 0x3f8

static uint8_t com1_read(unsigned number)
{
	return io_in8((uint16_t)(COM1 + number));
}

static void com1_write(unsigned number, uint8_t value)
{
	io_out8((uint16_t)(COM1 + number), value);
}

static struct ns16550 com1 = {com1_read, com1_write, {PATIENCE_NS, false}};

void uart_init(void)
{
	ns16550_init(&com1, 1);
}

void arch_putc(char c)
{
	ns16550_put(&com1, c);
}
