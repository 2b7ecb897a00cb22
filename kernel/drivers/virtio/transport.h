/*
 * Modern virtio over PCI (VIRTIO 1.2 §4.1): capabilities, feature negotiation, queues, notifies.
 *
 * Context: one CPU at a time while probing: the boot CPU, or another for which it waits; the notify from whichever CPU
 * owns the queue. On any failure the device has been reset (§3.1.1) and the reason printed on one line.
 */
#ifndef DRIVERS_VIRTIO_TRANSPORT_H
#define DRIVERS_VIRTIO_TRANSPORT_H

#include "base/errors.h"
#include "drivers/pci/pci.h"
#include "drivers/virtio/virtqueue.h"

#include <stdbool.h>
#include <stdint.h>

/* §6: bits that any device may offer. */
#define TRANSPORT_F_EVENT_IDX (1ull << 29)
#define TRANSPORT_F_VERSION_1 (1ull << 32)

/* §4.1.4.3: the common configuration, as the device lays it out. */
struct transport_common {
	uint32_t device_feature_select, device_feature, driver_feature_select, driver_feature;
	uint16_t config_msix_vector, num_queues;
	uint8_t device_status, config_generation;
	uint16_t queue_select, queue_size, queue_msix_vector, queue_enable, queue_notify_off;
	uint32_t queue_descriptors[2], queue_driver[2], queue_device[2];
};

struct transport {
	const char *name; /* "virtio-gpu", for messages */
	struct pci_device pci;
	volatile struct transport_common *common;
	volatile uint8_t *notify_registers;
	uint64_t notify_length;
	uint32_t notify_multiplier;
	volatile uint8_t *config; /* device-specific; NULL when there is none */
	uint32_t config_length;
	volatile uint8_t *isr; /* read to acknowledge a pin interrupt (§4.1.4.5) */
	uint64_t features;     /* what was negotiated */
};

/* A queue with its place in the device. */
struct transport_queue {
	struct virtqueue queue;
	struct transport *transport;
	volatile uint16_t *notify_register;
	uint16_t number;
	bool pin; /* the interrupt is the PCI pin, not a message */
	volatile uint64_t interrupts;
};

/* Whether there is such a device at all. */
bool transport_present(unsigned type);
/* Finds the device, resets it, and negotiates: `wanted` of what it offers, all of `needed` (VERSION_1 is implied). */
int transport_probe(struct transport *transport, const char *name, unsigned type, uint64_t needed, uint64_t wanted);
/* Sets up one queue of at most `size_max` entries, with an interrupt when COMPLETION=irq. Before transport_ready. */
int transport_queue_init(struct transport *transport, struct transport_queue *queue, uint16_t number,
			 uint16_t size_max);
/* DRIVER_OK: the device may be used from here. */
void transport_ready(struct transport *transport);
/*
 * A field of the device's configuration, read whole (§2.5.1): again while its generation changes, for at most 100 ms.
 */
int transport_config_read64(struct transport *transport, uint32_t offset, uint64_t *value);
/*
 * virtqueue_wait, with every wait that gives up told as `<name>: <what> timeout, queue N`. The iteration limit of
 * WAIT=iterations may run out while the device works: that is counted, the device notified again, and the wait
 * goes on for as long as a deadline would have allowed.
 */
int transport_wait(struct transport_queue *queue, struct virtqueue_completion *completion, uint64_t deadline_ns,
		   const char *what);
/* Gives up on the device, if it was found: status FAILED, then reset. */
void transport_fail(struct transport *transport);

#endif
