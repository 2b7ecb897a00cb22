#include "scene/canvas_row.h"
#include "scene/colour.h"
#include "scene/roulette_scene.h"

/* The backdrop_run at *run, within columns x0 … x1 unless all of a row is drawn. */
CANVAS_INLINE void run_draw(const struct roulette *roulette, backdrop_run run, uint32_t *row, bool whole, int32_t x0,
			    int32_t x1)
{
	int32_t first = backdrop_run_first(run), behind = backdrop_run_behind(run), from = first, to = behind;
	uint32_t shown = backdrop_run_shown(run);
	const uint32_t *pixels;

	if (!behind) {
		if (whole || (first >= x0 && first < x1))
			row[first] = colour_over(row[first], shown & 0xffffffu, shown >> 24);
		return;
	}
	pixels = &roulette->backdrop_pixels[shown & ~BACKDROP_PATTERN];
	if (!whole) {
		from = first > x0 ? first : x0;
		to = behind < x1 ? behind : x1;
	}
	if (shown & BACKDROP_PATTERN && whole)
		canvas_row_pattern_long(row + from, to - from, pixels[from & 1], pixels[~from & 1]);
	else if (shown & BACKDROP_PATTERN)
		canvas_row_pattern(row + from, to - from, pixels[from & 1], pixels[~from & 1]);
	else
		canvas_row_copy(row + from, pixels + (from - first), to - from);
}

static void rows_draw(const struct frame_view *view, int32_t y0, int32_t y1)
{
	const struct roulette *roulette = view->roulette;
	const backdrop_run *run = roulette->runs + roulette->row_runs[y0];

	for (int32_t y = y0; y < y1; y++) {
		const backdrop_run *end = roulette->runs + roulette->row_runs[y + 1];
		uint32_t *row = canvas_row(view->canvas, y);

		while (run < end)
			run_draw(roulette, *run++, row, true, 0, 0);
	}
}

/* Draws only the disc of a row, whose surroundings hold what they should. */
static void row_draw_within(const struct frame_view *view, int32_t y, int32_t x0, int32_t x1)
{
	const struct roulette *roulette = view->roulette;
	int32_t half = roulette->disc_half[y], cx = roulette->layout.cx;

	if (view->turning_only) {
		x0 = x0 > cx - half ? x0 : cx - half;
		x1 = x1 < cx + half ? x1 : cx + half;
	}
	for (uint32_t i = roulette->row_runs[y]; i < roulette->row_runs[y + 1]; i++)
		run_draw(roulette, roulette->runs[i], canvas_row(view->canvas, y), false, x0, x1);
}

void backdrop_draw(const struct frame_view *view, struct canvas_rect clip)
{
	if (!view->turning_only && clip.x0 == 0 && clip.x1 == view->roulette->layout.width) {
		rows_draw(view, clip.y0, clip.y1);
		return;
	}
	for (int32_t y = clip.y0; y < clip.y1; y++)
		row_draw_within(view, y, clip.x0, clip.x1);
}
