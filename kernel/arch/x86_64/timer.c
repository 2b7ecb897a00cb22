/* The TSC as the clock, calibrated against the ACPI PM timer: boot against now says how wrong nanoseconds are. */
#include "arch/x86_64/cpu.h"

#include "base/clock.h"

#define PM_TIMER_MASK 0xffffffu

static uint16_t pm_port;
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

static uint32_t pm_read(void)
{
	return io_in32(pm_port) & PM_TIMER_MASK;
}

static const struct clock_reference pm_timer = {pm_read, PM_TIMER_MASK, 3579545}; /* ACPI 6.4 §4.8.2.1 */

void timer_init(uint16_t pm_timer_port)
{
	uint64_t start, hz;

	pm_port = pm_timer_port;
	if (!pm_port)
		return;
	boot_pair = clock_read(&pm_timer);
	start = arch_ticks();
	irq_timer_count();
	hz = clock_wait_window(&pm_timer) ? clock_hz(boot_pair, clock_read(&pm_timer), &pm_timer, UINT64_MAX) : 0;
	if (hz) {
		tsc_hz = hz;
		tsc_scale = (CLOCK_NS << 32) / hz;
	}
	irq_timer_counted(arch_ticks_to_ns(arch_ticks() - start));
}

int32_t arch_ticks_drift_ppm(void)
{
	uint64_t now_hz;

	if (!pm_port || !clock_wait_window(&pm_timer))
		return 0;
	now_hz = clock_hz(boot_pair, clock_read(&pm_timer), &pm_timer, tsc_hz);
	return (int32_t)(((int64_t)now_hz - (int64_t)tsc_hz) * 1000000 / (int64_t)tsc_hz);
}
