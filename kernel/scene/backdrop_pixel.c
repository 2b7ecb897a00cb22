#include "base/minmax.h"
#include "scene/colour.h"
#include "scene/palette.h"
#include "scene/roulette_scene.h"

static const struct backdrop_layer nothing = {0, COLOUR_ONE};

/* An ordered dither of two columns by four rows, in 1/8 level: as wide as a felt row's pattern can be. */
static const uint8_t dither[4][2] = {{0, 4}, {6, 2}, {1, 5}, {7, 3}};

static uint32_t felt_colour(const struct layout *layout, int32_t y, uint32_t column)
{
	int32_t reach = layout->height * 5 / 8;
	uint32_t away = (uint32_t)(y > layout->cy ? y - layout->cy : layout->cy - y) * 256 / (uint32_t)reach;
	uint32_t colour = 0;

	away = away > 256 ? 256 : away;
	away = away * away >> 8;
	for (uint32_t shift = 0; shift < 24; shift += 8) {
		uint32_t light = PALETTE_FELT_LIGHT >> shift & 0xff, dark = PALETTE_FELT_DARK >> shift & 0xff;
		uint32_t eighths = (light * (256 - away) + dark * away) >> 5;

		colour |= (eighths + dither[y & 3][column]) >> 3 << shift;
	}
	return colour;
}

void backdrop_felt(struct roulette *roulette)
{
	for (int32_t y = 0; y < roulette->layout.height; y++) {
		roulette->felt[y][0] = felt_colour(&roulette->layout, y, 0);
		roulette->felt[y][1] = felt_colour(&roulette->layout, y, 1);
	}
}

static uint32_t mixed(uint32_t below, uint32_t over, uint32_t cover)
{
	return cover == 0 ? below : cover == COLOUR_ONE ? over : colour_mix(below, over, cover);
}

/* The title with its shadow, and a rule to both sides of it. */
static uint32_t over_title(const struct roulette *roulette, uint32_t below, int32_t x, int32_t y)
{
	const struct layout *layout = &roulette->layout;
	struct canvas_rect title = layout->title;
	int32_t drop = (layout->cell + 1) / 3, middle = (title.y0 + title.y1) / 2;
	int32_t gap = 3 * layout->cell, end = layout->cx - layout->rim;
	int32_t from_left = x < layout->cx ? x : layout->width - 1 - x;
	uint32_t level = text_level(roulette, LAYOUT_TITLE, x - title.x0, y - title.y0);
	uint32_t dropped = text_level(roulette, LAYOUT_TITLE, x - title.x0 - drop, y - title.y0 - drop);
	uint32_t height, gold;

	if (from_left >= end && from_left < title.x0 - gap && y >= middle && y < middle + layout->cell / 2)
		return PALETTE_GOLD;
	below = mixed(below, PALETTE_SHADOW, dropped * COLOUR_ONE / FONT_LEVELS * 3 / 4);
	if (level == 0)
		return below;
	height = y <= title.y0 ? 0 : (uint32_t)((min32(y, title.y1) - title.y0) * 256 / (title.y1 - title.y0));
	gold = height < 128 ? colour_mix(PALETTE_GOLD_LIGHT, PALETTE_GOLD, height * 3 / 2)
			    : colour_mix(PALETTE_GOLD_DARK, PALETTE_GOLD_LIGHT, height - 32);
	return mixed(below, gold, level * COLOUR_ONE / FONT_LEVELS);
}

static uint32_t pixel_cover(int32_t sixteenths)
{
	int32_t cover = sixteenths * 16 + 128;

	return cover < 0 ? 0 : cover > 256 ? 256 : (uint32_t)cover;
}

/* A dark banner with a gold edge and cut corners. */
static uint32_t over_banner(const struct layout *layout, uint32_t below, int32_t x, int32_t y)
{
	struct canvas_rect banner = layout->banner;
	int32_t across = min32(x - banner.x0, banner.x1 - 1 - x) * 16 + 8;
	int32_t down = min32(y - banner.y0, banner.y1 - 1 - y) * 16 + 8;
	int32_t corner = (across + down - layout->cell * 2 * 16) * 181 / 256;
	int32_t depth = min32(min32(across, down), corner);

	below = mixed(below, PALETTE_GOLD, pixel_cover(depth));
	return mixed(below, PALETTE_BANNER, pixel_cover(depth - (layout->cell + 1) / 2 * 16));
}

static int32_t diamond_x(const struct layout *layout)
{
	return (layout->cx - layout->rim) / 2;
}

/* The betting fields for red and black on the felt: diamonds two wide to three high, with a double ivory edge. */
static uint32_t over_diamonds(const struct layout *layout, uint32_t below, int32_t x, int32_t y)
{
	int32_t right = x >= layout->cx, size = layout->diamond * 16, line = layout->cell * 6;
	int32_t dx = (right ? layout->width - 1 - x : x) * 16 + 8 - diamond_x(layout) * 16;
	int32_t dy = (y - layout->cy) * 16 + 8;
	int32_t depth = (6 * size - 3 * (dx < 0 ? -dx : dx) - 2 * (dy < 0 ? -dy : dy)) * 71 / 256;

	if (depth <= -16)
		return below;
	below = mixed(below, PALETTE_IVORY, pixel_cover(depth) * 3 / 4);
	below = mixed(below, right ? PALETTE_BLACK : PALETTE_RED, pixel_cover(depth - line));
	below = mixed(below, PALETTE_GOLD, pixel_cover(depth - 3 * line));
	return mixed(below, right ? PALETTE_BLACK : PALETTE_RED, pixel_cover(depth - 4 * line));
}

struct backdrop_layer backdrop_pixel(const struct roulette *roulette, int32_t x, int32_t y)
{
	const struct layout *layout = &roulette->layout;
	int32_t half = roulette->disc_half[y], dx = x < layout->cx ? layout->cx - 1 - x : x - layout->cx;
	int32_t reach = layout->rim + 2 * layout->shadow;
	struct backdrop_layer layer = {roulette->felt[y][x & 1], 0};

	if (dx < half)
		return backdrop_wheel(layout, x, y, nothing);
	if (dx < reach && y >= layout->cy - reach && y < layout->cy + reach)
		layer = backdrop_wheel(layout, x, y, layer);
	else if (layout->diamond >= 4)
		layer.colour = over_diamonds(layout, layer.colour, x, y);
	if (y < layout->title.y1 + layout->cell)
		layer.colour = over_title(roulette, layer.colour, x, y);
	if (y >= layout->banner.y0)
		layer.colour = over_banner(layout, layer.colour, x, y);
	return layer;
}
