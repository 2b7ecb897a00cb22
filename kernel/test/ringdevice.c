#include "test/ringdevice.h"

#include "base/string.h"

#define DESCRIPTOR_NEXT 1
#define DESCRIPTOR_DEVICE_WRITES 2

static void notify(void *context)
{
	struct ringdevice *device = context;

	device->notified++;
	if (device->on_notify)
		device->on_notify(device);
}

void ringdevice_init(struct ringdevice *device, struct virtqueue *queue, uint16_t size, bool event_index)
{
	memset(device, 0, sizeof(*device));
	device->queue = queue ? queue : &device->own;
	if (size > RINGDEVICE_SIZE_MAX ||
	    virtqueue_init(device->queue, size, device->memory, event_index, notify, device))
		device->faulty_driver = true;
}

/* Copies the chain out of memory; whether it ends, stays inside the table, and has its writable part last. */
static bool chain_read(struct ringdevice *device, struct ringdevice_chain *chain)
{
	uint16_t at = chain->head;
	bool writes = false;

	for (chain->count = 0; chain->count < RINGDEVICE_PIECES_MAX;) {
		struct virtqueue_descriptor *piece = &chain->pieces[chain->count++];

		if (at >= device->queue->size)
			return false;
		*piece = device->queue->descriptors[at];
		if (writes && !(piece->flags & DESCRIPTOR_DEVICE_WRITES))
			return false;
		writes = piece->flags & DESCRIPTOR_DEVICE_WRITES;
		if (!(piece->flags & DESCRIPTOR_NEXT))
			return true;
		at = piece->next;
	}
	return false;
}

bool ringdevice_take(struct ringdevice *device, struct ringdevice_chain *chain)
{
	uint16_t size = device->queue->size;

	if (device->queue->available->index == device->seen)
		return false;
	chain->head = device->queue->available->ring[device->seen & (size - 1)];
	device->seen++;
	if (!chain_read(device, chain)) {
		device->faulty_driver = true;
		return false;
	}
	return true;
}

void ringdevice_complete(struct ringdevice *device, uint32_t id, uint32_t length)
{
	uint16_t index = device->queue->used->index;

	device->queue->used->ring[index & (device->queue->size - 1)].id = id;
	device->queue->used->ring[index & (device->queue->size - 1)].length = length;
	device->queue->used->index = (uint16_t)(index + 1);
}

uint32_t ringdevice_writable(const struct ringdevice_chain *chain)
{
	uint32_t bytes = 0;

	for (unsigned i = 0; i < chain->count; i++)
		if (chain->pieces[i].flags & DESCRIPTOR_DEVICE_WRITES)
			bytes += chain->pieces[i].length;
	return bytes;
}

unsigned ringdevice_complete_all(struct ringdevice *device)
{
	struct ringdevice_chain chain;
	unsigned count = 0;

	for (; ringdevice_take(device, &chain); count++)
		ringdevice_complete(device, chain.head, ringdevice_writable(&chain));
	return count;
}

volatile uint16_t *ringdevice_avail_event(struct ringdevice *device)
{
	return (volatile uint16_t *)(volatile void *)&device->queue->used->ring[device->queue->size];
}

volatile uint16_t *ringdevice_used_event(struct ringdevice *device)
{
	return &device->queue->available->ring[device->queue->size];
}
