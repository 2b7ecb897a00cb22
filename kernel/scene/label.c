#include "scene/colour.h"
#include "scene/palette.h"
#include "scene/roulette_scene.h"
#include "scene/segment.h"
#include "scene/trig.h"

/* A mask turned upon the picture: samples (u, v) at a pixel and their steps, in 1/65536 sample. */
struct turned {
	int64_t u, v;
	int64_t u_right, v_right, u_down, v_down;
};

static int64_t floor_divide(int64_t value, int64_t by)
{
	int64_t quotient = value / by;

	return quotient * by != value && (value < 0) != (by < 0) ? quotient - 1 : quotient;
}

/* Narrows [*x0, *x1) to where 0 <= start + x * step < limit. */
static void narrow(int64_t start, int64_t step, int64_t limit, int32_t *x0, int32_t *x1)
{
	int64_t from, to;

	if (step == 0) {
		if (start < 0 || start >= limit)
			*x1 = *x0;
		return;
	}
	if (step > 0) {
		from = -floor_divide(start, step);
		to = -floor_divide(start - limit, step);
	} else {
		from = floor_divide(limit - start, step) + 1;
		to = floor_divide(-start, step) + 1;
	}
	*x0 = from > *x0 ? (from < *x1 ? (int32_t)from : *x1) : *x0;
	*x1 = to < *x1 ? (to > *x0 ? (int32_t)to : *x0) : *x1;
}

static void mask_draw(const struct canvas *canvas, const struct font_mask *mask, struct turned turned,
		      struct canvas_rect box, const uint32_t *shades)
{
	for (int32_t y = box.y0; y < box.y1; y++) {
		int64_t u = turned.u + y * turned.u_down, v = turned.v + y * turned.v_down;
		uint32_t *row = canvas_row(canvas, y);
		int32_t x0 = box.x0, x1 = box.x1;

		narrow(u, turned.u_right, (int64_t)mask->width << 16, &x0, &x1);
		narrow(v, turned.v_right, (int64_t)mask->height << 16, &x0, &x1);
		u += x0 * turned.u_right;
		v += x0 * turned.v_right;
		for (int32_t x = x0; x < x1; x++, u += turned.u_right, v += turned.v_right) {
			uint8_t level = mask->levels[(v >> 16) * mask->width + (u >> 16)];

			if (level)
				row[x] = shades[level];
		}
	}
}

static int32_t magnitude(int32_t value)
{
	return value < 0 ? -value : value;
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
	int32_t across = (magnitude(sine) / 2 * mask->width + magnitude(cosine) / 2 * mask->height) / samples;
	int32_t down = (magnitude(cosine) / 2 * mask->width + magnitude(sine) / 2 * mask->height) / samples;
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
	turned.u = (int64_t)mask->width * TRIG_ONE / 2 + ((x * turned.u_right + y * turned.u_down) >> 16);
	turned.v = (int64_t)mask->height * TRIG_ONE / 2 + ((x * turned.v_right + y * turned.v_down) >> 16);
	mask_draw(view->canvas, mask, turned, canvas_clip(box, clip), shades);
}

void label_draw_all(const struct frame_view *view, struct canvas_rect clip)
{
	for (uint32_t segment = 0; segment < SPIN_SEGMENTS; segment++)
		label_draw(view, segment, clip);
}
