#include "run/inputs.h"

#include "base/print.h"
#include "drivers/virtio/input.h"
#include "fault/fault.h"

static struct {
	bool on;
	struct input keyboard;
} inputs;

bool inputs_start(void)
{
	if (input_init(&inputs.keyboard)) {
		print("virtio-input: input=1 needs a keyboard\n");
		return false;
	}
	inputs.on = true;
	return true;
}

bool inputs_before_draw(struct record_frame *record)
{
	if (!inputs.on)
		return true;
	if (!fault_reads_input_late() && input_read(&inputs.keyboard))
		return false;
	record->input = inputs.keyboard.presses;
	record->input_code = inputs.keyboard.newest;
	return true;
}

bool inputs_after_draw(void)
{
	return !inputs.on || !fault_reads_input_late() || !input_read(&inputs.keyboard);
}

void inputs_summary(struct record_summary *summary)
{
	summary->input_events = inputs.keyboard.taken;
}
