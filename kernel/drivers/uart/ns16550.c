#include "drivers/uart/ns16550.h"

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
#define STATUS_EMPTY 0x20
#define STATUS_IDLE 0x40

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

static bool is_empty(const void *uart)
{
	return ((const struct ns16550 *)uart)->read(UART_STATUS) & STATUS_EMPTY;
}

static bool is_idle(const void *uart)
{
	return ((const struct ns16550 *)uart)->read(UART_STATUS) & STATUS_IDLE;
}

void ns16550_put(struct ns16550 *uart, char c)
{
	if (patience_wait(&uart->patience, is_empty, uart))
		uart->write(UART_DATA, (uint8_t)c);
}

void ns16550_drain(struct ns16550 *uart)
{
	patience_wait(&uart->patience, is_idle, uart);
}
