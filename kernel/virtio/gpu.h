/*
 * virtio-gpu, one scanout. Draw into gpu->canvas, then gpu_present what changed.
 *
 * Context: boot CPU. A failure is printed on one line and returned as a negative enum gpu_error; after GPU_ETIMEOUT or
 * GPU_EBROKEN the device must not be used again.
 */
#ifndef VIRTIO_GPU_H
#define VIRTIO_GPU_H

#include "scene/canvas.h"
#include "virtio/gpu_protocol.h"
#include "virtio/transport.h"

#include <stdint.h>

enum gpu_error {
	GPU_ENODEV = -1,
	GPU_ENOMEM = -2,
	GPU_ETIMEOUT = -3,
	GPU_EBROKEN = -4,   /* the ring, or a response of the wrong size */
	GPU_ERESPONSE = -5, /* the device answered with an error */
	GPU_ECAPSET = -6,   /* virgl: no capability set that can be used */
	GPU_ECONTEXT = -7,  /* virgl: no context */
};

#define GPU_COMMANDS_MAX 16
#define GPU_RESOURCE 1u

struct gpu;
struct gpu_slot; /* gpu_command.h */

/* How pixels reach the host. */
struct gpu_path {
	const char *name;     /* as in `virtio-gpu: 2d` */
	uint64_t deadline_ns; /* for each answer */
	/* What the path needs besides the resource: runs commands. NULL: nothing. */
	int (*prepare)(struct gpu *gpu);
	/* The resource, and a rectangle of it: these add commands and run none. */
	int (*create)(struct gpu *gpu);
	int (*transfer)(struct gpu *gpu, const struct gpu_rectangle *rectangle);
};
extern const struct gpu_path gpu_path_2d, gpu_path_virgl;

/* What presenting one frame took, in arch_ticks, and what it consisted of. */
struct gpu_timing {
	uint64_t submit_ticks, notify_ticks, wait_ticks;
	uint64_t submit_insns, poll_insns, complete_insns;
	uint64_t damage_px;
};

struct gpu {
	struct transport transport;
	struct transport_queue control;
	const struct gpu_path *path;
	struct canvas canvas; /* the backing of the resource on the scanout */
	uint64_t fence;
	struct gpu_slot *slots;
	uint32_t slots_used;
	struct gpu_timing timing; /* of the last gpu_present */
	uint64_t deadline_ns;     /* for each answer */
};

/*
 * Finds the device and starts it, on the virgl path where it offers that. Where that does not work, says why, resets
 * the device and takes the 2D path. A device that fails altogether is reset.
 */
int gpu_init(struct gpu *gpu, uint32_t width_px, uint32_t height_px);
/* Once gpu->control and gpu->path stand: shows a black picture of the given mode on scanout 0. */
int gpu_start(struct gpu *gpu, uint32_t width_px, uint32_t height_px);
/*
 * Transfers and flushes some rectangles of the canvas, and waits for the answers. Rectangles must lie inside the
 * canvas; at most 4. Commands are batched as BATCH says and fenced as GPU_FENCE says.
 */
int gpu_present(struct gpu *gpu, const struct canvas_rect *damage, uint32_t count);

#endif
