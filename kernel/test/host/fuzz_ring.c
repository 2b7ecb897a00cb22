/*
 * The ring against a hostile device: the input is a list of steps, of the driver and of a device that writes whatever
 * it likes wherever it may. After each step the driver's own books must balance: every descriptor is free or in one
 * chain, only chains that are out come back, none is longer than it may be, and a broken queue stays broken.
 */
#include "drivers/virtio/virtqueue.h"
#include "test/ringdevice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			abort();                                                                                       \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

struct input {
	const uint8_t *at, *end;
};

static struct ringdevice device;
/* By token: bytes that the device may write, whether the chain is laid, and whether the device was shown it. */
static uint32_t writable[256];
static bool out[256], shown[256];
static uint8_t next_token;
static unsigned long steps;

/* How much was tried, for those who promise a number. */
static __attribute__((destructor)) void report(void)
{
	fprintf(stderr, "# result %lu steps of ring and device\n", steps);
}

static uint32_t take_byte(struct input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

static uint32_t take_word(struct input *input)
{
	uint32_t word = take_byte(input);

	word |= take_byte(input) << 8;
	word |= take_byte(input) << 16;
	return word | take_byte(input) << 24;
}

static void driver_add(struct input *input)
{
	struct virtqueue_buffer buffers[RINGDEVICE_SIZE_MAX + 1];
	unsigned count = take_byte(input) % (device.queue->size + 2u);
	uint32_t sum = 0;
	int added;

	for (unsigned i = 0; i < count; i++) {
		buffers[i] = (struct virtqueue_buffer){i, take_byte(input), take_byte(input) & 1};
		sum += buffers[i].device_writes ? buffers[i].length : 0;
	}
	added = virtqueue_add(device.queue, buffers, count, &writable[next_token]);
	if (added)
		return;
	CHECK(!out[next_token]);
	out[next_token] = true;
	writable[next_token++] = sum;
}

static void driver_take(void)
{
	struct virtqueue_completion completion;
	bool broken = device.queue->broken;
	enum virtqueue_poll found = virtqueue_pop_used(device.queue, &completion);

	CHECK(!broken || found == VIRTQUEUE_BROKEN);
	if (found == VIRTQUEUE_COMPLETED) {
		size_t token = (size_t)((uint32_t *)completion.token - writable);

		CHECK(token < 256 && out[token] && shown[token] && completion.length <= writable[token]);
		out[token] = shown[token] = false;
	}
}

/* Part of the ring's memory, used elements and indices more often than the rest. */
static void device_scribble(struct input *input)
{
	volatile struct virtqueue_used *used = device.queue->used;
	uint32_t what = take_byte(input), word = take_word(input);

	switch (what % 5) {
	case 0:
		used->index = (uint16_t)word;
		break;
	case 1:
		used->ring[what / 5 % device.queue->size].id = word;
		break;
	case 2:
		used->ring[what / 5 % device.queue->size].length = word;
		break;
	case 3:
		used->flags = (uint16_t)word;
		break;
	default:
		device.memory[word % virtqueue_layout(device.queue->size).bytes] = (uint8_t)what;
	}
}

static void step(struct input *input)
{
	struct ringdevice_chain chain;
	uint32_t what = take_byte(input);

	switch (what % 10) {
	case 0:
	case 1:
		driver_add(input);
		break;
	case 2:
		virtqueue_publish(device.queue);
		memcpy(shown, out, sizeof(shown));
		break;
	case 3:
		virtqueue_kick(device.queue);
		break;
	case 4:
	case 5:
		driver_take();
		break;
	case 6:
		what & 16 ? (void)virtqueue_rearm(device.queue) : virtqueue_disarm(device.queue);
		break;
	case 7:
	case 8:
		if (ringdevice_take(&device, &chain))
			ringdevice_complete(&device, chain.head, ringdevice_writable(&chain));
		break;
	default:
		device_scribble(input);
	}
}

static void books_balance(void)
{
	const struct virtqueue *queue = device.queue;
	unsigned held = 0, free = 0;

	for (uint16_t i = 0; i < queue->size; i++)
		held += queue->chain_length[i];
	for (uint16_t at = queue->free_head; free < queue->free_count; free++) {
		CHECK(at < queue->size);
		at = queue->next_free[at];
	}
	CHECK(held + queue->free_count == queue->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct input input = {bytes, bytes + length};
	uint32_t how = take_byte(&input);

	ringdevice_init(&device, NULL, (uint16_t)(2u << how % 6), how & 64);
	device.queue->added = device.queue->published = device.queue->kicked = (uint16_t) - (how >> 7);
	device.queue->popped = device.queue->used->index = device.queue->available->index = device.queue->added;
	device.seen = device.queue->added;
	memset(out, 0, sizeof(out));
	memset(shown, 0, sizeof(shown));
	next_token = 0;
	while (input.at < input.end && next_token < 255) {
		step(&input);
		steps++;
		books_balance();
	}
	return 0;
}
