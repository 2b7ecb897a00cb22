/*
 * How the driver waits for a completion: polling or interrupted, bounded in time or in iterations, as COMPLETION, SPIN
 * and WAIT say. Context: the CPU that owns the queue.
 */
#ifndef DRIVERS_VIRTIO_WAIT_H
#define DRIVERS_VIRTIO_WAIT_H

#include "drivers/virtio/virtqueue.h"

#include <stdint.h>

/*
 * Pops one completion, waiting for it as COMPLETION, SPIN and WAIT say: 0, ERROR_TIMEOUT or ERROR_BROKEN.
 * deadline_ns is the longest wait; one that has made no progress after half of it notifies the device once more. A poll
 * with WAIT=iterations knows no clock: it gives up after 1,000,000 polls and sends no notification.
 * COMPLETION=irq uses this CPU's ALARM_WAIT meanwhile.
 */
int virtqueue_wait(struct virtqueue *queue, struct virtqueue_completion *completion, uint64_t deadline_ns);

#endif
