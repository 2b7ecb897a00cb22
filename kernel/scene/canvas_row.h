/*
 * Pieces of a row: fills, patterns and copies that everything drawn ends in.
 *
 * They are inline, in straight runs of stores, because they are most of the work: an emulator translates block by
 * block, so a call, a return or one turn of a loop costs as much as the two pixels that a store writes. The caller has
 * clipped; nothing is touched when count <= 0. Any alignment of four bytes will do.
 */
#ifndef SCENE_CANVAS_ROW_H
#define SCENE_CANVAS_ROW_H

#include "options.h"
#include "scene/canvas.h"

/* Two pixels at a time, at any alignment of four: attributes tell the compiler what memcpy would. */
typedef uint64_t canvas_pair __attribute__((aligned(4), may_alias));

#define CANVAS_INLINE static inline __attribute__((always_inline))

/* The pixel at (0, y), which must lie on the canvas. */
CANVAS_INLINE uint32_t *canvas_row(const struct canvas *canvas, int32_t y)
{
	return canvas->pixels + (uint64_t)(uint32_t)y * canvas->stride_px;
}

CANVAS_INLINE void canvas_store_eight(uint32_t *to, uint64_t pair)
{
	canvas_pair *wide = (canvas_pair *)to;

	wide[0] = pair;
	wide[1] = pair;
	wide[2] = pair;
	wide[3] = pair;
}

CANVAS_INLINE void canvas_store_many(uint32_t *to, uint64_t pair)
{
	canvas_store_eight(to, pair);
	canvas_store_eight(to + 8, pair);
	canvas_store_eight(to + 16, pair);
	canvas_store_eight(to + 24, pair);
}

CANVAS_INLINE void canvas_copy_eight(uint32_t *to, const uint32_t *from)
{
	canvas_pair *wide = (canvas_pair *)to;
	const canvas_pair *source = (const canvas_pair *)from;

	wide[0] = source[0];
	wide[1] = source[1];
	wide[2] = source[2];
	wide[3] = source[3];
}

CANVAS_INLINE void canvas_pattern_few(uint32_t *to, int32_t count, uint64_t pair)
{
	for (; count >= 2; count -= 2, to += 2)
		*(canvas_pair *)to = pair;
	if (count > 0)
		*to = (uint32_t)pair;
}

/* Eight pixels and more; the last eight may overlap earlier ones, so that no remainder is left. */
CANVAS_INLINE void canvas_pattern_fast(uint32_t *to, uint32_t *last, uint64_t pair, uint64_t last_pair)
{
	for (; last - to > 24; to += 32)
		canvas_store_many(to, pair);
	for (; to < last; to += 8)
		canvas_store_eight(to, pair);
	canvas_store_eight(last, last_pair);
}

CANVAS_INLINE void canvas_copy_fast(uint32_t *to, const uint32_t *from, int32_t count)
{
	uint32_t *last = to + count - 8;
	const uint32_t *source = from + count - 8;

	for (; to + 8 < last; to += 16, from += 16) {
		canvas_copy_eight(to, from);
		canvas_copy_eight(to + 8, from + 8);
	}
	if (to < last)
		canvas_copy_eight(to, from);
	canvas_copy_eight(last, source);
}

/* count pixels that alternate between two colours, the first one first. */
CANVAS_INLINE void canvas_row_pattern(uint32_t *to, int32_t count, uint32_t first, uint32_t second)
{
	uint64_t pair = (uint64_t)second << 32 | first, swapped = (uint64_t)first << 32 | second;

	if (OPTION(FILL) == OPTION_FILL_pixel) {
		for (int32_t i = 0; i < count; i++)
			*(volatile uint32_t *)(to + i) = i & 1 ? second : first;
		return;
	}
	if (count >= 8)
		canvas_pattern_fast(to, to + count - 8, pair, count & 1 ? swapped : pair);
	else
		canvas_pattern_few(to, count, pair);
}

/* The same, for stretches that are usually long. */
CANVAS_INLINE void canvas_row_pattern_long(uint32_t *to, int32_t count, uint32_t first, uint32_t second)
{
	if (OPTION(FILL) != OPTION_FILL_pixel) {
		for (; count >= 64 + 8; count -= 64, to += 64) {
			canvas_store_many(to, (uint64_t)second << 32 | first);
			canvas_store_many(to + 32, (uint64_t)second << 32 | first);
		}
	}
	canvas_row_pattern(to, count, first, second);
}

/* count pixels of one colour. */
CANVAS_INLINE void canvas_row_fill(uint32_t *to, int32_t count, uint32_t colour)
{
	uint64_t pair = (uint64_t)colour << 32 | colour;

	if (OPTION(FILL) == OPTION_FILL_pixel)
		canvas_row_pattern(to, count, colour, colour);
	else if (count >= 8)
		canvas_pattern_fast(to, to + count - 8, pair, pair);
	else
		canvas_pattern_few(to, count, pair);
}

/* As canvas_row_fill, where there are usually fewer than eight. */
CANVAS_INLINE void canvas_row_few(uint32_t *to, int32_t count, uint32_t colour)
{
	if (OPTION(FILL) == OPTION_FILL_pixel)
		canvas_row_pattern(to, count, colour, colour);
	else
		canvas_pattern_few(to, count, (uint64_t)colour << 32 | colour);
}

CANVAS_INLINE void canvas_row_copy(uint32_t *to, const uint32_t *from, int32_t count)
{
	if (OPTION(FILL) == OPTION_FILL_pixel) {
		for (int32_t i = 0; i < count; i++)
			*(volatile uint32_t *)(to + i) = from[i];
		return;
	}
	if (count >= 8) {
		canvas_copy_fast(to, from, count);
		return;
	}
	for (; count >= 2; count -= 2, to += 2, from += 2)
		*(canvas_pair *)to = *(const canvas_pair *)from;
	if (count > 0)
		*to = *from;
}

#endif
