#include "drivers/virtio/wait.h"

#include "arch/arch.h"
#include "drivers/virtio/counters.h"
#include "options.h"
#include "sync/alarm.h"

/* The limit of the case study's poll loop. */
#define ITERATIONS_MAX 1000000u
/* Polls between two readings of the clock: a reading costs more than a poll. */
#define POLLS_A_CLOCK 16u

/* A deadline in two halves: at the end of the first the device is notified once more, so that a CPU that did not run
 * for longer than both still gives the device its second chance. */
struct wait_clock {
	uint64_t start, half_ns; /* of the present half */
	bool rekicked;
};

static uint64_t clock_left_ns(const struct wait_clock *clock)
{
	uint64_t waited = arch_ticks_to_ns(arch_ticks() - clock->start);

	return waited < clock->half_ns ? clock->half_ns - waited : 0;
}

static bool clock_expired(struct wait_clock *clock, struct virtqueue *queue)
{
	if (clock_left_ns(clock))
		return false;
	if (clock->rekicked)
		return true;
	virtqueue_rekick(queue);
	clock->rekicked = true;
	clock->start = arch_ticks();
	return false;
}

static void wait_relax(void)
{
	if (OPTION(SPIN) == OPTION_SPIN_pause)
		arch_relax();
}

static enum virtqueue_poll wait_poll(struct virtqueue *queue, struct virtqueue_completion *completion,
				     struct wait_clock *clock)
{
	for (uint32_t poll = 1;; poll++) {
		enum virtqueue_poll found = virtqueue_pop_used(queue, completion);

		if (found != VIRTQUEUE_NOTHING)
			return found;
		wait_relax();
		if (OPTION(WAIT) == OPTION_WAIT_iterations) {
			if (poll == ITERATIONS_MAX)
				return VIRTQUEUE_NOTHING;
		} else if (poll % POLLS_A_CLOCK == 0 && clock_expired(clock, queue)) {
			return VIRTQUEUE_NOTHING;
		}
	}
}

/* Halts between completions. The re-check of virtqueue_rearm closes the gap between the poll and the arming. */
static enum virtqueue_poll wait_interrupt(struct virtqueue *queue, struct virtqueue_completion *completion,
					  struct wait_clock *clock)
{
	bool enabled = arch_irq_disable();
	enum virtqueue_poll found;
	uint64_t before;

	for (;;) {
		found = virtqueue_pop_used(queue, completion);
		if (found != VIRTQUEUE_NOTHING || clock_expired(clock, queue))
			break;
		if (virtqueue_rearm(queue))
			continue;
		alarm_set(ALARM_WAIT, clock_left_ns(clock) + 1);
		queue->counters.count[COUNTER_halts]++;
		before = arch_ticks();
		arch_irq_wait();
		queue->counters.halt_ticks += arch_ticks() - before;
	}
	alarm_set(ALARM_WAIT, 0);
	virtqueue_disarm(queue);
	arch_irq_restore(enabled);
	return found;
}

int virtqueue_wait(struct virtqueue *queue, struct virtqueue_completion *completion, uint64_t deadline_ns)
{
	struct wait_clock clock = {.start = arch_ticks(), .half_ns = deadline_ns / 2};
	enum virtqueue_poll found;

	if (OPTION(COMPLETION) == OPTION_COMPLETION_irq)
		found = wait_interrupt(queue, completion, &clock);
	else
		found = wait_poll(queue, completion, &clock);
	if (found != VIRTQUEUE_NOTHING)
		return found == VIRTQUEUE_COMPLETED ? 0 : ERROR_BROKEN;
	queue->counters.count[COUNTER_timeouts]++;
	return ERROR_TIMEOUT;
}
