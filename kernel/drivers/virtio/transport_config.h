/*
 * Changes of a device's configuration while it is used (VIRTIO 1.2 §4.1.5.2), of kernels with MODES=on.
 *
 * Context: the CPU that owns the device's first queue; the interrupt may come on any.
 */
#ifndef DRIVERS_VIRTIO_TRANSPORT_CONFIG_H
#define DRIVERS_VIRTIO_TRANSPORT_CONFIG_H

#include "drivers/virtio/transport.h"

/* Set by the interrupt, from whichever handler hears of it; taken by transport_config_take. */
extern volatile bool transport_config_changed;

/* Asks for an interrupt at each change where COMPLETION=irq. After the queues, before transport_ready. */
int transport_config_attach(struct transport *transport, const struct transport_queue *first);
/* Whether the configuration may have changed since the last call: of a kernel without interrupts always. */
bool transport_config_take(void);

#endif
