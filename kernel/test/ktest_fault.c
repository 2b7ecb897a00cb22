/* fault/: that a kernel without a fault changes nothing. What each fault does is for the harness to see. */
#include "test/ktest.h"

#include "fault/fault.h"

static bool plan_is_plain(uint32_t count)
{
	struct fault_frame_plan plan = fault_at_frame(count, count + 7, 10);

	return plan.draw_instead == count + 7 && !plan.spoil && !plan.extra_per_cent && !plan.stall_ms;
}

static bool nothing_happens(void)
{
	for (uint32_t count = 0; count < 1000; count++)
		if (!plan_is_plain(count) || fault_drops_kick() || fault_leaks_descriptors() ||
		    fault_skips_transfer() || fault_halves_transfer() || fault_skips_flush() || fault_spoils_block() ||
		    fault_hides_block() || fault_recorded_frame(count, count + 7) != count + 7)
			return false;
	return true;
}

static void run(void)
{
	if (FAULT_ANY)
		ktest_skip("no hook does anything", "this kernel was built with a fault");
	else
		ktest_check(nothing_happens(), "no hook does anything in 1,000 frames");
}

KTEST_SUITE(fault, run);
