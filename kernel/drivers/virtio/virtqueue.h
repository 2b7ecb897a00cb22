/*
 * The split virtqueue (VIRTIO 1.2 §2.7), driver side. Knows no device and no bus: memory and the notify call are handed
 * in.
 *
 * Context: one CPU at a time for each queue; interrupts in any state. Everything that the device writes (used indices,
 * ids, lengths) is compared with a bound before use; a device that breaks the rules leaves the queue broken for good,
 * and every later call returns ERROR_BROKEN.
 */
#ifndef DRIVERS_VIRTIO_VIRTQUEUE_H
#define DRIVERS_VIRTIO_VIRTQUEUE_H

#include "base/errors.h"
#include "drivers/virtio/counters.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIRTQUEUE_SIZE_MAX 256

/* §2.7.5, §2.7.6, §2.7.8: as they lie in memory, little-endian. */
struct virtqueue_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

struct virtqueue_available {
	uint16_t flags, index, ring[];
	/* uint16_t used_event behind the ring */
};

struct virtqueue_used_element {
	uint32_t id, length;
};

struct virtqueue_used {
	uint16_t flags, index;
	struct virtqueue_used_element ring[];
	/* uint16_t avail_event behind the ring */
};

/* One piece of a chain; pieces that the device writes stand behind those it reads (§2.7.4.2). */
struct virtqueue_buffer {
	uint64_t address;
	uint32_t length;
	bool device_writes;
};

/* What came back: the token of the chain, and how many bytes the device says it wrote. */
struct virtqueue_completion {
	void *token;
	uint32_t length;
};

struct virtqueue {
	uint16_t size; /* a power of two, at most VIRTQUEUE_SIZE_MAX */
	bool event_index;
	bool broken;
	volatile struct virtqueue_descriptor *descriptors;
	volatile struct virtqueue_available *available;
	volatile struct virtqueue_used *used;
	void (*notify)(void *context);
	void *context;

	uint16_t free_head, free_count; /* free descriptors, linked by next_free */
	uint16_t next_free[VIRTQUEUE_SIZE_MAX];
	uint16_t added;     /* available index with chains not yet published */
	uint16_t published; /* what available->index holds */
	uint16_t kicked;    /* published when the device was last told */
	uint16_t popped;    /* used elements consumed; all of these wrap at 2^16 */
	/* By the chain's head: 0 when the driver owns it, else its length in descriptors, and what to hand back. */
	uint16_t chain_length[VIRTQUEUE_SIZE_MAX];
	uint32_t chain_writable[VIRTQUEUE_SIZE_MAX]; /* bytes that the device may write */
	bool chain_out[VIRTQUEUE_SIZE_MAX];          /* the device was shown it */
	uint16_t laid[VIRTQUEUE_SIZE_MAX]; /* heads in the order of the available ring, out of the device's reach */
	void *tokens[VIRTQUEUE_SIZE_MAX];
	struct virtqueue_counters counters;
};

/* Where the three areas lie in one block of memory aligned to 4096, and how long it is. */
struct virtqueue_layout {
	size_t available, used, bytes;
};
struct virtqueue_layout virtqueue_layout(uint16_t size);

/* memory: zeroed, virtqueue_layout(size).bytes long, aligned to 4096. size: a power of two from 2. */
int virtqueue_init(struct virtqueue *queue, uint16_t size, void *memory, bool event_index,
		   void (*notify)(void *context), void *context);

/* Lays a chain into the ring without showing it to the device. */
int virtqueue_add(struct virtqueue *queue, const struct virtqueue_buffer *buffers, unsigned count, void *token);
/* Shows everything added to the device (A). */
void virtqueue_publish(struct virtqueue *queue);
/* Tells the device, unless it asked not to be told (C); returns whether it was. */
bool virtqueue_kick(struct virtqueue *queue);
/* Tells the device whatever it asked: for a wait that makes no progress. */
void virtqueue_rekick(struct virtqueue *queue);

/* What one poll of the used ring found. */
enum virtqueue_poll {
	VIRTQUEUE_NOTHING,
	VIRTQUEUE_COMPLETED,
	VIRTQUEUE_BROKEN,
};
/* Polls once; fills *completion when there is one. Counts a spin when there is none. */
enum virtqueue_poll virtqueue_pop_used(struct virtqueue *queue, struct virtqueue_completion *completion);

/* Asks for an interrupt with the next completion; returns true when one is already there (D). */
bool virtqueue_rearm(struct virtqueue *queue);
/* Asks for no interrupts. Only a hint (§2.7.7.1). */
void virtqueue_disarm(struct virtqueue *queue);

#endif
