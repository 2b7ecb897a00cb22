#include "base/minmax.h"
#include "scene/colour.h"
#include "scene/roulette_scene.h"
#include "scene/trig.h"

#include <stdbool.h>
#include <stddef.h>

/* How far a disc reaches to both sides of its centre in row y, rounded up. */
static uint16_t half_chord(int32_t radius, int32_t dy2)
{
	int32_t square = 4 * radius * radius - dy2 * dy2;

	return square <= 0 ? 0 : (uint16_t)((trig_sqrt((uint32_t)square) + 2) / 2);
}

static void chords_render(struct roulette *roulette)
{
	const struct layout *layout = &roulette->layout;

	for (int32_t y = 0; y < layout->height; y++) {
		int32_t dy2 = 2 * (y - layout->cy) + 1;

		roulette->disc_half[y] = half_chord(layout->radius + 1, dy2);
		roulette->cone_half[y] = half_chord(layout->ring, dy2);
		roulette->hub_half[y] = (uint16_t)max32(half_chord(layout->hub - 1, dy2) - 1, 0);
	}
}

static backdrop_run run_of(int32_t first, int32_t behind, uint32_t shown)
{
	return (uint64_t)shown << 32 | (uint32_t)behind << 16 | (uint32_t)first;
}

/* One row while it is rendered. */
struct row {
	struct roulette *roulette;
	int32_t y;
	uint32_t felt; /* where its two colours are in backdrop_pixels */
	bool fits;     /* in the room that there is for runs and pixels */
};

/* The row's last run; NULL before the first. */
static backdrop_run *row_last(struct row *row)
{
	struct roulette *roulette = row->roulette;

	return roulette->run_count > roulette->row_runs[row->y] ? &roulette->runs[roulette->run_count - 1] : NULL;
}

static void run_append(struct row *row, backdrop_run run)
{
	if (row->roulette->run_count == BACKDROP_RUNS_MAX)
		row->fits = false;
	else
		row->roulette->runs[row->roulette->run_count++] = run;
}

static void pixel_keep(struct row *row, uint32_t pixel)
{
	if (row->roulette->backdrop_count == BACKDROP_PIXELS_MAX)
		row->fits = false;
	else
		row->roulette->backdrop_pixels[row->roulette->backdrop_count++] = pixel;
}

static void felt_append(struct row *row, int32_t x, int32_t count)
{
	backdrop_run *last = row_last(row);

	if (count <= 0)
		return;
	if (last && backdrop_run_behind(*last) == x && backdrop_run_shown(*last) == (BACKDROP_PATTERN | row->felt))
		*last = run_of(backdrop_run_first(*last), x + count, backdrop_run_shown(*last));
	else
		run_append(row, run_of(x, x + count, BACKDROP_PATTERN | row->felt));
}

/* Felt between pixels is cheaper copied with them than filled on its own, when it is short. */
#define FELT_FOLDED 24

/* Turns the felt just before x into pixels of the run that it follows, where there is such a run. */
static void fold_felt(struct row *row, int32_t x)
{
	uint32_t count = row->roulette->run_count - row->roulette->row_runs[row->y];
	backdrop_run *felt = row_last(row), *before;
	int32_t from;

	if (count < 2 || backdrop_run_behind(*felt) != x || backdrop_run_shown(*felt) != (BACKDROP_PATTERN | row->felt))
		return;
	before = felt - 1;
	from = backdrop_run_first(*felt);
	if (x - from >= FELT_FOLDED || backdrop_run_behind(*before) != from ||
	    backdrop_run_shown(*before) & BACKDROP_PATTERN)
		return;
	for (int32_t at = from; at < x; at++)
		pixel_keep(row, row->roulette->felt[row->y][at & 1]);
	*before = run_of(backdrop_run_first(*before), x, backdrop_run_shown(*before));
	row->roulette->run_count--;
}

/* From this many equal pixels on, filling is cheaper than copying. */
#define FILLED 48

/* Opaque pixels of one colour. */
static void solid_append(struct row *row, int32_t x, int32_t count, uint32_t colour)
{
	uint32_t at = row->roulette->backdrop_count;
	backdrop_run *last;

	if (count >= FILLED) {
		pixel_keep(row, colour);
		pixel_keep(row, colour);
		run_append(row, run_of(x, x + count, BACKDROP_PATTERN | at));
		return;
	}
	fold_felt(row, x);
	last = row_last(row);
	if (last && backdrop_run_behind(*last) == x && !(backdrop_run_shown(*last) & BACKDROP_PATTERN))
		*last = run_of(backdrop_run_first(*last), x + count, backdrop_run_shown(*last));
	else
		run_append(row, run_of(x, x + count, row->roulette->backdrop_count));
	while (count--)
		pixel_keep(row, colour);
}

/* Columns of a row, half open. */
struct stretch {
	int32_t x0, x1;
};
#define STRETCHES 7

/*
 * Stretches of row y that may hold more than felt or turning parts, from left to right. They may be empty, and they do
 * not overlap once each is made to begin after the one before it. The pixels between them need no test.
 */
static uint32_t stretches_of(const struct layout *layout, int32_t y, struct stretch *out)
{
	int32_t cx = layout->cx, dy2 = 2 * (y - layout->cy) + 1, diamonds = (layout->cx - layout->rim) / 2;
	int32_t shadow = half_chord(layout->rim + 2 * layout->shadow, dy2),
		edge = max32(half_chord(layout->radius - 3, dy2) - 1, 0);
	int32_t ring_out = half_chord(layout->ring + layout->radius / 64 + 4, dy2);
	int32_t ring_in = max32(half_chord(layout->ring - layout->radius / 64 - 4, dy2) - 1, 0);
	int32_t middle = half_chord(layout->hub + 5, dy2), width = 2 * layout->diamond + 1;

	if (y < layout->title.y0 - 1 || y >= layout->banner.y1)
		return 0;
	if (y < layout->title.y1 + layout->cell) {
		int32_t reach = max32(layout->rim, cx - layout->title.x0);

		out[0] = (struct stretch){cx - reach - 1, cx + reach + 2};
		return 1;
	}
	if (y >= layout->banner.y0) {
		int32_t reach = max32(shadow, cx - layout->banner.x0);

		out[0] = (struct stretch){cx - reach, cx + reach + 1};
		return 1;
	}
	/* The pointer, from the hub's middle up. */
	if (dy2 < 0 && middle < layout->radius / 8)
		middle = shadow < layout->radius / 8 ? shadow : layout->radius / 8;
	if (y < layout->cy - 3 * layout->diamond - 1 || y > layout->cy + 3 * layout->diamond)
		width = 0;
	out[0] = (struct stretch){diamonds - width, diamonds + width};
	out[1] = (struct stretch){cx - shadow, cx - edge};
	out[2] = (struct stretch){cx - ring_out, cx - ring_in};
	out[3] = (struct stretch){cx - middle, cx + middle};
	out[4] = (struct stretch){cx + ring_in, cx + ring_out};
	out[5] = (struct stretch){cx + edge, cx + shadow};
	out[6] = (struct stretch){layout->width - diamonds - width, layout->width - diamonds + width};
	return STRETCHES;
}

/* Pixels that look the same, or are felt, are appended together. */
static void stretch_render(struct row *row, int32_t x0, int32_t x1)
{
	const uint32_t *felt = row->roulette->felt[row->y];
	struct backdrop_layer layer = backdrop_pixel(row->roulette, x0, row->y), next = layer;

	for (int32_t x = x0, behind; x < x1 && row->fits; x = behind, layer = next) {
		bool is_felt = layer.rest == 0 && layer.colour == felt[x & 1];

		for (behind = x + 1; behind < x1; behind++) {
			next = backdrop_pixel(row->roulette, behind, row->y);
			if (next.rest != layer.rest || next.colour != (is_felt ? felt[behind & 1] : layer.colour))
				break;
		}
		if (is_felt)
			felt_append(row, x, behind - x);
		else if (layer.rest == 0)
			solid_append(row, x, behind - x, layer.colour);
		for (; layer.rest > 0 && layer.rest < COLOUR_ONE && x < behind; x++)
			run_append(row, run_of(x, 0, layer.colour | layer.rest << 24));
	}
}

/* What lies between stretches is all felt or all disc. */
static void row_render(struct row *row)
{
	const struct layout *layout = &row->roulette->layout;
	int32_t half = row->roulette->disc_half[row->y], x = 0;
	struct stretch stretches[STRETCHES];
	uint32_t count = stretches_of(layout, row->y, stretches);

	pixel_keep(row, row->roulette->felt[row->y][0]);
	pixel_keep(row, row->roulette->felt[row->y][1]);
	for (uint32_t i = 0; i < count && row->fits; i++) {
		int32_t x0 = max32(stretches[i].x0, x), x1 = min32(stretches[i].x1, layout->width);

		if (x0 >= x1)
			continue;
		if (x < layout->cx - half || x >= layout->cx + half)
			felt_append(row, x, x0 - x);
		stretch_render(row, x0, x1);
		x = x1;
	}
	felt_append(row, x, layout->width - x);
}

int backdrop_render(struct roulette *roulette)
{
	backdrop_felt(roulette);
	chords_render(roulette);
	roulette->run_count = 0;
	roulette->backdrop_count = 0;
	for (int32_t y = 0; y < roulette->layout.height; y++) {
		struct row row = {roulette, y, roulette->backdrop_count, true};

		roulette->row_runs[y] = roulette->run_count;
		row_render(&row);
		if (!row.fits)
			return -1;
	}
	roulette->row_runs[roulette->layout.height] = roulette->run_count;
	return 0;
}
