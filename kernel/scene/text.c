#include "scene/colour.h"
#include "scene/roulette_scene.h"

#define LABEL_SAMPLES 2
#define MARGIN_PX 1 /* around every mask, for strokes wider than their cells */

static int32_t glyph_of(char character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	if (character >= 'A' && character <= 'Z')
		return character - 'A' + 10;
	return -1;
}

static int mask_new(struct roulette *roulette, struct font_mask *mask, int32_t width, int32_t height)
{
	uint32_t bytes = (uint32_t)(width * height);

	if (bytes > MASK_BYTES_MAX - roulette->mask_count)
		return -1;
	*mask = (struct font_mask){roulette->masks + roulette->mask_count, width, height};
	roulette->mask_count += bytes;
	return 0;
}

/* All that is ever shown at layout.cell. */
static const char *const shown[] = {LAYOUT_TITLE, PLATE_OPEN, PLATE_CLOSED, PLATE_RED, PLATE_BLACK, "0123456789"};

static int glyphs_render(struct roulette *roulette)
{
	int32_t cell = roulette->layout.cell;

	for (uint32_t i = 0; i < GLYPHS; i++)
		roulette->glyphs[i] = (struct font_mask){0};
	for (uint32_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		for (const char *at = shown[i]; *at; at++) {
			const char text[2] = {*at, 0};
			struct font_mask *mask = &roulette->glyphs[glyph_of(*at) < 0 ? 0 : glyph_of(*at)];

			if (glyph_of(*at) < 0 || mask->levels)
				continue;
			if (mask_new(roulette, mask, FONT_COLUMNS * cell + 2 * MARGIN_PX,
				     FONT_ROWS * cell + 2 * MARGIN_PX))
				return -1;
			font_render(mask, text, cell * 256, 1, MARGIN_PX);
		}
	}
	return 0;
}

void text_number(char *text, uint32_t number)
{
	if (number >= 10)
		*text++ = (char)('0' + number / 10);
	*text++ = (char)('0' + number % 10);
	*text = 0;
}

static int labels_render(struct roulette *roulette)
{
	int32_t cell_q8 = roulette->layout.label_cell_q8;

	for (uint32_t i = 0; i < SPIN_SEGMENTS; i++) {
		struct font_mask *mask = &roulette->labels[i];
		char text[4];
		int32_t width, height;

		text_number(text, i + 1);
		width = LABEL_SAMPLES * (((font_width(text) * cell_q8 + 255) >> 8) + 2 * MARGIN_PX);
		height = LABEL_SAMPLES * (((FONT_ROWS * cell_q8 + 255) >> 8) + 2 * MARGIN_PX);
		if (mask_new(roulette, mask, width, height))
			return -1;
		font_render(mask, text, cell_q8, LABEL_SAMPLES, MARGIN_PX);
	}
	return 0;
}

int text_render(struct roulette *roulette)
{
	roulette->mask_count = 0;
	return glyphs_render(roulette) || labels_render(roulette) ? -1 : 0;
}

uint32_t text_level(const struct roulette *roulette, const char *text, int32_t x, int32_t y)
{
	int32_t advance = FONT_ADVANCE * roulette->layout.cell;
	const struct font_mask *mask = &roulette->glyphs[0];

	x += MARGIN_PX;
	y += MARGIN_PX;
	if (x < 0 || y < 0 || y >= mask->height || x >= font_width(text) * roulette->layout.cell + 2 * MARGIN_PX)
		return 0;
	for (; x >= advance && text[1]; x -= advance)
		text++;
	if (glyph_of(*text) < 0 || x >= mask->width)
		return 0;
	mask = &roulette->glyphs[glyph_of(*text)];
	return mask->levels[y * mask->width + x];
}

static void glyph_draw(const struct frame_view *view, const struct font_mask *mask, struct canvas_rect clip, int32_t x,
		       int32_t y, const uint32_t *shades)
{
	struct canvas_rect box = canvas_clip((struct canvas_rect){x, y, x + mask->width, y + mask->height}, clip);

	for (int32_t row = box.y0; row < box.y1; row++) {
		const uint8_t *levels = mask->levels + (row - y) * mask->width - x;
		uint32_t *to = canvas_row(view->canvas, row);

		for (int32_t column = box.x0; column < box.x1; column++) {
			if (levels[column])
				to[column] = shades[levels[column]];
		}
	}
}

void text_draw(const struct frame_view *view, const char *text, struct canvas_rect clip, int32_t x, int32_t y,
	       uint32_t paper, uint32_t ink)
{
	uint32_t shades[FONT_LEVELS + 1];

	x -= MARGIN_PX;
	y -= MARGIN_PX;
	for (uint32_t level = 0; level <= FONT_LEVELS; level++)
		shades[level] = colour_mix(paper, ink, level * COLOUR_ONE / FONT_LEVELS);
	for (; *text; text++, x += FONT_ADVANCE * view->roulette->layout.cell) {
		if (glyph_of(*text) >= 0)
			glyph_draw(view, &view->roulette->glyphs[glyph_of(*text)], clip, x, y, shades);
	}
}
