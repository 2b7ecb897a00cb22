/* The frequency of a clock, from a slower one whose frequency is known and whose counter wraps. Pure. */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stdint.h>

/* Both counters at one moment. */
struct clock_pair {
	uint64_t ticks;
	uint32_t reference;
};

struct clock_reference {
	uint64_t hz;
	uint32_t mask; /* of its counter: a power of two, less one */
};

/*
 * Ticks a second between two moments; 0 when the reference stood still. about_hz: what it is, to less than half a wrap
 * of the reference over the whole span, which tells how often that has wrapped; UINT64_MAX says that it has not.
 */
uint64_t clock_hz(struct clock_pair first, struct clock_pair last, struct clock_reference reference, uint64_t about_hz);

#endif
