/* drivers/virtio/wait: how a wait ends, and what it counts, with a device that responds at once, late, badly or never.
 */
#include "test/ktest.h"

#include "arch/arch.h"
#include "drivers/virtio/ordering/points.h"
#include "drivers/virtio/wait.h"
#include "options.h"
#include "test/ringdevice.h"

#define SHORT_NS 4000000ull
#define LONG_NS 10000000000ull
#define COUNTED(count) (OPTION(COUNTERS) == OPTION_COUNTERS_none ? 0 : (count))

static struct ringdevice device;
static uint8_t bytes[64];

static void respond(struct ringdevice *ring)
{
	ringdevice_complete_all(ring);
}

static void respond_to_second(struct ringdevice *ring)
{
	if (ring->notified == 2)
		ringdevice_complete_all(ring);
}

static void break_ring(struct ringdevice *ring)
{
	ringdevice_complete(ring, 0xffff, 0);
}

/* Sends one chain to a device that behaves like this, and waits for it. */
static int send_and_wait(void (*on_notify)(struct ringdevice *), uint64_t deadline_ns)
{
	struct virtqueue_buffer buffers[] = {{(uintptr_t)bytes, 16, false}, {(uintptr_t)bytes + 16, 16, true}};
	struct virtqueue_completion completion;

	ringdevice_init(&device, NULL, 8, false);
	device.on_notify = on_notify;
	virtqueue_add(device.queue, buffers, 2, bytes);
	virtqueue_publish(device.queue);
	virtqueue_kick(device.queue);
	return virtqueue_wait(device.queue, &completion, deadline_ns);
}

/* Whether the fences at B match this strategy and the number of polls. */
static bool fences_match(const struct virtqueue_counters *counters)
{
	uint64_t polls = counters->count[COUNTER_spins] + counters->count[COUNTER_completions];

	return counters->count[COUNTER_fences] ==
	       COUNTED(polls * POINT_POLL_FENCES + counters->count[COUNTER_completions] * POINT_PROGRESS_FENCES);
}

static void at_once(void)
{
	const struct virtqueue_counters *counters = &device.own.counters;

	ktest_check(!send_and_wait(respond, LONG_NS), "a completion that is there is popped");
	ktest_check(counters->count[COUNTER_spins] == 0 && counters->count[COUNTER_completions] == 1 &&
			    counters->count[COUNTER_halts] == 0,
		    "without a spin or a halt, as one completion");
	ktest_check(fences_match(counters), "its fences are one poll's and one progress's");
	ktest_check(counters->count[COUNTER_publish_fences] == COUNTED(POINT_PUBLISH_FENCES) &&
			    counters->count[COUNTER_kick_fences] == COUNTED(POINT_KICK_FENCES),
		    "publish and kick have the fences of this strategy");
	ktest_check(counters->count[COUNTER_hw_fences] ==
			    COUNTED(POINT_PUBLISH_HW + POINT_KICK_HW + POINT_POLL_HW + POINT_PROGRESS_HW),
		    "fence instructions are those of this strategy on this architecture");
	ktest_check(counters->count[COUNTER_timeouts] == 0 && counters->count[COUNTER_rekicks] == 0 &&
			    counters->count[COUNTER_notifies] == 1,
		    "nothing timed out, one notify");
}

static void late(void)
{
	const struct virtqueue_counters *counters = &device.own.counters;

	if (OPTION(WAIT) == OPTION_WAIT_iterations && OPTION(COMPLETION) == OPTION_COMPLETION_poll) {
		ktest_skip("a lost notify is sent again", "WAIT=iterations knows no clock");
		return;
	}
	ktest_check(!send_and_wait(respond_to_second, SHORT_NS),
		    "a device that missed its notification responds to the second");
	ktest_check(counters->count[COUNTER_rekicks] == 1 && counters->count[COUNTER_notifies] == 2 &&
			    counters->count[COUNTER_timeouts] == 0,
		    "one re-kick, two notifies, no timeout");
	ktest_check(OPTION(COUNTERS) == OPTION_COUNTERS_none || counters->count[COUNTER_spins] > 0,
		    "polls that found nothing were counted");
	ktest_check(OPTION(COUNTERS) == OPTION_COUNTERS_none || fences_match(counters),
		    "each poll and the progress have the fences of this strategy");
}

static void never(void)
{
	const struct virtqueue_counters *counters = &device.own.counters;
	uint64_t start = arch_ticks();

	ktest_check(send_and_wait(NULL, SHORT_NS) == ERROR_TIMEOUT, "a silent device ends the wait");
	if (OPTION(WAIT) == OPTION_WAIT_deadline || OPTION(COMPLETION) == OPTION_COMPLETION_irq)
		ktest_check(arch_ticks_to_ns(arch_ticks() - start) >= SHORT_NS, "not before the deadline");
	else
		ktest_check(counters->count[COUNTER_spins] == COUNTED(1000000), "after exactly 1,000,000 polls");
	ktest_check(counters->count[COUNTER_timeouts] == 1 && counters->count[COUNTER_completions] == 0,
		    "one timeout, no completion");
	ktest_check((counters->count[COUNTER_halts] > 0) == (OPTION(COMPLETION) == OPTION_COMPLETION_irq),
		    "the CPU was halted exactly when completions come by interrupt");
	ktest_check(device.queue->free_count == 6, "the chain stays the device's");
}

static void run(void)
{
	at_once();
	late();
	never();
	ktest_check(send_and_wait(break_ring, LONG_NS) == ERROR_BROKEN,
		    "a device that breaks the ring ends the wait at once");
}

KTEST_SUITE(wait, run);
