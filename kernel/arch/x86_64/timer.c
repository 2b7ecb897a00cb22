/*
 * The TSC as the clock, calibrated against the ACPI PM timer.
 *
 * Both count guest time, so that the drift between boot and now says how wrong spans in nanoseconds are. The PM timer
 * has 24 bits and wraps every 4.7 s; how often it did is known from the TSC itself, which is never off by half a wrap.
 */
#include "arch/x86_64/cpu.h"

#define PM_TIMER_HZ 3579545ull /* ACPI 6.4 §4.8.2.1 */
#define PM_TIMER_MASK 0xffffffu
#define CALIBRATE_PM_TICKS (PM_TIMER_HZ / 200) /* 5 ms */
#define CALIBRATE_LOOKS_MAX 1000000u
#define BRACKET_LOOKS 8
#define FALLBACK_HZ 1000000000ull

/* Both clocks at one moment. */
struct clock_pair {
	uint64_t tsc;
	uint32_t pm;
};

static uint16_t pm_port, power_port;
static struct clock_pair boot_pair;
static uint64_t tsc_hz = FALLBACK_HZ;
/* Nanoseconds a tick, as a fraction of 2^32. */
static uint64_t tsc_scale = 1ull << 32;

uint64_t arch_ticks(void)
{
	uint32_t low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

uint64_t arch_ticks_to_ns(uint64_t ticks)
{
	return (uint64_t)(((unsigned __int128)ticks * tsc_scale) >> 32);
}

/* Under icount at shift 0 a TSC tick is an instruction. */
uint64_t arch_instructions(void)
{
	return arch_ticks();
}

uint16_t timer_power_port(void)
{
	return power_port;
}

static uint32_t pm_read(void)
{
	return io_in32(pm_port) & PM_TIMER_MASK;
}

/* The tightest of some readings: what preempts the virtual CPU between the two clocks makes one wide. */
static struct clock_pair clock_read(void)
{
	struct clock_pair best = {0, 0};
	uint64_t narrowest = UINT64_MAX;

	for (unsigned look = 0; look < BRACKET_LOOKS; look++) {
		uint64_t before = arch_ticks();
		uint32_t pm = pm_read();
		uint64_t after = arch_ticks();

		if (after - before < narrowest) {
			narrowest = after - before;
			best = (struct clock_pair){before + narrowest / 2, pm};
		}
	}
	return best;
}

/* a * b / c without a wider type: exact while b and the smaller of a and c multiply to less than 2^64. */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
	return a / c * b + a % c * b / c;
}

/* The TSC's frequency between two readings, given about what it is. */
static uint64_t clock_hz(struct clock_pair first, struct clock_pair last, uint64_t about_hz)
{
	uint64_t ticks = last.tsc - first.tsc;
	uint64_t span = (last.pm - first.pm) & PM_TIMER_MASK;
	uint64_t expected = scale(ticks, PM_TIMER_HZ, about_hz);

	if (expected > span)
		span += (expected - span + PM_TIMER_MASK / 2) / (PM_TIMER_MASK + 1ull) * (PM_TIMER_MASK + 1ull);
	return span ? scale(ticks, PM_TIMER_HZ, span) : 0;
}

/* Waits for one calibration window; false when the PM timer stands still. */
static bool clock_wait_window(void)
{
	uint32_t first = pm_read();

	for (uint32_t look = 0; look < CALIBRATE_LOOKS_MAX; look++)
		if (((pm_read() - first) & PM_TIMER_MASK) >= CALIBRATE_PM_TICKS)
			return true;
	return false;
}

void timer_init(uint16_t pm_timer_port, uint16_t power_off_port)
{
	uint64_t hz;

	pm_port = pm_timer_port;
	power_port = power_off_port;
	if (!pm_port)
		return;
	boot_pair = clock_read();
	if (!clock_wait_window())
		return;
	/* One window is shorter than a wrap: any guess that predicts less than a span adds none. */
	hz = clock_hz(boot_pair, clock_read(), UINT64_MAX);
	if (hz) {
		tsc_hz = hz;
		tsc_scale = (1000000000ull << 32) / hz;
	}
}

int32_t arch_ticks_drift_ppm(void)
{
	uint64_t now_hz;

	if (!pm_port || !clock_wait_window())
		return 0;
	now_hz = clock_hz(boot_pair, clock_read(), tsc_hz);
	return (int32_t)(((int64_t)now_hz - (int64_t)tsc_hz) * 1000000 / (int64_t)tsc_hz);
}
