#include "lib/clock.h"

/* a * b / c without a wider type: exact while b and the smaller of a and c multiply to less than 2^64. */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
	return a / c * b + a % c * b / c;
}

uint64_t clock_hz(struct clock_pair first, struct clock_pair last, struct clock_reference reference, uint64_t about_hz)
{
	uint64_t ticks = last.ticks - first.ticks;
	uint64_t span = (last.reference - first.reference) & reference.mask;
	uint64_t expected = scale(ticks, reference.hz, about_hz), wrap = reference.mask + 1ull;

	if (expected > span)
		span += (expected - span + wrap / 2) / wrap * wrap;
	return span ? scale(ticks, reference.hz, span) : 0;
}
