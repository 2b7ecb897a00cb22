#include "scene/colour.h"
#include "scene/roulette_scene.h"

static void blend(uint32_t *to, const uint32_t *from, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		to[i] = colour_over(to[i], from[i] & 0xffffffu, from[i] >> 24);
}

static void run_draw(const struct roulette *roulette, const struct art_run *run, uint32_t *row, const uint32_t *felt,
		     int32_t from, int32_t to)
{
	const uint32_t *pixels = roulette->art_pixels + run->first + (from - run->x0);

	if (run->kind == ART_FELT)
		canvas_row_weave(row + from, to - from, felt[from & 1], felt[~from & 1]);
	else if (run->kind == ART_SOLID)
		canvas_row_copy(row + from, pixels, to - from);
	else
		blend(row + from, pixels, to - from);
}

void art_draw_row(const struct roulette *roulette, uint32_t *row, int32_t y, int32_t x0, int32_t x1)
{
	const struct art_run *run = &roulette->runs[roulette->row_runs[y]];
	const struct art_run *end = &roulette->runs[roulette->row_runs[y + 1]];

	for (; run < end; run++) {
		int32_t from = run->x0 > x0 ? run->x0 : x0, to = run->x1 < x1 ? run->x1 : x1;

		if (from < to)
			run_draw(roulette, run, row, roulette->felt[y], from, to);
	}
}
