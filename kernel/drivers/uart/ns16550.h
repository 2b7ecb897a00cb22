/* The 16550 UART, polled, however its registers are reached. Every wait is bounded (patience.h). Any context, no lock.
 */
#ifndef DRIVERS_UART_NS16550_H
#define DRIVERS_UART_NS16550_H

#include "drivers/uart/patience.h"

#include <stdint.h>

struct ns16550 {
	uint8_t (*read)(unsigned number);
	void (*write)(unsigned number, uint8_t value);
	struct patience patience;
};

/* Interrupts off, FIFOs on and empty. divisor: of 115,200 baud; 0 leaves speed and format as they are. */
void ns16550_init(const struct ns16550 *uart, uint8_t divisor);
/* A dead transmitter loses the character. */
void ns16550_put(struct ns16550 *uart, char c);
/* Waits until what was put has left. */
void ns16550_drain(struct ns16550 *uart);

#endif
