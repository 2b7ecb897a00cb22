/* The 16550 UART, polled, however its registers are reached. Every wait is bounded. Any context, no lock. */
#ifndef DRIVERS_UART_NS16550_H
#define DRIVERS_UART_NS16550_H

#include <stdint.h>

struct ns16550 {
	uint8_t (*read)(unsigned number);
	void (*write)(unsigned number, uint8_t value);
};

/* Interrupts off, FIFOs on and empty. divisor: of 115,200 baud; 0 leaves speed and format as they are. */
void ns16550_init(const struct ns16550 *uart, uint8_t divisor);
/* A stuck transmitter loses the character. */
void ns16550_put(const struct ns16550 *uart, char c);
/* The character waiting, or -1. */
int ns16550_get(const struct ns16550 *uart);
/* Waits until what was put has left. */
void ns16550_drain(const struct ns16550 *uart);

#endif
