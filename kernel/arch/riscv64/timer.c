/* The time CSR as the clock, the SBI's timer in one-shot mode, and the instret CSR. */
#include "arch/common/machine.h"
#include "arch/riscv64/cpu.h"
#include "base/clock.h"
#include "base/panic.h"

#define TIME_SET_TIMER 0

/* QEMU's, until the tree is read. */
static uint64_t frequency_hz = 10000000;
static void (*handler)(void);

uint64_t arch_ticks(void)
{
	return CSR_READ(time);
}

uint64_t arch_ticks_to_ns(uint64_t ticks)
{
	return clock_scale(ticks, CLOCK_NS, frequency_hz);
}

/* This machine has no second clock to compare the counter with. */
int32_t arch_ticks_drift_ppm(void)
{
	return 0;
}

uint64_t arch_instructions(void)
{
	return CSR_READ(instret);
}

void timer_init(void)
{
	int cpus_node = fdt_child(&machine.fdt, 0, "cpus");
	uint64_t hz = fdt_u32(&machine.fdt, cpus_node, "timebase-frequency", 0);

	if (!hz)
		panic("device tree: cpus has no timebase-frequency");
	frequency_hz = hz;
}

void arch_timer_handler(void (*function)(void))
{
	handler = function;
}

void arch_timer_arm(uint64_t ns)
{
	uint64_t deadline = ns ? arch_ticks() + clock_scale(ns, frequency_hz, CLOCK_NS) + 1 : UINT64_MAX;

	/* A deadline that has not come also clears a timer interrupt that is pending (SBI 1.0 §6.1). */
	sbi_call(SBI_TIME, TIME_SET_TIMER, deadline, 0, 0);
	if (ns)
		CSR_SET(sie, SIE_TIMER);
	else
		CSR_CLEAR(sie, SIE_TIMER);
}

void timer_interrupt(void)
{
	CSR_CLEAR(sie, SIE_TIMER);
	if (handler)
		handler();
}
