/*
 * How a queue counts spins and fences: COUNTERS says. Everything rarer (completions, timeouts, notifies, halts) is
 * counted always. An atomic add is a locked read-modify-write, which on x86 is a full fence of its own; that is what
 * makes it worth measuring.
 */
#ifndef DRIVERS_VIRTIO_COUNTERS_H
#define DRIVERS_VIRTIO_COUNTERS_H

#include "options.h"

#include <stdint.h>

static inline void counters_add(uint64_t *counter, uint64_t amount)
{
	if (!amount)
		return;
	if (OPTION(COUNTERS) == OPTION_COUNTERS_plain)
		*counter += amount;
	else if (OPTION(COUNTERS) == OPTION_COUNTERS_atomic)
		__atomic_fetch_add(counter, amount, __ATOMIC_RELAXED);
}

#endif
