#include "scene/colour.h"
#include "scene/palette.h"
#include "scene/roulette_scene.h"
#include "scene/segment.h"
#include "scene/trig.h"

/*
 * The twelve edges between segments lie on six lines through the centre, so every row crosses each line once, and the
 * colours alternate from crossing to crossing. A line is a divider: a band whose sides are antialiased over the width
 * that one pixel of distance takes along a row. Positions along a row are in 1/65536 pixel.
 */
#define LINES (SPIN_SEGMENTS / 2)
#define LEVELS 16

struct shade {
	uint32_t fill;
	uint32_t edge[LEVELS + 1]; /* from the segment's colour to the divider's */
};

struct line {
	int64_t slope;        /* of its crossing, for each half row below the centre */
	int32_t outer, inner; /* from the crossing to where the band's coverage ends, and to where it is full */
	int32_t sine;         /* coverage gained for each pixel along the row */
};

struct wheel {
	const struct frame_view *view;
	struct line lines[LINES]; /* counter-clockwise from the right, in the upper half */
	struct shade shades[SEGMENT_ZONES][SEGMENT_PAINTS];
	/* Of the segments from left to right, above the centre (0) and below it (1). */
	const struct shade *order[2][SEGMENT_ZONES][LINES + 1];
};

/* Where one line crosses a row, and the pixels of its band, half open. */
struct crossing {
	const struct line *line;
	int32_t centre;
	int32_t begin, end;
};

static void shade_set(struct shade *shade, uint32_t fill)
{
	shade->fill = fill;
	for (uint32_t level = 0; level <= LEVELS; level++)
		shade->edge[level] = colour_mix(fill, PALETTE_DIVIDER, level * COLOUR_ONE / LEVELS);
}

static void shades_set(struct wheel *wheel)
{
	for (uint32_t zone = 0; zone < SEGMENT_ZONES; zone++) {
		for (uint32_t paint = 0; paint < SEGMENT_PAINTS; paint++)
			shade_set(
				&wheel->shades[zone][paint],
				segment_colour(&wheel->view->spin, (enum segment_zone)zone, (enum segment_paint)paint));
	}
}

/* The segment whose edge is the first one counter-clockwise of the right. */
static uint32_t first_segment(uint32_t angle)
{
	uint32_t first = 0;

	for (uint32_t i = 1; i < SPIN_SEGMENTS; i++) {
		if (((angle + spin_edge(i)) & (TRIG_TURN - 1)) < ((angle + spin_edge(first)) & (TRIG_TURN - 1)))
			first = i;
	}
	return first;
}

/* From the left, the upper half goes round clockwise, the lower half counter-clockwise. */
static void order_set(struct wheel *wheel, uint32_t first)
{
	for (uint32_t i = 0; i <= LINES; i++) {
		uint32_t left = first + LINES - 1;
		uint32_t above = (left + SPIN_SEGMENTS - i) % SPIN_SEGMENTS, below = (left + i) % SPIN_SEGMENTS;

		for (uint32_t zone = 0; zone < SEGMENT_ZONES; zone++) {
			const struct shade *shades = wheel->shades[zone];

			wheel->order[0][zone][i] = &shades[segment_paint(&wheel->view->spin, above)];
			wheel->order[1][zone][i] = &shades[segment_paint(&wheel->view->spin, below)];
		}
	}
}

/* A line nearer to horizontal than this is drawn as if it were this far off: a fifth of a pixel at the rim. */
#define SINE_MIN 32
/* Crossings further out than this many pixels meet no picture, nor do their bands. */
#define CROSSING_MAX 8192

static void lines_set(struct wheel *wheel, uint32_t first)
{
	/* Half the divider's width, at least three quarters of a pixel, in 1/65536 pixel. */
	int64_t half = (int64_t)wheel->view->roulette->layout.radius * TRIG_ONE / 160 + TRIG_ONE / 4;

	half = half < TRIG_ONE * 3 / 4 ? TRIG_ONE * 3 / 4 : half;
	for (uint32_t i = 0; i < LINES; i++) {
		uint32_t at = wheel->view->spin.angle + spin_edge((first + i) % SPIN_SEGMENTS);
		int64_t sine = trig_sin(at);

		if (sine < SINE_MIN)
			sine = SINE_MIN;
		wheel->lines[i] = (struct line){
			.slope = -((int64_t)trig_cos(at) * TRIG_ONE / sine) / 2,
			.outer = (int32_t)((half + TRIG_ONE / 2) * TRIG_ONE / sine),
			.inner = (int32_t)((half - TRIG_ONE / 2) * TRIG_ONE / sine),
			.sine = (int32_t)sine,
		};
	}
}

/* The first pixel whose middle is not left of a position. */
static int32_t pixel_at(int32_t position)
{
	return (position + TRIG_ONE / 2 - 1) >> 16;
}

static void cross(struct crossing *crossing, const struct line *line, int32_t cx, int32_t dy2)
{
	int64_t exact = (int64_t)cx * TRIG_ONE + line->slope * dy2;
	int32_t limit = CROSSING_MAX * TRIG_ONE;

	crossing->line = line;
	crossing->centre = exact < -limit ? -limit : exact > limit ? limit : (int32_t)exact;
	crossing->begin = pixel_at(crossing->centre - line->outer);
	crossing->end = pixel_at(crossing->centre + line->outer);
}

static int32_t between(int32_t value, int32_t low, int32_t high)
{
	return value < low ? low : value > high ? high : value;
}

/* Coverage at the middle of a pixel that lies so far inside the band, plus half a level to round; TRIG_ONE is all. */
static int32_t cover_at(int32_t inside, int32_t sine)
{
	return (int32_t)((int64_t)inside * sine >> 16) + TRIG_ONE / LEVELS / 2;
}

/* The part of a band that lies in x … x1. */
static void band_draw(const struct crossing *c, uint32_t *row, int32_t x, int32_t x1, const struct shade *left,
		      const struct shade *right)
{
	const struct line *line = c->line;
	int32_t full = pixel_at(c->centre - line->inner), fade = pixel_at(c->centre + line->inner), end = c->end;
	int32_t sine = line->sine, outset = line->outer + TRIG_ONE / 2;
	/* At the first pixel of each side, whether it is drawn here or not. */
	int32_t rise = cover_at(c->begin * TRIG_ONE - c->centre + outset, sine);
	int32_t fall = cover_at(c->centre - fade * TRIG_ONE + outset - TRIG_ONE, sine);

	rise += (x - c->begin) * sine;
	if (x != c->begin || end > x1) {
		fall += fade * sine;
		full = between(full, x, x1);
		fade = between(fade, full, x1);
		end = between(end, fade, x1);
		fall -= fade * sine;
	}
	for (; x < full; x++, rise += sine)
		row[x] = left->edge[rise >> 12];
	for (; x < fade; x++)
		row[x] = PALETTE_DIVIDER;
	for (; x < end; x++, fall -= sine)
		row[x] = right->edge[fall >> 12];
}

/* One stretch of a row, from left to right: segment, divider, segment … Returns the line that it ended before. */
static uint32_t stretch_draw(const struct crossing *crossings, const struct shade *const *shades, uint32_t i,
			     uint32_t *row, int32_t x, int32_t x1)
{
	while (x < x1) {
		int32_t begin;

		while (i < LINES && crossings[i].end <= x)
			i++;
		begin = i < LINES && crossings[i].begin < x1 ? crossings[i].begin : x1;
		if (begin > x)
			canvas_row_fill(row + x, begin - x, shades[i]->fill);
		if (begin == x1)
			break;
		band_draw(&crossings[i], row, begin > x ? begin : x, x1, shades[i], shades[i + 1]);
		x = crossings[i].end;
	}
	return i;
}

static void row_draw(const struct wheel *wheel, int32_t y, int32_t x0, int32_t x1)
{
	const struct roulette *roulette = wheel->view->roulette;
	int32_t cx = roulette->layout.cx, dy2 = 2 * (y - roulette->layout.cy) + 1;
	uint32_t half = dy2 < 0 ? 0 : 1, i;
	const struct shade *const *numbers = wheel->order[half][SEGMENT_NUMBERS];
	const struct shade *const *cone = wheel->order[half][SEGMENT_CONE];
	int32_t disc0 = between(cx - roulette->disc_half[y], x0, x1);
	int32_t disc1 = between(cx + roulette->disc_half[y], disc0, x1);
	int32_t cone0 = between(cx - roulette->cone_half[y], disc0, disc1);
	int32_t cone1 = between(cx + roulette->cone_half[y], cone0, disc1);
	int32_t hub0 = between(cx - roulette->hub_half[y], cone0, cone1);
	int32_t hub1 = between(cx + roulette->hub_half[y], hub0, cone1);
	struct crossing crossings[LINES];
	uint32_t *row = canvas_row(wheel->view->canvas, y);

	for (i = 0; i < LINES; i++)
		cross(&crossings[i], &wheel->lines[half ? i : LINES - 1 - i], cx, dy2);
	i = stretch_draw(crossings, numbers, 0, row, disc0, cone0);
	i = stretch_draw(crossings, cone, i, row, cone0, hub0);
	i = stretch_draw(crossings, cone, i, row, hub1, cone1);
	stretch_draw(crossings, numbers, i, row, cone1, disc1);
}

void wheel_draw(const struct frame_view *view, struct canvas_rect clip)
{
	const struct roulette *roulette = view->roulette;
	uint32_t first = first_segment(view->spin.angle);
	struct wheel wheel;

	wheel.view = view;
	shades_set(&wheel);
	lines_set(&wheel, first);
	order_set(&wheel, first);
	for (int32_t y = clip.y0; y < clip.y1; y++) {
		int32_t half = roulette->disc_half[y], cx = roulette->layout.cx;
		int32_t x0 = view->turning_only ? between(cx - half, clip.x0, clip.x1) : clip.x0;
		int32_t x1 = view->turning_only ? between(cx + half, clip.x0, clip.x1) : clip.x1;

		if (half)
			row_draw(&wheel, y, x0, x1);
		art_draw_row(roulette, canvas_row(view->canvas, y), y, x0, x1);
	}
}
