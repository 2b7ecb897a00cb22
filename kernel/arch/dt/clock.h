/* Spans of a counter whose frequency the machine states. */
#ifndef ARCH_DT_CLOCK_H
#define ARCH_DT_CLOCK_H

#include <stdint.h>

#define CLOCK_NS 1000000000ull

/* a * b / c with c below 2^34: exact, and no wider than 64 bits inside. */
static inline uint64_t clock_scale(uint64_t a, uint64_t b, uint64_t c)
{
	return a / c * b + a % c * b / c;
}

#endif
