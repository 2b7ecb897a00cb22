/*
 * The frame stamp: one row of cells in a strip at the top of the picture and one at its bottom, readable by a machine
 * from a screenshot. A strip that was transferred with another frame's picture betrays a tear.
 *
 * A strip is FRAMESTAMP_HEIGHT rows high, as wide as the picture, and of the colour of a 0. From its left edge it
 * holds FRAMESTAMP_CELLS cells, FRAMESTAMP_CELL_WIDTH pixels wide and as high as the strip; a cell is one bit, the most
 * significant first: 8 bits of sync, 32 of frame number, 32 of CRC-32 over frame, width, height and strip (0 top, 1
 * bottom), each as a 32-bit little-endian word. Both colours are greys, so that a swap of channels cannot change them.
 */
#ifndef SCENE_FRAMESTAMP_H
#define SCENE_FRAMESTAMP_H

#include "scene/canvas.h"

#include <stdint.h>

#define FRAMESTAMP_HEIGHT 4
#define FRAMESTAMP_CELL_WIDTH 4
#define FRAMESTAMP_CELLS 72
#define FRAMESTAMP_WIDTH (FRAMESTAMP_CELLS * FRAMESTAMP_CELL_WIDTH)
#define FRAMESTAMP_SYNC 0xb2u
#define FRAMESTAMP_ZERO 0x161616u
#define FRAMESTAMP_ONE 0x3a3a3au

enum framestamp_strip {
	FRAMESTAMP_TOP = 0,
	FRAMESTAMP_BOTTOM = 1,
};

/* CRC-32 of IEEE 802.3 (reflected 0x04c11db7, initial and final complement) as zlib computes it; start with crc 0. */
uint32_t framestamp_crc32(uint32_t crc, const void *bytes, uint64_t length);
uint32_t framestamp_crc(uint32_t frame, uint32_t width_px, uint32_t height_px, enum framestamp_strip strip);

/* Draws one strip; the canvas must be at least FRAMESTAMP_WIDTH wide. */
void framestamp_draw(const struct canvas *canvas, uint32_t frame, enum framestamp_strip strip);
/* The cells of one strip: all that changes with the frame. */
struct canvas_rect framestamp_rect(uint32_t height_px, enum framestamp_strip strip);

#endif
