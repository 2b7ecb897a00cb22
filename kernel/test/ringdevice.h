/*
 * The device's side of a split ring, modelled for tests, in the kernel and natively: it takes what the driver made
 * available, checks that against VIRTIO 1.2 §2.7, and responds when it is told to. Tests that play a hostile device
 * write the used ring themselves.
 */
#ifndef TEST_RINGDEVICE_H
#define TEST_RINGDEVICE_H

#include "drivers/virtio/virtqueue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RINGDEVICE_SIZE_MAX 64
#define RINGDEVICE_PIECES_MAX 16

struct ringdevice {
	uint8_t memory[4096] __attribute__((aligned(4096)));
	struct virtqueue own;
	struct virtqueue *queue; /* the driver's, on this memory; `own` unless the test has one */
	uint16_t seen;           /* entries of the available ring taken */
	uint16_t notified;       /* notifies received */
	bool faulty_driver;      /* the driver broke a rule */
	/* Called at each notify; NULL leaves everything to the test. */
	void (*on_notify)(struct ringdevice *device);
};

/* A chain as the device reads it from memory. */
struct ringdevice_chain {
	uint16_t head;
	unsigned count;
	struct virtqueue_descriptor pieces[RINGDEVICE_PIECES_MAX];
};

/* A driver and a device with a fresh ring of this size; queue NULL: the device's own. */
void ringdevice_init(struct ringdevice *device, struct virtqueue *queue, uint16_t size, bool event_index);
/* Takes the next available chain; false when there is none, or it breaks a rule (then faulty_driver is set). */
bool ringdevice_take(struct ringdevice *device, struct ringdevice_chain *chain);
/* Puts an element into the used ring and moves its index. */
void ringdevice_complete(struct ringdevice *device, uint32_t id, uint32_t length);
/* Completes everything available with as many bytes as the driver accepts; returns how many chains that were. */
unsigned ringdevice_complete_all(struct ringdevice *device);
/* The byte count that the device may write into a chain. */
uint32_t ringdevice_writable(const struct ringdevice_chain *chain);

/* Fields that stand behind the rings (§2.7.6, §2.7.8). */
volatile uint16_t *ringdevice_avail_event(struct ringdevice *device);
volatile uint16_t *ringdevice_used_event(struct ringdevice *device);

#endif
