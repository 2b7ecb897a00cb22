/*
 * virtio-gpu, one scanout. Draw into gpu->framebuffer, then gpu_present what changed.
 *
 * Context: boot CPU. A failure is printed on one line and returned as a negative enum error; after ERROR_TIMEOUT or
 * ERROR_BROKEN the device must not be used again.
 */
#ifndef DRIVERS_VIRTIO_GPU_H
#define DRIVERS_VIRTIO_GPU_H

#include "base/errors.h"
#include "drivers/virtio/gpu_protocol.h"
#include "drivers/virtio/transport.h"
#include "options.h"

#include <stdint.h>

#define GPU_COMMANDS_MAX 16
#define GPU_RESOURCE 1u /* the first picture's; with MODES=on another size has another one */

struct gpu;
struct gpu_slot; /* gpu_command.h */

/* How pixels reach the host. */
struct gpu_path {
	const char *name;     /* as in `virtio-gpu: 2d` */
	uint64_t deadline_ns; /* for each response */
	/* What the path needs besides the resource: runs commands. NULL: nothing. */
	int (*prepare)(struct gpu *gpu);
	/* The resource, and a rectangle of it: these add commands and run none. */
	int (*create)(struct gpu *gpu);
	int (*transfer)(struct gpu *gpu, const struct gpu_rectangle *rectangle);
};
extern const struct gpu_path gpu_path_2d, gpu_path_virgl, gpu_path_draw;

/* The time that presenting one frame needed, in arch_ticks, and its parts. */
struct gpu_timing {
	uint64_t submit_ticks, notify_ticks, wait_ticks;
	uint64_t submit_insns, poll_insns, complete_insns;
	uint64_t damage_px;
};

/* 32-bit pixels in memory, B, G, R and an unused byte (VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM). */
struct gpu_framebuffer {
	uint32_t *pixels;
	uint32_t width_px, height_px;
	uint32_t stride_px; /* pixels from one row to the next */
};

struct gpu {
	struct transport transport;
	struct transport_queue control;
	const struct gpu_path *path;
	struct gpu_framebuffer framebuffer; /* the backing of the resource on the scanout */
	uint64_t fence;
	struct gpu_slot *slots;
	uint32_t slots_used;
	struct gpu_timing timing; /* of the last gpu_present */
	uint64_t deadline_ns;     /* for each response */
};

extern uint32_t gpu_modes_resource; /* of MODES=on: the resource that is drawn into now */

/* The resource of gpu->framebuffer. */
static inline uint32_t gpu_resource(void)
{
	return OPTION(MODES) == OPTION_MODES_on ? gpu_modes_resource : GPU_RESOURCE;
}

/*
 * Finds the device and starts it, on the virgl path where it offers that. Where that does not work, says why, resets
 * the device and uses the 2D path. A device that fails altogether is reset.
 */
int gpu_init(struct gpu *gpu, uint32_t width_px, uint32_t height_px);
/* Once gpu->control and gpu->path stand: shows a black picture of the given mode on scanout 0. */
int gpu_start(struct gpu *gpu, uint32_t width_px, uint32_t height_px);
/*
 * Transfers and flushes some rectangles of the framebuffer, and waits for the responses. Rectangles must lie inside the
 * it; at most 4. Commands are batched as BATCH says and fenced as GPU_FENCE says.
 */
int gpu_present(struct gpu *gpu, const struct gpu_rectangle *damage, uint32_t count);

#endif
