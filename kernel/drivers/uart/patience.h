/*
 * How long a serial port is waited for: a host that is busy may stop QEMU for seconds, and no character may be lost to
 * that. A port that keeps its transmitter busy for longer is dead: from then on each character polls once.
 *
 * Timed by arch_ticks, which every architecture reads from its first instruction on. Before the clock is calibrated its
 * frequency is an assumed one (arch/<arch>/timer.c), and the wait is a few times longer or shorter. Any context, no
 * lock.
 */
#ifndef DRIVERS_UART_PATIENCE_H
#define DRIVERS_UART_PATIENCE_H

#include "arch/arch.h"

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_NS 5000000000ull

struct patience {
	uint64_t ns;
	bool dead;
};

/* Polls until `ready` says so; false when it did not in time, and at once of a port that is dead and not ready. */
static inline bool patience_wait(struct patience *patience, bool (*ready)(const void *port), const void *port)
{
	uint64_t began;

	if (ready(port))
		return true;
	if (patience->dead)
		return false;
	began = arch_ticks();
	do {
		arch_relax();
		if (ready(port))
			return true;
	} while (arch_ticks_to_ns(arch_ticks() - began) < patience->ns);
	patience->dead = true;
	return false;
}

#endif
