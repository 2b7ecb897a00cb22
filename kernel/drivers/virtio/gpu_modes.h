/*
 * Another size of the picture while the kernel runs (MODES=on): what the host asks for, and the change to it.
 *
 * Between two frames: gpu_modes_asked, then gpu_modes_take, then draw the whole of gpu->framebuffer. The next
 * gpu_present brings it to the scanout, between its transfer and its flush, so that no frame is shown that was not
 * drawn, and the old resource stays on the screen until then. gpu_modes_settle gives that back.
 *
 * Context: boot CPU. Failures are printed on one line.
 */
#ifndef DRIVERS_VIRTIO_GPU_MODES_H
#define DRIVERS_VIRTIO_GPU_MODES_H

#include "drivers/virtio/gpu.h"
#include "drivers/virtio/gpu_edid.h"

#include <stdbool.h>

/* Sides beyond it are not asked of the device. */
#define GPU_MODE_SIDE_MAX 16384u

/* For a device that was just reset, with its queues set up. Between transport_probe and transport_ready. */
int gpu_modes_open(struct gpu *gpu);
/* Forgets everything of a device that was just reset: its first picture has the resource GPU_RESOURCE. */
int gpu_modes_reset(void);
/*
 * 1 with *mode filled where the host wants a size, 0 where nothing has changed; else a negative enum error. *note:
 * NULL, or why the display's EDID does not say it.
 */
int gpu_modes_asked(struct gpu *gpu, struct gpu_mode *mode, const char **note);
/*
 * A resource of this size with memory behind it becomes gpu->framebuffer. ERROR_NOMEM and ERROR_RESPONSE: there is no
 * memory for it, here or on the host, and everything is as before.
 */
int gpu_modes_take(struct gpu *gpu, const struct gpu_mode *mode);
/* Adds what brings the new resource to the scanout, if there is one. Of gpu_present. */
int gpu_modes_show(struct gpu *gpu);
/* Gives the old resource back, once the new one is shown. */
int gpu_modes_settle(struct gpu *gpu);

#endif
