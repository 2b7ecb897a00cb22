#include "base/clock.h"

#include "arch/arch.h"

#define WINDOWS_A_SECOND 200u
/* Counted, because the frequency of arch_ticks is not known before this wait: a read needs far more than the 5 ns that
 * fill the window. */
#define POLLS_MAX 1000000u
#define BRACKET_POLLS 8u

/* The tightest of some readings: if the host stops the virtual CPU between the two counters, the reading is wide. */
struct clock_pair clock_read(const struct clock_reference *reference)
{
	struct clock_pair best = {0, 0};
	uint64_t narrowest = UINT64_MAX;

	for (unsigned poll = 0; poll < BRACKET_POLLS; poll++) {
		uint64_t before = arch_ticks();
		uint32_t read = reference->read();
		uint64_t wide = arch_ticks() - before;

		if (wide < narrowest) {
			narrowest = wide;
			best = (struct clock_pair){before + wide / 2, read};
		}
	}
	return best;
}

bool clock_wait_window(const struct clock_reference *reference)
{
	uint32_t first = reference->read();

	for (uint32_t poll = 0; poll < POLLS_MAX; poll++)
		if (((reference->read() - first) & reference->mask) >= reference->hz / WINDOWS_A_SECOND)
			return true;
	return false;
}

uint64_t clock_hz(struct clock_pair first, struct clock_pair last, const struct clock_reference *reference,
		  uint64_t about_hz)
{
	uint64_t ticks = last.ticks - first.ticks;
	uint64_t span = (last.reference - first.reference) & reference->mask;
	uint64_t expected = clock_scale(ticks, reference->hz, about_hz), wrap = reference->mask + 1ull;

	if (expected > span)
		span += (expected - span + wrap / 2) / wrap * wrap;
	return span ? clock_scale(ticks, reference->hz, span) : 0;
}
