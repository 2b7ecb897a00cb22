/*
 * A rectangle of 32-bit pixels in memory, and the fills that everything is drawn with.
 *
 * Called by the scene, on the drawing CPU or natively by the oracle. Uses integers and freestanding headers only.
 * Pixels are 0x00RRGGBB in a uint32_t of a little-endian machine: bytes B, G, R, X in memory, which is
 * VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM (VIRTIO 1.2 §5.7.6.8). The top byte is always 0.
 * canvas_span and canvas_fill clip to the canvas; coordinates may be negative or beyond it. Pieces of a row, which are
 * clipped already, are canvas_row.h's.
 */
#ifndef SCENE_CANVAS_H
#define SCENE_CANVAS_H

#include <stdint.h>

struct canvas {
	uint32_t *pixels;
	uint32_t width_px, height_px;
	uint32_t stride_px; /* pixels from one row to the next, >= width_px */
};

/* Half open: x0 <= x < x1. Empty when x1 <= x0 or y1 <= y0. */
struct canvas_rect {
	int32_t x0, y0, x1, y1;
};

void canvas_span(const struct canvas *canvas, int32_t y, int32_t x0, int32_t x1, uint32_t colour);
void canvas_fill(const struct canvas *canvas, struct canvas_rect rect, uint32_t colour);

/* The part of a that lies in b. */
struct canvas_rect canvas_clip(struct canvas_rect a, struct canvas_rect b);

#endif
