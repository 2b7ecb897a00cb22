/* drivers/virtio/input: against a modelled keyboard in memory, and against the real one. */
#include "test/ktest.h"

#include "base/heap.h"
#include "base/string.h"
#include "drivers/virtio/input.h"
#include "test/ringdevice.h"

#define RING 16u
#define KEY_A 30u
#define KEY_B 48u
#define FLOOD 10000u

static struct ringdevice device;
static struct input input;
static unsigned dropped;

static void start(void)
{
	memset(&input, 0, sizeof(input));
	input.transport.name = "virtio-input";
	input.events.transport = &input.transport;
	ringdevice_init(&device, &input.events.queue, RING, false);
	input.buffers = heap_alloc(sizeof(struct input_event) * RING, 16);
	dropped = 0;
	ktest_check(input.buffers && !input_offer(&input) && !input.events.queue.free_count,
		    "every buffer of the queue is offered");
	virtqueue_kick(&input.events.queue);
}

/* As QEMU does: an event for which no buffer is left is dropped. */
static void report(uint16_t type, uint16_t code, uint32_t value, uint32_t length)
{
	struct ringdevice_chain chain;

	if (!ringdevice_take(&device, &chain)) {
		dropped++;
		return;
	}
	*(struct input_event *)(uintptr_t)chain.pieces[0].address = (struct input_event){type, code, value};
	ringdevice_complete(&device, chain.head, length);
}

static void key(uint16_t code, uint32_t value)
{
	report(INPUT_KEY, code, value, sizeof(struct input_event));
}

static void press(uint16_t code)
{
	key(code, INPUT_PRESSED);
	key(code, 0);
	report(INPUT_SYN, 0, 0, sizeof(struct input_event));
}

static void keys(void)
{
	uint16_t notified;

	start();
	notified = device.notified;
	ktest_check(!input_read(&input) && !input.presses && !input.taken && device.notified == notified,
		    "without events nothing is taken, and the device is not disturbed");
	press(KEY_A);
	ktest_check(!input_read(&input) && input.presses == 1 && input.newest == KEY_A && input.taken == 3,
		    "a key pressed counts once; its release and the end of the report do not");
	ktest_check(device.notified == notified + 1 && !input.events.queue.free_count,
		    "the buffers are given back, behind one notification");
	press(KEY_A);
	press(KEY_B);
	ktest_check(!input_read(&input) && input.presses == 3 && input.newest == KEY_B,
		    "of several the last one is the newest");
	key(KEY_A, 2);
	report(3, 0, INPUT_PRESSED, sizeof(struct input_event));
	ktest_check(!input_read(&input) && input.presses == 3 && input.newest == KEY_B && input.taken == 11,
		    "a key held down, and what is not a key, are not inputs");
	for (uint32_t i = 0; i < 5 * RING; i++) {
		press(KEY_A);
		input_read(&input);
	}
	ktest_check(input.presses == 3 + 5 * RING && !dropped && !device.faulty_driver,
		    "the ring goes round without losing any");
}

static void floods(void)
{
	start();
	for (uint32_t i = 0; i < FLOOD; i++)
		press((uint16_t)(KEY_A + i % 2));
	ktest_check(!input_read(&input) && input.taken == RING, "of a flood there is taken what the buffers hold");
	ktest_check(dropped == 3 * FLOOD - RING, "and the device drops the rest");
	press(KEY_B);
	ktest_check(!input_read(&input) && input.taken == RING + 3 && input.newest == KEY_B && !device.faulty_driver,
		    "after it, keys arrive as before");
}

static void hostile(void)
{
	start();
	report(INPUT_KEY, KEY_A, INPUT_PRESSED, 4);
	ktest_check(input_read(&input) == ERROR_BROKEN && !input.presses, "half an event is an error, and no input");
	start();
	report(INPUT_KEY, KEY_A, INPUT_PRESSED, 9);
	ktest_check(input_read(&input) == ERROR_BROKEN && !input.presses, "so is more than its buffer has room for");
	start();
	ringdevice_complete(&device, RING, sizeof(struct input_event));
	ktest_check(input_read(&input) == ERROR_BROKEN, "so is a buffer that the driver does not have");
	start();
	for (unsigned i = 0; i <= RING; i++)
		ringdevice_complete(&device, 0, sizeof(struct input_event));
	ktest_check(input_read(&input) == ERROR_BROKEN && input_read(&input) == ERROR_BROKEN,
		    "so are more events than buffers, for good");
}

static void real(void)
{
	if (!transport_present(INPUT_DEVICE_TYPE)) {
		ktest_skip("the keyboard of this machine is found", "there is none");
		return;
	}
	ktest_check(!input_init(&input) && input.events.queue.size >= 2, "the keyboard of this machine is found");
	ktest_check(!input_read(&input) && !input.presses, "and reports nothing while nobody presses a key");
	transport_fail(&input.transport);
}

static void run(void)
{
	keys();
	floods();
	hostile();
	real();
}

KTEST_SUITE(input, run);
