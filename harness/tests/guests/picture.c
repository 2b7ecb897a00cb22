/* What the guests show. Each picture is a function of the frame's number. */
#include "guest.h"

#define BOX_PX 48
#define GLYPH_WIDTH 8
#define GLYPH_HEIGHT 12

static uint32_t colour(uint32_t red, uint32_t green, uint32_t blue)
{
	return red << 16 | green << 8 | blue;
}

/* 0 to 255 and back, without a step. */
static uint32_t triangle(uint32_t value)
{
	return value & 256 ? 255 - (value & 255) : value & 255;
}

static uint32_t scramble(uint32_t value)
{
	value = (value ^ value >> 16) * 0x45d9f3bu;
	value = (value ^ value >> 16) * 0x45d9f3bu;
	return value ^ value >> 16;
}

static void draw_wave(const struct picture *picture, uint32_t frame, bool columns)
{
	if (columns) {
		for (uint32_t x = 0; x < picture->width_px; x++)
			for (uint32_t y = 0; y < picture->height_px; y++)
				picture->pixels[y * picture->stride_px + x] =
					colour(triangle(x + frame * 3), triangle(y + frame), 64);
		return;
	}
	for (uint32_t y = 0; y < picture->height_px; y++) {
		uint32_t *row = picture->pixels + y * picture->stride_px;
		uint32_t green = triangle(y + frame);

		for (uint32_t x = 0; x < picture->width_px; x++)
			row[x] = colour(triangle(x + frame * 3), green, 64);
	}
}

static void fill(const struct picture *picture, struct rectangle box, uint32_t value)
{
	for (uint32_t y = box.y; y < box.y + box.height && y < picture->height_px; y++)
		for (uint32_t x = box.x; x < box.x + box.width && x < picture->width_px; x++)
			picture->pixels[y * picture->stride_px + x] = value;
}

static struct rectangle box_at(const struct picture *picture, uint32_t frame)
{
	uint32_t span = picture->width_px - BOX_PX, along = frame * 3 % (2 * span);

	return (struct rectangle){along < span ? along : 2 * span - along, picture->height_px / 3, BOX_PX, BOX_PX};
}

static void draw_box(const struct picture *picture, uint32_t frame)
{
	for (uint32_t y = 0; y < picture->height_px; y++)
		for (uint32_t x = 0; x < picture->width_px; x++)
			picture->pixels[y * picture->stride_px + x] = colour(32, y >> 2 & 255, 96);
	fill(picture, box_at(picture, frame), colour(230, 200, 40));
}

/* Two colours in the order of Bayer's matrix, over a stipple of single pixels: as desktops of few colours have them. */
static void draw_dither(const struct picture *picture, uint32_t frame)
{
	static const uint8_t bayer[4][4] = {{0, 8, 2, 10}, {12, 4, 14, 6}, {3, 11, 1, 9}, {15, 7, 13, 5}};

	for (uint32_t y = 0; y < picture->height_px; y++)
		for (uint32_t x = 0; x < picture->width_px; x++) {
			bool upper = y < picture->height_px / 2;
			bool lit = upper ? (x + y) & 1 : x * 16 / picture->width_px > bayer[y & 3][x & 3];

			picture->pixels[y * picture->stride_px + x] = lit ? colour(200, 200, 200) : colour(0, 64, 64);
		}
	fill(picture, box_at(picture, frame), colour(0, 0, 128));
}

static void draw_glyph(const struct picture *picture, uint32_t x0, uint32_t y0, uint32_t letter)
{
	uint32_t bits = scramble(letter * 7919 + 1);

	for (uint32_t y = 0; y < 8; y++)
		for (uint32_t x = 0; x < 5; x++)
			if (bits >> (y * 4 + x) % 29 & 1)
				picture->pixels[(y0 + y) * picture->stride_px + x0 + x] = colour(170, 170, 170);
}

/* A console that scrolls by one line in eight frames. */
static void draw_text(const struct picture *picture, uint32_t frame)
{
	fill(picture, (struct rectangle){0, 0, picture->width_px, picture->height_px}, 0);
	for (uint32_t line = 0; (line + 1) * GLYPH_HEIGHT <= picture->height_px; line++) {
		uint32_t number = line + frame / 8, letters = 10 + scramble(number) % 50;

		for (uint32_t at = 0; at < letters; at++)
			if (scramble(number * 64 + at) % 6)
				draw_glyph(picture, at * GLYPH_WIDTH, line * GLYPH_HEIGHT,
					   scramble(number * 64 + at) % 26);
	}
}

static void swap_red_and_blue(const struct picture *picture)
{
	for (uint32_t y = 0; y < picture->height_px; y++)
		for (uint32_t x = 0; x < picture->width_px; x++) {
			uint32_t *pixel = &picture->pixels[y * picture->stride_px + x];

			*pixel = (*pixel >> 16 & 0xff) | (*pixel & 0xff00) | (*pixel & 0xff) << 16;
		}
}

struct rectangle picture_draw(const struct picture *picture, const struct guest_habits *guest, uint32_t frame)
{
	struct rectangle all = {0, 0, picture->width_px, picture->height_px};
	struct rectangle box = box_at(picture, frame), before = box_at(picture, frame ? frame - 1 : 0);

	switch (guest->picture) {
	case PICTURE_WAVE:
		draw_wave(picture, frame, guest->columns);
		break;
	case PICTURE_BOX:
		draw_box(picture, frame);
		all.y = box.y;
		all.height = BOX_PX;
		all.x = box.x < before.x ? box.x : before.x;
		all.width = BOX_PX + (box.x < before.x ? before.x - box.x : box.x - before.x);
		break;
	case PICTURE_STATIC:
		draw_wave(picture, 0, false);
		break;
	case PICTURE_DITHER:
		draw_dither(picture, frame);
		break;
	case PICTURE_TEXT:
		draw_text(picture, frame);
		break;
	case PICTURE_BLANK:
		fill(picture, all, colour(16, 24, 32));
		break;
	}
	if (guest->swapped)
		swap_red_and_blue(picture);
	return frame ? all : (struct rectangle){0, 0, picture->width_px, picture->height_px};
}
