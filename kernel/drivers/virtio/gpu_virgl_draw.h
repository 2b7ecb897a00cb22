/*
 * DRAW=gpu: the host's renderer draws, told by SUBMIT_3D (VIRTIO 1.2 §5.7.6.9). A frame is vertices, which travel in
 * the command, and batches of them; no pixel of it is transferred.
 *
 * Call gpu_draw_start once after gpu_init; then for each frame gpu_draw_frame, and gpu_present, whose rectangle the
 * renderer draws within. Context: boot CPU. Failures are printed on one line and returned as a negative enum error.
 *
 * QEMU does not tell a guest that the renderer refused a command: it then draws nothing, which only pixels read back
 * can show (gpu_draw_read).
 */
#ifndef DRIVERS_VIRTIO_GPU_VIRGL_DRAW_H
#define DRIVERS_VIRTIO_GPU_VIRGL_DRAW_H

#include "drivers/virtio/gpu.h"
#include "drivers/virtio/gpu_virgl_shaders.h"

#include <stdint.h>

#define GPU_DRAW_TEXTURE_RESOURCE 3u
#define GPU_DRAW_VERTEX_RESOURCE 4u

/* As the renderer reads it. Position and coordinates in 1/65536; colours 0xAARRGGBB, multiplied by their opacity. */
struct gpu_draw_vertex {
	int32_t x, y;
	int32_t u, v;
	uint32_t first, second;
};

/* Triangles that one shader draws: `count` vertices. */
struct gpu_draw_batch {
	enum virgl_fragment_shader shader;
	uint32_t first, count;
};

/* Uploads the one texture, B8G8R8A8, and creates all objects. vertices_max, batches_max: of any frame. */
int gpu_draw_start(struct gpu *gpu, const struct gpu_framebuffer *texture, uint32_t vertices_max, uint32_t batches_max);
/* What later calls of gpu_present draw, in the order of the batches. */
int gpu_draw_frame(const struct gpu_draw_vertex *vertices, uint32_t vertex_count, const struct gpu_draw_batch *batches,
		   uint32_t batch_count);
/* Has that frame drawn now, whole, without showing it. */
int gpu_draw_unseen(struct gpu *gpu);
/* Reads a rectangle of the picture back into the framebuffer. */
int gpu_draw_read(struct gpu *gpu, const struct gpu_rectangle *rectangle);
/* gpu_virgl_renderer.c: who draws. */
int gpu_draw_renderer_print(struct gpu *gpu);

#endif
