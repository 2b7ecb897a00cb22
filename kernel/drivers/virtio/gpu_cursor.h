/*
 * The hardware cursor of virtio-gpu (VIRTIO 1.2 §5.7.6.10), CURSOR=hw: an image of 64x64 pixels that the device lays
 * over its scanout, on a queue of its own.
 *
 * The two queues have no order between them: what a cursor command needs of the control queue must have been answered
 * before it is sent. Context: boot CPU. Failures are printed on one line.
 */
#ifndef DRIVERS_VIRTIO_GPU_CURSOR_H
#define DRIVERS_VIRTIO_GPU_CURSOR_H

#include "drivers/virtio/gpu.h"

#include <stdint.h>

#define GPU_CURSOR_PX 64u
#define GPU_CURSOR_RESOURCE 2u

/* §5.7.6.10: as the device reads it. */
struct gpu_cursor_command {
	struct gpu_header header;
	struct {
		uint32_t scanout, x, y, padding;
	} position;
	uint32_t resource, hot_x, hot_y, padding;
};

struct gpu_cursor {
	struct gpu *gpu;
	struct transport_queue queue;
	struct gpu_cursor_command *command;
	uint32_t *pixels; /* GPU_CURSOR_PX rows of as many: B, G, R and opacity, multiplied already */
	uint32_t hot_x, hot_y;
};

/* The cursor of the one scanout. */
extern struct gpu_cursor gpu_cursor;

/* Sets up the queue. Between transport_probe and transport_ready. */
int gpu_cursor_open(struct gpu_cursor *cursor, struct gpu *gpu);
/* Once the queue stands and the pixels are painted: creates the image and shows it with its hot spot at x, y. */
int gpu_cursor_show(struct gpu_cursor *cursor, uint32_t x, uint32_t y);
/* Moves its hot spot, and waits until the device has done it. */
int gpu_cursor_move(struct gpu_cursor *cursor, uint32_t x, uint32_t y);

#endif
