#include "scene/canvas.h"

#include "options.h"

/* Two pixels at a time, at any alignment of four: attributes tell the compiler what memcpy would. */
typedef uint64_t canvas_pair __attribute__((aligned(4), may_alias));

static int32_t max32(int32_t a, int32_t b)
{
	return a > b ? a : b;
}

static int32_t min32(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

struct canvas_rect canvas_clip(struct canvas_rect a, struct canvas_rect b)
{
	return (struct canvas_rect){max32(a.x0, b.x0), max32(a.y0, b.y0), min32(a.x1, b.x1), min32(a.y1, b.y1)};
}

uint32_t *canvas_row(const struct canvas *canvas, int32_t y)
{
	return canvas->pixels + (uint64_t)(uint32_t)y * canvas->stride_px;
}

/* Unrolled by hand: -O2 does not, and a loop of one store is half loop. */
static inline void store_four(canvas_pair *to, uint64_t pair)
{
	to[0] = pair;
	to[1] = pair;
	to[2] = pair;
	to[3] = pair;
}

static inline void copy_four(canvas_pair *to, const canvas_pair *from)
{
	to[0] = from[0];
	to[1] = from[1];
	to[2] = from[2];
	to[3] = from[3];
}

static void weave_fast(uint32_t *to, int32_t count, uint32_t first, uint32_t second)
{
	uint64_t pair = (uint64_t)second << 32 | first;
	canvas_pair *wide = (canvas_pair *)to;

	for (; count >= 32; count -= 32, wide += 16) {
		store_four(wide, pair);
		store_four(wide + 4, pair);
		store_four(wide + 8, pair);
		store_four(wide + 12, pair);
	}
	for (; count >= 8; count -= 8, wide += 4)
		store_four(wide, pair);
	for (; count >= 2; count -= 2)
		*wide++ = pair;
	if (count > 0)
		*(uint32_t *)wide = first;
}

static void copy_fast(uint32_t *to, const uint32_t *from, int32_t count)
{
	canvas_pair *wide = (canvas_pair *)to;
	const canvas_pair *source = (const canvas_pair *)from;

	for (; count >= 16; count -= 16, wide += 8, source += 8) {
		copy_four(wide, source);
		copy_four(wide + 4, source + 4);
	}
	for (; count >= 2; count -= 2)
		*wide++ = *source++;
	if (count > 0)
		*(uint32_t *)wide = *(const uint32_t *)source;
}

void canvas_row_weave(uint32_t *to, int32_t count, uint32_t first, uint32_t second)
{
	if (OPTION(FILL) == OPTION_FILL_fast) {
		weave_fast(to, count, first, second);
		return;
	}
	for (int32_t i = 0; i < count; i++)
		*(volatile uint32_t *)(to + i) = i & 1 ? second : first;
}

void canvas_row_fill(uint32_t *to, int32_t count, uint32_t colour)
{
	canvas_row_weave(to, count, colour, colour);
}

void canvas_row_copy(uint32_t *to, const uint32_t *from, int32_t count)
{
	if (OPTION(FILL) == OPTION_FILL_fast) {
		copy_fast(to, from, count);
		return;
	}
	for (int32_t i = 0; i < count; i++)
		*(volatile uint32_t *)(to + i) = from[i];
}

void canvas_span(const struct canvas *canvas, int32_t y, int32_t x0, int32_t x1, uint32_t colour)
{
	if (y < 0 || y >= (int32_t)canvas->height_px)
		return;
	x0 = max32(x0, 0);
	x1 = min32(x1, (int32_t)canvas->width_px);
	if (x0 < x1)
		canvas_row_fill(canvas_row(canvas, y) + x0, x1 - x0, colour);
}

void canvas_fill(const struct canvas *canvas, struct canvas_rect rect, uint32_t colour)
{
	int32_t y1 = min32(rect.y1, (int32_t)canvas->height_px);

	for (int32_t y = max32(rect.y0, 0); y < y1; y++)
		canvas_span(canvas, y, rect.x0, rect.x1, colour);
}
