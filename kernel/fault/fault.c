/* When the fault of this build happens. Linked only into kernels with a FAULT. */
#include "fault/fault.h"

static uint32_t frame_count;
static uint32_t calls;

void fault_plan(struct fault_frame_plan *plan, uint32_t count, uint32_t slow)
{
	frame_count = count;
	if (FAULT_CHOSEN.frame)
		FAULT_CHOSEN.frame(plan, count, slow);
}

bool fault_every_call(uint32_t period)
{
	return ++calls % period == 0;
}

bool fault_every_frame(uint32_t period)
{
	return frame_count % period == period - 1;
}
