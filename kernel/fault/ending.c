/* Faults that end the run, or keep it from beginning. */
#include "fault/fault.h"

#include "arch/arch.h"
#include "base/panic.h"
#include "base/print.h"

#define MOMENT 60 /* the frame at which they happen */

static _Noreturn void stop(void)
{
	arch_irq_disable();
	for (;;)
		arch_relax();
}

static void stop_at_boot(void)
{
	stop();
}
FAULT_DECLARE(boot_silent, "hang", 3, "", "stops before the first character", .boot = stop_at_boot);

static void stop_later(struct fault_frame_plan *plan, uint32_t count, uint32_t slow)
{
	(void)plan;
	(void)slow;
	if (count == MOMENT)
		stop();
}
FAULT_DECLARE(hang, "hang", 3, "", "interrupts off and silence from the 60th frame on", .frame = stop_later);

static void panic_later(struct fault_frame_plan *plan, uint32_t count, uint32_t slow)
{
	(void)plan;
	(void)slow;
	if (count == MOMENT)
		panic("FAULT=panic, as built");
}
FAULT_DECLARE(panic, "panic", 3, "", "a panic at the 60th frame", .frame = panic_later);

static void write_nowhere(struct fault_frame_plan *plan, uint32_t count, uint32_t slow)
{
	(void)plan;
	(void)slow;
	if (count == MOMENT)
		*(volatile uint32_t *)0x7f0000000000ull = 1;
}
FAULT_DECLARE(page_fault, "panic", 3, "", "a write to unmapped memory at the 60th frame", .frame = write_nowhere);

/* noinline and the use of the result keep the compiler from turning the recursion into a loop. */
static __attribute__((noinline)) uint32_t recurse(uint32_t depth)
{
	volatile uint8_t frame[512];

	frame[depth % sizeof(frame)] = (uint8_t)depth;
	return depth == UINT32_MAX ? 0 : recurse(depth + 1) + frame[depth % sizeof(frame)];
}

static void recurse_later(struct fault_frame_plan *plan, uint32_t count, uint32_t slow)
{
	(void)plan;
	(void)slow;
	if (count == MOMENT)
		print("%u\n", recurse(0));
}
FAULT_DECLARE(stack_overflow, "panic", 3, "", "recursion without end at the 60th frame", .frame = recurse_later);
