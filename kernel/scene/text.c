#include "scene/canvas_row.h"
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

/* Finds the stretches of equal coverage in a glyph's rows. */
static int spans_render(struct roulette *roulette, struct glyph *glyph)
{
	const struct font_mask *mask = &glyph->mask;

	glyph->spans = roulette->spans + roulette->span_count;
	for (int32_t y = 0; y < mask->height; y++) {
		const uint8_t *levels = mask->levels + y * mask->width;

		for (int32_t x = 0, behind; x < mask->width; x = behind) {
			for (behind = x + 1; behind < mask->width && levels[behind] == levels[x]; behind++)
				;
			if (!levels[x])
				continue;
			if (roulette->span_count == SPANS_MAX)
				return -1;
			roulette->spans[roulette->span_count++] =
				(uint32_t)x | (uint32_t)behind << 8 | (uint32_t)y << 16 | (uint32_t)levels[x] << 24;
		}
	}
	glyph->span_count = (uint32_t)(roulette->spans + roulette->span_count - glyph->spans);
	return 0;
}

/* Every text that is shown at layout.cell. */
static const char *const shown[] = {LAYOUT_TITLE, BANNER_OPEN, BANNER_CLOSED, BANNER_RED, BANNER_BLACK, "0123456789"};

static int glyphs_render(struct roulette *roulette)
{
	int32_t cell = roulette->layout.cell;

	roulette->span_count = 0;
	for (uint32_t i = 0; i < GLYPHS; i++)
		roulette->glyphs[i] = (struct glyph){0};
	for (uint32_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		for (const char *at = shown[i]; *at; at++) {
			const char text[2] = {*at, 0};
			struct glyph *glyph = &roulette->glyphs[glyph_of(*at) < 0 ? 0 : glyph_of(*at)];

			if (glyph_of(*at) < 0 || glyph->spans)
				continue;
			if (mask_new(roulette, &glyph->mask, FONT_COLUMNS * cell + 2 * MARGIN_PX,
				     FONT_ROWS * cell + 2 * MARGIN_PX))
				return -1;
			font_render(&glyph->mask, text, cell * 256, 1, MARGIN_PX);
			if (spans_render(roulette, glyph))
				return -1;
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
	const struct font_mask *mask = &roulette->glyphs[0].mask;

	x += MARGIN_PX;
	y += MARGIN_PX;
	if (x < 0 || y < 0 || y >= mask->height || x >= font_width(text) * roulette->layout.cell + 2 * MARGIN_PX)
		return 0;
	for (; x >= advance && text[1]; x -= advance)
		text++;
	if (glyph_of(*text) < 0 || x >= mask->width)
		return 0;
	mask = &roulette->glyphs[glyph_of(*text)].mask;
	return mask->levels[y * mask->width + x];
}

static void glyph_draw(const struct canvas *canvas, const struct glyph *glyph, struct canvas_rect clip, int32_t x,
		       int32_t y, const uint32_t *shades)
{
	uint32_t rows = (uint32_t)(clip.y1 - clip.y0);

	for (const text_span *at = glyph->spans; at < glyph->spans + glyph->span_count; at++) {
		text_span span = *at;
		int32_t x0 = x + (int32_t)(span & 0xff), x1 = x + (int32_t)(span >> 8 & 0xff);
		int32_t row = y + (int32_t)(span >> 16 & 0xff);

		if ((uint32_t)(row - clip.y0) >= rows)
			continue;
		x0 = x0 > clip.x0 ? x0 : clip.x0;
		x1 = x1 < clip.x1 ? x1 : clip.x1;
		canvas_row_fill(canvas_row(canvas, row) + x0, x1 - x0, shades[span >> 24]);
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
			glyph_draw(view->canvas, &view->roulette->glyphs[glyph_of(*text)], clip, x, y, shades);
	}
}
