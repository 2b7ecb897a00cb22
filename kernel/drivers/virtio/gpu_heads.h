/*
 * Further heads of the device (HEADS=2): each scanout shows the same resource, so that one flush shows a frame on all.
 *
 * Context: boot CPU. A failure is printed on one line.
 */
#ifndef DRIVERS_VIRTIO_GPU_HEADS_H
#define DRIVERS_VIRTIO_GPU_HEADS_H

#include "drivers/virtio/gpu.h"

extern uint32_t gpu_heads_shown; /* of HEADS=2: those that the device has */

static inline uint32_t gpu_heads(void)
{
	return OPTION(HEADS) == OPTION_HEADS_2 ? gpu_heads_shown : 1;
}

/* Once the first head shows the framebuffer. A device with fewer heads shows it on those that it has. */
int gpu_heads_start(struct gpu *gpu);

#endif
