/* fault/: a kernel without a fault changes nothing, and every fault is declared whole. The harness sees what each does.
 */
#include "test/ktest.h"

#include "base/string.h"
#include "fault/fault.h"

REGISTRY(faults, const struct fault);

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
		    fault_hides_block() || fault_changes_config() || fault_keeps_pitch() || fault_forgets_head() ||
		    fault_recorded_frame(count, count + 7) != count + 7)
			return false;
	return true;
}

static bool does_something(const struct fault *fault)
{
	return fault->boot || fault->frame || fault->skip_transfer || fault->halve_transfer || fault->skip_flush ||
	       fault->drop_kick || fault->hide_block || fault->spoil_block || fault->change_config || fault->lie ||
	       fault->leak_descriptors || fault->decline_virgl || fault->late_input || fault->race_cursor ||
	       fault->refuse_shader || fault->keep_pitch || fault->one_head;
}

static bool is_whole(const struct fault *fault)
{
	return fault->name[0] && fault->seen[0] && fault->what[0] && fault->code >= 1 && fault->code <= 3 &&
	       does_something(fault);
}

static void declarations(void)
{
	unsigned whole = 0, repeated = 0;

	for (unsigned i = 0; i < REGISTRY_COUNT(faults); i++) {
		const struct fault *fault = REGISTRY_FIRST(faults)[i];

		if (is_whole(fault))
			whole++;
		else
			ktest_note("fault %s", fault->name);
		for (unsigned j = 0; j < i; j++)
			repeated += !strcmp(fault->name, REGISTRY_FIRST(faults)[j]->name);
	}
	ktest_check(whole && whole == REGISTRY_COUNT(faults),
		    "every fault says what it is seen as, and does something");
	ktest_check(!repeated, "no two have one name");
}

static void run(void)
{
	if (FAULT_ANY)
		ktest_skip("no hook does anything", "this kernel was built with a fault");
	else
		ktest_check(nothing_happens(), "no hook does anything in 1,000 frames");
	declarations();
}

KTEST_SUITE(fault, run);
