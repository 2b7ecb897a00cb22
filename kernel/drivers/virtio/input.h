/*
 * virtio-input (VIRTIO 1.2 §5.8), a keyboard: what it reports is read when the driver looks, without interrupts.
 *
 * Context: one CPU at a time; interrupts in any state. A failure is printed on one line and returned as a negative
 * enum error; after ERROR_BROKEN the device was reset and must not be used again.
 */
#ifndef DRIVERS_VIRTIO_INPUT_H
#define DRIVERS_VIRTIO_INPUT_H

#include "base/errors.h"
#include "drivers/virtio/transport.h"

#include <stdint.h>

#define INPUT_DEVICE_TYPE 18 /* §5 */
#define INPUT_EVENTS_MAX 64u /* buffers that the device may fill between two polls */

/* §5.8.6: types and codes are those of Linux's evdev. */
#define INPUT_SYN 0u
#define INPUT_KEY 1u
#define INPUT_PRESSED 1u

/* §5.8.6: one event, as the device writes it, little-endian. */
struct input_event {
	uint16_t type, code;
	uint32_t value;
};

struct input {
	struct transport transport;
	struct transport_queue events;
	struct input_event *buffers; /* as many as the queue has entries */
	uint64_t taken;              /* events, since input_init */
	uint64_t presses;            /* keys pressed, since input_init */
	uint16_t newest;             /* the code of the key pressed last */
};

/* Finds the keyboard; ERROR_NODEV, without a word, when there is no input device. */
int input_init(struct input *input);
/* Gives all buffers to the device. Once input->events stands, for input_init and tests. */
int input_offer(struct input *input);
/*
 * Takes what has arrived, at most as many events as there are buffers, and gives the buffers back: 0, or ERROR_BROKEN.
 */
int input_read(struct input *input);

#endif
