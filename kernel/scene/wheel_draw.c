#include "base/minmax.h"
#include "scene/canvas_row.h"
#include "scene/palette.h"
#include "scene/trig.h"
#include "scene/wheel.h"

/* Where one line crosses a row, and the pixels of its band, half open. */
struct crossing {
	int64_t centre;
	int64_t begin, end;
};

/* Columns of a row that lie in one zone, half open. */
struct stretch {
	int64_t x0, x1;
	enum segment_zone zone;
};
#define STRETCHES 4

/* The first pixel whose middle is not left of a position. */
static int64_t pixel_at(int64_t position)
{
	return (position + TRIG_ONE / 2 - 1) >> 16;
}

/* A line that is almost level crosses far outside the picture: in 64 bits nothing needs to be kept within bounds. */
CANVAS_INLINE struct crossing cross(const struct wheel_line *line, int64_t dy2)
{
	int64_t centre = line->level + line->slope * dy2;

	return (struct crossing){centre, pixel_at(centre - line->outer), pixel_at(centre + line->outer)};
}

/* Coverage at the middle of a pixel that lies so far inside the band, plus half a level to round; TRIG_ONE is all. */
static int64_t cover_at(int64_t inside, int64_t sine)
{
	return (inside * sine >> 16) + TRIG_ONE / WHEEL_LEVELS / 2;
}

/* The part of a band that lies in x … x1. */
CANVAS_INLINE void band_draw(struct crossing at, const struct wheel_line *line, enum segment_zone zone, uint32_t *row,
			     int64_t x, int64_t x1)
{
	const uint32_t *left = line[0].left[zone]->edge, *right = line[1].left[zone]->edge;
	int64_t sine = line->sine, outset = line->outer + TRIG_ONE / 2;
	int64_t full = clamp64(pixel_at(at.centre - line->inner), x, x1);
	int64_t fade = clamp64(pixel_at(at.centre + line->inner), full, x1), end = at.end < x1 ? at.end : x1;
	int64_t cover = cover_at(x * TRIG_ONE - at.centre + outset, sine);

	for (; x < full; x++, cover += sine)
		row[x] = left[cover >> 12];
	canvas_row_few(row + full, (int32_t)(fade - full), PALETTE_DIVIDER);
	cover = cover_at(at.centre - fade * TRIG_ONE + outset - TRIG_ONE, sine);
	for (x = fade; x < end; x++, cover -= sine)
		row[x] = right[cover >> 12];
}

/* From left to right: segment, divider, segment … */
static void stretches_draw(const struct stretch *stretches, const struct wheel_line *line, int64_t dy2, uint32_t *row)
{
	struct crossing at = cross(line, dy2);

	for (const struct stretch *stretch = stretches; stretch < stretches + STRETCHES; stretch++) {
		int64_t x = stretch->x0, x1 = stretch->x1;

		while (x < x1) {
			int64_t begin;

			while (at.end <= x)
				at = cross(++line, dy2);
			begin = at.begin < x1 ? at.begin : x1;
			if (x < begin) {
				canvas_row_fill(row + x, (int32_t)(begin - x), line->left[stretch->zone]->fill);
				x = begin;
			}
			if (x < x1) {
				band_draw(at, line, stretch->zone, row, x, x1);
				x = at.end;
			}
		}
	}
}

static void row_draw(const struct wheel *wheel, int32_t y, int32_t x0, int32_t x1)
{
	const struct roulette *roulette = wheel->view->roulette;
	int64_t cx = roulette->layout.cx, dy2 = 2 * (y - roulette->layout.cy) + 1;
	int64_t disc0 = clamp64(cx - roulette->disc_half[y], x0, x1);
	int64_t disc1 = clamp64(cx + roulette->disc_half[y], disc0, x1);
	int64_t cone0 = clamp64(cx - roulette->cone_half[y], disc0, disc1);
	int64_t cone1 = clamp64(cx + roulette->cone_half[y], cone0, disc1);
	int64_t hub0 = clamp64(cx - roulette->hub_half[y], cone0, cone1);
	int64_t hub1 = clamp64(cx + roulette->hub_half[y], hub0, cone1);
	const struct stretch stretches[STRETCHES] = {{disc0, cone0, SEGMENT_NUMBERS},
						     {cone0, hub0, SEGMENT_CONE},
						     {hub1, cone1, SEGMENT_CONE},
						     {cone1, disc1, SEGMENT_NUMBERS}};

	stretches_draw(stretches, wheel->lines[dy2 < 0 ? 0 : 1], dy2, canvas_row(wheel->view->canvas, y));
}

void wheel_draw(const struct frame_view *view, struct canvas_rect clip)
{
	struct wheel wheel;

	wheel_set(&wheel, view);
	clip = canvas_clip(clip, view->roulette->layout.disc);
	for (int32_t y = clip.y0; y < clip.y1; y++)
		row_draw(&wheel, y, clip.x0, clip.x1);
}
