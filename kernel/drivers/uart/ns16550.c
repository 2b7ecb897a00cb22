#include "drivers/uart/ns16550.h"

#include "arch/arch.h"

#include <stdbool.h>

#define UART_DATA 0
#define UART_INTERRUPTS 1
#define UART_FIFO 2
#define UART_LINE 3
#define UART_MODEM 4
#define UART_STATUS 5
#define FIFO_ON_AND_CLEARED 0x07
#define LINE_DIVISOR 0x80
#define LINE_8N1 0x03
#define MODEM_READY 0x03
#define STATUS_READY 0x01
#define STATUS_EMPTY 0x20
#define STATUS_IDLE 0x40

/*
 * Counted, because characters are printed before the frequency of arch_ticks is known. 115,200 baud send a character in
 * 87 µs; a register read takes more than 100 ns even natively.
 */
#define POLLS_MAX 100000u

void ns16550_init(const struct ns16550 *uart, uint8_t divisor)
{
	uart->write(UART_INTERRUPTS, 0);
	if (divisor) {
		uart->write(UART_LINE, LINE_DIVISOR);
		uart->write(UART_DATA, divisor);
		uart->write(UART_INTERRUPTS, 0); /* the divisor's upper half */
		uart->write(UART_LINE, LINE_8N1);
		uart->write(UART_MODEM, MODEM_READY);
	}
	uart->write(UART_FIFO, FIFO_ON_AND_CLEARED);
}

static bool wait_status(const struct ns16550 *uart, uint8_t status)
{
	for (unsigned poll = 0; poll < POLLS_MAX; poll++) {
		if (uart->read(UART_STATUS) & status)
			return true;
		arch_relax();
	}
	return false;
}

void ns16550_put(const struct ns16550 *uart, char c)
{
	if (wait_status(uart, STATUS_EMPTY))
		uart->write(UART_DATA, (uint8_t)c);
}

int ns16550_get(const struct ns16550 *uart)
{
	return uart->read(UART_STATUS) & STATUS_READY ? uart->read(UART_DATA) : -1;
}

void ns16550_drain(const struct ns16550 *uart)
{
	wait_status(uart, STATUS_IDLE);
}
