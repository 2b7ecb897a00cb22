#include "base/minmax.h"
#include "scene/canvas_row.h"
#include "scene/colour.h"
#include "scene/palette.h"
#include "scene/roulette_scene.h"
#include "scene/segment.h"
#include "scene/trig.h"

#include <stdbool.h>

/* A mask turned upon the picture: samples (u, v) at a pixel and their steps, in 1/65536 sample. */
struct turned {
	int32_t u, v;
	int32_t u_right, v_right, u_down, v_down;
};

#define BOUND_ONE (1ll << 32)

/*
 * A quotient, rounded up, of a number that grows by the same from row to row: one division for the first row; later
 * rows add the step. In 1/2^32, and less than 1 too large. Divisors are at most 2 * TRIG_ONE: a quotient that is not
 * whole is further from the next whole one than all that adding a picture's rows rounds off.
 */
struct bound {
	int64_t at, grows;
};

static struct bound bound_of(int32_t number, int32_t growth, int32_t by)
{
	return (struct bound){number * BOUND_ONE / by + BOUND_ONE - BOUND_ONE / (8 * TRIG_ONE),
			      growth * BOUND_ONE / by};
}

static int32_t bound_value(const struct bound *bound)
{
	return (int32_t)(bound->at >> 32);
}

static int32_t bound_next(struct bound *bound)
{
	int32_t value = bound_value(bound);

	bound->at += bound->grows;
	return value;
}

/* The columns in which a coordinate lies within the mask, 0 <= start + x * right < limit, from row to row. */
struct within {
	struct bound first, behind;
};

static struct within within_of(int32_t start, int32_t right, int32_t down, int32_t limit)
{
	if (right > 0)
		return (struct within){bound_of(-start, -down, right), bound_of(limit - start, -down, right)};
	return (struct within){bound_of(start - limit + 1, down, -right), bound_of(start + 1, down, -right)};
}

/* Rows y0 … y1 narrowed to those in which a coordinate that is the same in all of a row lies within the mask. */
static void rows_within(struct canvas_rect *box, int32_t start, int32_t down, int32_t limit)
{
	struct within rows = within_of(start, down, 0, limit);

	box->y0 = max32(bound_value(&rows.first), box->y0);
	box->y1 = min32(bound_value(&rows.behind), box->y1);
}

/* Samples along a row, where they are and how far apart. */
struct samples {
	const uint8_t *levels;
	int32_t width;
	int32_t u, v, u_right, v_right;
};

CANVAS_INLINE uint32_t sample_next(struct samples *at)
{
	uint32_t level = at->levels[(uint32_t)((at->v >> 16) * at->width + (at->u >> 16))];

	at->u += at->u_right;
	at->v += at->v_right;
	return level;
}

/* Where nothing but its segment lies below a number, paper is stored like ink. */
static void row_opaque(struct samples at, uint32_t *to, int32_t count, const uint32_t *shades)
{
	for (; count >= 4; count -= 4, to += 4) {
		to[0] = shades[sample_next(&at)];
		to[1] = shades[sample_next(&at)];
		to[2] = shades[sample_next(&at)];
		to[3] = shades[sample_next(&at)];
	}
	while (count-- > 0)
		*to++ = shades[sample_next(&at)];
}

static void row_ink(struct samples at, uint32_t *to, int32_t count, const uint32_t *shades)
{
	for (; count > 0; count--, to++) {
		uint32_t level = sample_next(&at);

		if (level)
			*to = shades[level];
	}
}

static void mask_draw(const struct frame_view *view, const struct font_mask *mask, const struct turned *turned,
		      struct canvas_rect box, const uint32_t *shades)
{
	const struct within everywhere = {{box.x0 * BOUND_ONE, 0}, {box.x1 * BOUND_ONE, 0}};
	struct within across = everywhere, down = everywhere;
	struct canvas_rect touched = canvas_clip(box, view->roulette->layout.pointer);
	bool opaque = touched.x0 >= touched.x1 || touched.y0 >= touched.y1;
	struct samples at = {mask->levels, mask->width, .u_right = turned->u_right, .v_right = turned->v_right};
	int32_t u, v;

	if (!turned->u_right)
		rows_within(&box, turned->u, turned->u_down, mask->width << 16);
	if (!turned->v_right)
		rows_within(&box, turned->v, turned->v_down, mask->height << 16);
	u = turned->u + box.y0 * turned->u_down;
	v = turned->v + box.y0 * turned->v_down;
	if (turned->u_right)
		across = within_of(u, turned->u_right, turned->u_down, mask->width << 16);
	if (turned->v_right)
		down = within_of(v, turned->v_right, turned->v_down, mask->height << 16);
	for (int32_t y = box.y0; y < box.y1; y++, u += turned->u_down, v += turned->v_down) {
		int32_t x0 = max32(max32(bound_next(&across.first), bound_next(&down.first)), box.x0);
		int32_t x1 = min32(min32(bound_next(&across.behind), bound_next(&down.behind)), box.x1);
		uint32_t *to;

		if (x0 >= x1)
			continue;
		to = canvas_row(view->canvas, y) + x0;
		at.u = u + x0 * turned->u_right;
		at.v = v + x0 * turned->v_right;
		if (opaque)
			row_opaque(at, to, x1 - x0, shades);
		else
			row_ink(at, to, x1 - x0, shades);
	}
}

static void label_draw(const struct frame_view *view, uint32_t segment, struct canvas_rect clip)
{
	const struct layout *layout = &view->roulette->layout;
	const struct font_mask *mask = &view->roulette->labels[segment];
	uint32_t middle = view->spin.angle + spin_edge(segment) + TRIG_TURN / SPIN_SEGMENTS / 2;
	int32_t cosine = trig_cos(middle), sine = trig_sin(middle), samples = 2;
	int32_t distance = layout->radius * 51 / 64;
	/* The label's centre, in 1/65536 pixel. */
	int64_t x = (int64_t)layout->cx * TRIG_ONE + (int64_t)cosine * distance;
	int64_t y = (int64_t)layout->cy * TRIG_ONE - (int64_t)sine * distance;
	int32_t across = (abs32(sine) / 2 * mask->width + abs32(cosine) / 2 * mask->height) / samples;
	int32_t down = (abs32(cosine) / 2 * mask->width + abs32(sine) / 2 * mask->height) / samples;
	struct canvas_rect box = {(int32_t)((x - across) >> 16), (int32_t)((y - down) >> 16),
				  (int32_t)((x + across) >> 16) + 2, (int32_t)((y + down) >> 16) + 2};
	struct turned turned = {.u_right = samples * sine,
				.u_down = samples * cosine,
				.v_right = -samples * cosine,
				.v_down = samples * sine};
	enum segment_paint paint = segment_paint(&view->spin, segment);
	uint32_t paper = segment_colour(&view->spin, SEGMENT_NUMBERS, paint);
	uint32_t ink = paint == SEGMENT_LIT ? PALETTE_OUTLINE : PALETTE_IVORY;
	uint32_t shades[FONT_LEVELS + 1];

	for (uint32_t level = 0; level <= FONT_LEVELS; level++)
		shades[level] = colour_mix(paper, ink, level * COLOUR_ONE / FONT_LEVELS);
	/* From the label's centre, which is the mask's, to the middle of pixel (0, 0). */
	x = TRIG_ONE / 2 - x;
	y = TRIG_ONE / 2 - y;
	turned.u = mask->width * TRIG_ONE / 2 + (int32_t)((x * turned.u_right + y * turned.u_down) >> 16);
	turned.v = mask->height * TRIG_ONE / 2 + (int32_t)((x * turned.v_right + y * turned.v_down) >> 16);
	mask_draw(view, mask, &turned, canvas_clip(box, clip), shades);
}

void label_draw_all(const struct frame_view *view, struct canvas_rect clip)
{
	for (uint32_t segment = 0; segment < SPIN_SEGMENTS; segment++)
		label_draw(view, segment, clip);
}
