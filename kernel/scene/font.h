/*
 * A bitmap font of five by seven cells for capitals and digits, smoothed where strokes meet at corners.
 */
#ifndef SCENE_FONT_H
#define SCENE_FONT_H

#include <stdint.h>

#define FONT_COLUMNS 5
#define FONT_ROWS 7
#define FONT_ADVANCE 6 /* cells from one character to the next */
#define FONT_CELL 64   /* units to a cell in the positions of strokes */
#define FONT_LEVELS 16 /* coverages run from 0 to this */

/* Cells across: from the first character's left to the last one's right. */
int32_t font_width(const char *text);
/*
 * Renders coverage (0 … FONT_LEVELS) of a text, one byte a sample, `samples` (1 or 2) samples a pixel, at cells of
 * cell_q8 / 256 pixels. Sample (0, 0) lies `margin_px` above and left of the text's corner.
 */
struct font_mask {
	uint8_t *levels;
	int32_t width, height; /* in samples */
};
void font_render(const struct font_mask *mask, const char *text, int32_t cell_q8, int32_t samples, int32_t margin_px);

#endif
