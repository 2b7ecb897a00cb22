#include "scene/wheel.h"

#include "scene/colour.h"
#include "scene/palette.h"
#include "scene/trig.h"

static void shade_set(struct wheel_shade *shade, uint32_t fill)
{
	shade->fill = fill;
	for (uint32_t level = 0; level <= WHEEL_LEVELS; level++)
		shade->edge[level] = colour_mix(fill, PALETTE_DIVIDER, level * COLOUR_ONE / WHEEL_LEVELS);
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

/* A line nearer to horizontal than this is drawn as if it were this far off: a fifth of a pixel at the rim. */
#define SINE_MIN 32

/* A line by the edge between segments that lies on it, in the upper half. */
static struct wheel_line line_of(const struct frame_view *view, uint32_t segment)
{
	uint32_t angle = view->spin.angle + spin_edge(segment % SPIN_SEGMENTS);
	int64_t sine = trig_sin(angle);
	/* Half the divider's width, at least three quarters of a pixel, in 1/65536 pixel. */
	int64_t half = (int64_t)view->roulette->layout.radius * TRIG_ONE / 160 + TRIG_ONE / 4;

	half = half < TRIG_ONE * 3 / 4 ? TRIG_ONE * 3 / 4 : half;
	if (sine < SINE_MIN)
		sine = SINE_MIN;
	return (struct wheel_line){
		.slope = -((int64_t)trig_cos(angle) * TRIG_ONE / sine) / 2,
		.level = view->roulette->layout.cx * TRIG_ONE,
		.outer = (int32_t)((half + TRIG_ONE / 2) * TRIG_ONE / sine),
		.inner = (int32_t)((half - TRIG_ONE / 2) * TRIG_ONE / sine),
		.sine = (int32_t)sine,
	};
}

/* From the left, the upper half goes round clockwise, the lower half counter-clockwise. */
static void lines_set(struct wheel *wheel)
{
	const struct spin *spin = &wheel->view->spin;
	uint32_t first = first_segment(spin->angle) + SPIN_SEGMENTS, leftmost = first + WHEEL_LINES - 1;

	for (uint32_t i = 0; i <= WHEEL_LINES; i++) {
		struct wheel_line *above = &wheel->lines[0][i], *below = &wheel->lines[1][i];
		uint32_t paint_above = segment_paint(spin, (leftmost - i) % SPIN_SEGMENTS);
		uint32_t paint_below = segment_paint(spin, (leftmost + i) % SPIN_SEGMENTS);

		*above = *below = (struct wheel_line){.level = INT32_MAX};
		if (i < WHEEL_LINES) {
			*above = line_of(wheel->view, leftmost - i);
			*below = line_of(wheel->view, first + i);
		}
		for (uint32_t zone = 0; zone < SEGMENT_ZONES; zone++) {
			above->left[zone] = &wheel->shades[zone][paint_above];
			below->left[zone] = &wheel->shades[zone][paint_below];
		}
	}
}

void wheel_set(struct wheel *wheel, const struct frame_view *view)
{
	wheel->view = view;
	shades_set(wheel);
	lines_set(wheel);
}
