#include "scene/colour.h"
#include "scene/roulette_scene.h"
#include "scene/trig.h"

#include <stdbool.h>
#include <stddef.h>

static int32_t larger(int32_t a, int32_t b)
{
	return a > b ? a : b;
}

static int32_t smaller(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

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
		roulette->hub_half[y] = (uint16_t)larger(half_chord(layout->hub - 1, dy2) - 1, 0);
	}
}

/* The run that a pixel at x belongs to, new or the latest one; NULL when there is no room. */
static struct art_run *run_at(struct roulette *roulette, int32_t x, enum art_kind kind)
{
	struct art_run *run = roulette->runs + roulette->run_count;

	if (roulette->run_count > 0 && x > 0 && run[-1].x1 == x && run[-1].kind == (uint32_t)kind)
		return run - 1;
	if (roulette->run_count == ART_RUNS_MAX)
		return NULL;
	roulette->run_count++;
	*run = (struct art_run){(uint16_t)x, (uint16_t)x, (uint32_t)kind, roulette->art_count};
	return run;
}

static bool felt_append(struct roulette *roulette, int32_t x, int32_t count)
{
	struct art_run *run = count > 0 ? run_at(roulette, x, ART_FELT) : NULL;

	if (run)
		run->x1 += (uint16_t)count;
	return run || count <= 0;
}

/* Felt between pixels is cheaper copied with them than filled on its own, when it is short. */
#define FELT_FOLDED 24

/* Turns the felt just before x in row y into pixels of the run that it follows, where there is such a run. */
static bool fold_felt(struct roulette *roulette, int32_t y, int32_t x)
{
	struct art_run *felt = roulette->runs + roulette->run_count - 1, *before = felt - 1;

	if (roulette->run_count < roulette->row_runs[y] + 2 || felt->kind != ART_FELT || felt->x1 != x ||
	    felt->x1 - felt->x0 >= FELT_FOLDED || before->kind != ART_SOLID || before->x1 != felt->x0)
		return true;
	if (ART_PIXELS_MAX - roulette->art_count < FELT_FOLDED)
		return false;
	for (; before->x1 < x; before->x1++)
		roulette->art_pixels[roulette->art_count++] = roulette->felt[y][before->x1 & 1];
	roulette->run_count--;
	return true;
}

static bool pixel_append(struct roulette *roulette, int32_t y, int32_t x, struct art_layer layer)
{
	struct art_run *run;

	if (layer.rest == 0 && !fold_felt(roulette, y, x))
		return false;
	run = run_at(roulette, x, layer.rest ? ART_BLEND : ART_SOLID);
	if (!run || roulette->art_count == ART_PIXELS_MAX)
		return false;
	run->x1++;
	roulette->art_pixels[roulette->art_count++] = layer.colour | layer.rest << 24;
	return true;
}

/* Columns of a row, half open. */
struct stretch {
	int32_t x0, x1;
};
#define STRETCHES 7

/*
 * Where row y may hold more than felt, or than what turns: from left to right, maybe empty, never overlapping once each
 * begins where the one before it ended at the earliest. Saves looking at the pixels between them.
 */
static uint32_t stretches_of(const struct layout *layout, int32_t y, struct stretch *out)
{
	int32_t cx = layout->cx, dy2 = 2 * (y - layout->cy) + 1, diamonds = (layout->cx - layout->rim) / 2;
	int32_t shadow = half_chord(layout->rim + 2 * layout->shadow, dy2),
		edge = larger(half_chord(layout->radius - 3, dy2) - 1, 0);
	int32_t ring_out = half_chord(layout->ring + layout->radius / 64 + 4, dy2);
	int32_t ring_in = larger(half_chord(layout->ring - layout->radius / 64 - 4, dy2) - 1, 0);
	int32_t middle = half_chord(layout->hub + 5, dy2), width = 2 * layout->diamond + 1;

	if (y < layout->title.y0 - 1 || y >= layout->plate.y1)
		return 0;
	if (y < layout->title.y1 + layout->cell) {
		int32_t reach = larger(layout->rim, cx - layout->title.x0);

		out[0] = (struct stretch){cx - reach - 1, cx + reach + 2};
		return 1;
	}
	if (y >= layout->plate.y0) {
		int32_t reach = larger(shadow, cx - layout->plate.x0);

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

static bool stretch_render(struct roulette *roulette, int32_t y, int32_t x0, int32_t x1)
{
	bool fits = true;

	for (int32_t x = x0; x < x1 && fits; x++) {
		struct art_layer layer = art_pixel(roulette, x, y);

		if (layer.rest == 0 && layer.colour == roulette->felt[y][x & 1])
			fits = felt_append(roulette, x, 1);
		else if (layer.rest < COLOUR_ONE)
			fits = pixel_append(roulette, y, x, layer);
	}
	return fits;
}

/* What lies between stretches is all felt or all disc. */
static bool row_render(struct roulette *roulette, int32_t y)
{
	const struct layout *layout = &roulette->layout;
	int32_t half = roulette->disc_half[y], x = 0;
	struct stretch stretches[STRETCHES];
	uint32_t count = stretches_of(layout, y, stretches);
	bool fits = true;

	for (uint32_t i = 0; i < count && fits; i++) {
		int32_t x0 = larger(stretches[i].x0, x), x1 = smaller(stretches[i].x1, layout->width);

		if (x0 >= x1)
			continue;
		if (x < layout->cx - half || x >= layout->cx + half)
			fits = felt_append(roulette, x, x0 - x);
		fits = fits && stretch_render(roulette, y, x0, x1);
		x = x1;
	}
	return fits && felt_append(roulette, x, layout->width - x);
}

int art_render(struct roulette *roulette)
{
	art_felt(roulette);
	chords_render(roulette);
	roulette->run_count = 0;
	roulette->art_count = 0;
	for (int32_t y = 0; y < roulette->layout.height; y++) {
		roulette->row_runs[y] = roulette->run_count;
		if (!row_render(roulette, y))
			return -1;
	}
	roulette->row_runs[roulette->layout.height] = roulette->run_count;
	return 0;
}
