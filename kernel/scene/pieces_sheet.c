#include "base/minmax.h"
#include "scene/canvas_row.h"
#include "scene/colour.h"
#include "scene/pieces.h"
#include "scene/roulette_scene.h"

/* Between two things on the texture, so that no sample of one meets the other. */
#define GAP 2

/* Rows of things below the picture, filled from left to right. */
struct shelf {
	int32_t width, x, y, height;
};

static struct canvas_rect shelf_place(struct shelf *shelf, int32_t width, int32_t height)
{
	struct canvas_rect place;

	if (shelf->x + width > shelf->width) {
		shelf->x = 0;
		shelf->y += shelf->height + GAP;
		shelf->height = 0;
	}
	place = (struct canvas_rect){shelf->x, shelf->y, shelf->x + width, shelf->y + height};
	shelf->x += width + GAP;
	shelf->height = max32(shelf->height, height);
	return place;
}

struct pieces_sheet pieces_sheet_of(const struct roulette *roulette)
{
	const struct layout *layout = &roulette->layout;
	const struct canvas_rect banner = banner_inside(layout);
	struct pieces_sheet sheet = {.width_px = (uint32_t)layout->width};
	struct shelf shelf = {layout->width, 0, layout->height + GAP, 0};

	for (uint32_t i = 0; i < PIECES_BANNERS; i++)
		sheet.banners[i] = shelf_place(&shelf, banner.x1 - banner.x0, banner.y1 - banner.y0);
	for (uint32_t i = 0; i < SPIN_SEGMENTS; i++)
		sheet.numbers[i] = shelf_place(&shelf, roulette->labels[i].width, roulette->labels[i].height);
	sheet.height_px = (uint32_t)(shelf.y + shelf.height);
	return sheet;
}

#define OPAQUE 0xff000000u

/* What stands still in a row; where the wheel turns below, nothing. */
static void still_draw(const struct roulette *roulette, int32_t y, uint32_t *row)
{
	canvas_row_fill(row, roulette->layout.width, 0);
	for (uint32_t i = roulette->row_runs[y]; i < roulette->row_runs[y + 1]; i++) {
		backdrop_run run = roulette->runs[i];
		int32_t first = backdrop_run_first(run), behind = backdrop_run_behind(run);
		uint32_t shown = backdrop_run_shown(run);
		const uint32_t *pixels;

		if (!behind) {
			uint32_t opacity = ((COLOUR_ONE - (shown >> 24)) * 255 + COLOUR_ONE / 2) / COLOUR_ONE;

			row[first] = (shown & 0xffffff) | opacity << 24;
			continue;
		}
		pixels = &roulette->backdrop_pixels[shown & ~BACKDROP_PATTERN];
		for (int32_t x = first; x < behind; x++)
			row[x] = OPAQUE | pixels[shown & BACKDROP_PATTERN ? x & 1 : x - first];
	}
}

static struct spin banner_spin(uint32_t banner)
{
	static const enum spin_phase phases[] = {SPIN_FASTER, SPIN_SLOWER};

	if (banner < 2)
		return (struct spin){.phase = phases[banner]};
	return (struct spin){.phase = SPIN_REST, .winner = banner - 2};
}

/* A text of the banner as it is in a picture, with all that lies below it there. */
static void banner_keep(const struct roulette *roulette, const struct canvas *texture, const struct canvas *scratch,
			uint32_t banner, struct canvas_rect place)
{
	const struct canvas_rect inside = banner_inside(&roulette->layout);
	const struct frame_view view = {.roulette = roulette, .canvas = scratch, .spin = banner_spin(banner)};

	wheel_draw(&view, inside);
	backdrop_draw(&view, inside);
	banner_draw(&view, inside);
	for (int32_t y = 0; y < place.y1 - place.y0; y++)
		for (int32_t x = 0; x < place.x1 - place.x0; x++)
			canvas_row(texture, place.y0 + y)[place.x0 + x] =
				OPAQUE | canvas_row(scratch, inside.y0 + y)[inside.x0 + x];
}

static void number_keep(const struct font_mask *mask, const struct canvas *texture, struct canvas_rect place)
{
	for (int32_t y = 0; y < mask->height; y++)
		for (int32_t x = 0; x < mask->width; x++)
			canvas_row(texture, place.y0 + y)[place.x0 + x] =
				(uint32_t)mask->levels[y * mask->width + x] * 255 / FONT_LEVELS << 24;
}

void pieces_sheet_draw(const struct roulette *roulette, const struct pieces_sheet *sheet, const struct canvas *texture,
		       const struct canvas *scratch)
{
	for (int32_t y = 0; y < roulette->layout.height; y++)
		still_draw(roulette, y, canvas_row(texture, y));
	for (uint32_t i = 0; i < PIECES_BANNERS; i++)
		banner_keep(roulette, texture, scratch, i, sheet->banners[i]);
	for (uint32_t i = 0; i < SPIN_SEGMENTS; i++)
		number_keep(&roulette->labels[i], texture, sheet->numbers[i]);
}
