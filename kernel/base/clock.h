/*
 * Spans of a counter in other units, and calibration of arch_ticks against a reference: a slower counter of known
 * frequency, which wraps. Both count guest time. The calling CPU must keep its counter; interrupts in any state.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_NS 1000000000ull

/* a * b / c without a wider type: exact while b and the smaller of a and c multiply to less than 2^64. */
static inline uint64_t clock_scale(uint64_t a, uint64_t b, uint64_t c)
{
	return a / c * b + a % c * b / c;
}

struct clock_reference {
	uint32_t (*read)(void);
	uint32_t mask; /* of what it reads: a power of two, less one */
	uint64_t hz;
};

/* Both counters at one moment. */
struct clock_pair {
	uint64_t ticks;
	uint32_t reference;
};

struct clock_pair clock_read(const struct clock_reference *reference);
/* Waits for 5 ms of the reference; false when it stands still. */
bool clock_wait_window(const struct clock_reference *reference);

/*
 * Ticks a second between two moments; 0 when the reference stood still. about_hz: what it is, to less than half a wrap
 * of the reference over the whole span, which tells how often that has wrapped; UINT64_MAX says that it has not. Pure.
 */
uint64_t clock_hz(struct clock_pair first, struct clock_pair last, const struct clock_reference *reference,
		  uint64_t about_hz);

#endif
