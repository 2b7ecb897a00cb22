/* The TSC as the clock, calibrated against the ACPI PM timer; the local APIC's timer in one-shot mode. */
#include "arch/x86_64/cpu.h"

#define PM_TIMER 0x608 /* q35 behind SeaBIOS: PMBASE 0x600 + 8 */
#define PM_TIMER_HZ 3579545u
#define PM_TIMER_MASK 0xffffffu
#define CALIBRATE_PM_TICKS (PM_TIMER_HZ / 200) /* 5 ms */
#define CALIBRATE_LOOKS_MAX 1000000u

/* Nanoseconds a tick, as a fraction of 2^32. */
static uint64_t tsc_scale;
static uint64_t tsc_hz;

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

/* Frequency of the TSC over one calibration window; 0 when the PM timer stands still. */
static uint64_t tsc_measure_hz(void)
{
	uint32_t first = io_in32(PM_TIMER) & PM_TIMER_MASK, span = 0;
	uint64_t start = arch_ticks(), end = start;

	for (uint32_t look = 0; span < CALIBRATE_PM_TICKS; look++) {
		if (look == CALIBRATE_LOOKS_MAX)
			return 0;
		span = (io_in32(PM_TIMER) - first) & PM_TIMER_MASK;
		end = arch_ticks();
	}
	return (end - start) * PM_TIMER_HZ / span;
}

void timer_init(void)
{
	tsc_hz = tsc_measure_hz();
	if (!tsc_hz)
		tsc_hz = 1000000000u;
	tsc_scale = (1000000000ull << 32) / tsc_hz;
}

int32_t arch_ticks_drift_ppm(void)
{
	uint64_t now_hz = tsc_measure_hz();

	if (!now_hz)
		return 0;
	return (int32_t)(((int64_t)now_hz - (int64_t)tsc_hz) * 1000000 / (int64_t)tsc_hz);
}
