/*
 * The TSC as the clock, calibrated against the ACPI PM timer. Both count guest time, so that the drift between boot and
 * now says how wrong spans in nanoseconds are.
 */
#include "arch/x86_64/cpu.h"

#include "lib/clock.h"

#define PM_TIMER_MASK 0xffffffu
#define CALIBRATE_PM_TICKS 17897u /* 5 ms */
#define CALIBRATE_LOOKS_MAX 1000000u
#define BRACKET_LOOKS 8

static const struct clock_reference pm_timer = {3579545, PM_TIMER_MASK}; /* ACPI 6.4 §4.8.2.1 */
static uint16_t pm_port, power_port;
static struct clock_pair boot_pair;
static uint64_t tsc_hz = 1000000000;
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

/* The tightest of some readings: what takes the virtual CPU away between the two clocks makes one wide. */
static struct clock_pair clock_read(void)
{
	struct clock_pair best = {0, 0};
	uint64_t narrowest = UINT64_MAX;

	for (unsigned look = 0; look < BRACKET_LOOKS; look++) {
		uint64_t before = arch_ticks();
		uint32_t pm = pm_read();
		uint64_t wide = arch_ticks() - before;

		if (wide < narrowest) {
			narrowest = wide;
			best = (struct clock_pair){before + wide / 2, pm};
		}
	}
	return best;
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
	uint64_t start, hz;

	pm_port = pm_timer_port;
	power_port = power_off_port;
	if (!pm_port)
		return;
	boot_pair = clock_read();
	start = arch_ticks();
	irq_timer_count();
	hz = clock_wait_window() ? clock_hz(boot_pair, clock_read(), pm_timer, UINT64_MAX) : 0;
	if (hz) {
		tsc_hz = hz;
		tsc_scale = (1000000000ull << 32) / hz;
	}
	irq_timer_counted(arch_ticks_to_ns(arch_ticks() - start));
}

int32_t arch_ticks_drift_ppm(void)
{
	uint64_t now_hz;

	if (!pm_port || !clock_wait_window())
		return 0;
	now_hz = clock_hz(boot_pair, clock_read(), pm_timer, tsc_hz);
	return (int32_t)(((int64_t)now_hz - (int64_t)tsc_hz) * 1000000 / (int64_t)tsc_hz);
}
