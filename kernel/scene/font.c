#include "scene/font.h"

#include "base/minmax.h"

#include <stdbool.h>

/* Seven rows a character, from the top; bit 4 is the leftmost cell. */
static const uint8_t digits[10][FONT_ROWS] = {
	{0x0e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e}, /* 0 */
	{0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e}, /* 1 */
	{0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f}, /* 2 */
	{0x0e, 0x11, 0x01, 0x06, 0x01, 0x11, 0x0e}, /* 3 */
	{0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02}, /* 4 */
	{0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e}, /* 5 */
	{0x0e, 0x10, 0x10, 0x1e, 0x11, 0x11, 0x0e}, /* 6 */
	{0x1f, 0x01, 0x02, 0x04, 0x04, 0x04, 0x04}, /* 7 */
	{0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e}, /* 8 */
	{0x0e, 0x11, 0x11, 0x0f, 0x01, 0x01, 0x0e}, /* 9 */
};
static const uint8_t capitals[26][FONT_ROWS] = {
	{0x0e, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11}, /* A */
	{0x1e, 0x11, 0x11, 0x1e, 0x11, 0x11, 0x1e}, /* B */
	{0x0e, 0x11, 0x10, 0x10, 0x10, 0x11, 0x0e}, /* C */
	{0x1e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1e}, /* D */
	{0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x1f}, /* E */
	{0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x10}, /* F */
	{0x0e, 0x11, 0x10, 0x17, 0x11, 0x11, 0x0e}, /* G */
	{0x11, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11}, /* H */
	{0x0e, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0e}, /* I */
	{0x01, 0x01, 0x01, 0x01, 0x01, 0x11, 0x0e}, /* J */
	{0x11, 0x12, 0x14, 0x18, 0x14, 0x12, 0x11}, /* K */
	{0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1f}, /* L */
	{0x11, 0x1b, 0x15, 0x15, 0x11, 0x11, 0x11}, /* M */
	{0x11, 0x19, 0x15, 0x15, 0x15, 0x13, 0x11}, /* N */
	{0x0e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e}, /* O */
	{0x1e, 0x11, 0x11, 0x1e, 0x10, 0x10, 0x10}, /* P */
	{0x0e, 0x11, 0x11, 0x11, 0x15, 0x12, 0x0d}, /* Q */
	{0x1e, 0x11, 0x11, 0x1e, 0x14, 0x12, 0x11}, /* R */
	{0x0f, 0x10, 0x10, 0x0e, 0x01, 0x01, 0x1e}, /* S */
	{0x1f, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04}, /* T */
	{0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e}, /* U */
	{0x11, 0x11, 0x11, 0x11, 0x11, 0x0a, 0x04}, /* V */
	{0x11, 0x11, 0x11, 0x15, 0x15, 0x1b, 0x11}, /* W */
	{0x11, 0x11, 0x0a, 0x04, 0x0a, 0x11, 0x11}, /* X */
	{0x11, 0x11, 0x0a, 0x04, 0x04, 0x04, 0x04}, /* Y */
	{0x1f, 0x01, 0x02, 0x04, 0x08, 0x10, 0x1f}, /* Z */
};

/* Fine points a pixel, in both directions; a coverage counts those of one pixel's square. */
#define FINE 4
#define FINE_COLUMNS_MAX 1024 /* of the widest mask: a label at the largest mode */

/* A row of cells: bit FONT_COLUMNS + 1 is the leftmost one, with two empty ones to both sides. */
static uint32_t cells_of(char character, int32_t row)
{
	if (row < 0 || row >= FONT_ROWS)
		return 0;
	if (character >= '0' && character <= '9')
		return (uint32_t)digits[character - '0'][row] << 2;
	if (character >= 'A' && character <= 'Z')
		return (uint32_t)capitals[character - 'A'][row] << 2;
	return 0;
}

/* Strokes are this much wider than their cells, to every side. */
#define BOLD 9

/*
 * One cell's surroundings: itself and its neighbour on one side (side 0 left, 1 right), here and in the rows above (0)
 * and below (1). An empty cell where two strokes meet at a bare corner is crossed by a diagonal.
 */
struct corner {
	bool beside[2];
	bool across[2];
	bool corner[2][2]; /* by side, then by row */
};

static struct corner corner_of(const uint32_t *rows, int32_t bit)
{
	struct corner at;

	for (int32_t i = 0; i < 2; i++) {
		const uint32_t row = i ? rows[2] : rows[0];

		at.beside[i] = rows[1] >> (i ? bit - 1 : bit + 1) & 1;
		at.across[i] = row >> bit & 1;
		at.corner[0][i] = row >> (bit + 1) & 1;
		at.corner[1][i] = row >> (bit - 1) & 1;
	}
	return at;
}

static bool is_diagonal(const struct corner *at, int32_t side, int32_t row)
{
	return at->beside[side] && at->across[row] && !at->corner[side][row];
}

/*
 * How far ink reaches into an empty cell from its left (side 0) or right (1), on the line in_v below the cell's top: a
 * diagonal, or the width of its neighbours' strokes.
 */
static int32_t ink_reach(const struct corner *at, int32_t side, int32_t in_v)
{
	int32_t reach = 0;

	for (int32_t row = 0; row < 2; row++) {
		int32_t gap_v = row ? FONT_CELL - 1 - in_v : in_v;

		if (is_diagonal(at, side, row)) {
			reach = max32(reach, FONT_CELL - gap_v);
			continue;
		}
		if (gap_v < BOLD && at->across[row] && !is_diagonal(at, !side, row))
			return FONT_CELL;
		if ((gap_v < BOLD && at->corner[side][row]) || (at->beside[side] && !is_diagonal(at, side, !row)))
			reach = max32(reach, BOLD);
	}
	return reach;
}

int32_t font_width(const char *text)
{
	int32_t characters = 0;

	while (text[characters])
		characters++;
	return characters * FONT_ADVANCE - 1;
}

/* A mask being made: counts[i] is the change of ink from fine column i - 1 to i, over the rows counted so far. */
struct counting {
	int8_t counts[FINE_COLUMNS_MAX + 1];
	int32_t columns;
	int32_t cell_q8, margin_px;
};

/* The first fine column not left of u, which is in 1/FONT_CELL of a cell. */
static int32_t fine_column(const struct counting *counting, int32_t u)
{
	int32_t eighths = (u * counting->cell_q8 + FONT_CELL * 256 / (2 * FINE) - 1) >> 11;
	int32_t column = (eighths + 2 * FINE * counting->margin_px) >> 1;

	return column < 0 ? 0 : column > counting->columns ? counting->columns : column;
}

static void count_ink(struct counting *counting, int32_t u0, int32_t u1)
{
	counting->counts[fine_column(counting, u0)]++;
	counting->counts[fine_column(counting, u1)]--;
}

/* Adds the ink of one character, whose left edge is at `start`, on one line of a row of its cells. */
static void count_character(struct counting *counting, char character, int32_t start, int32_t row, int32_t in_v)
{
	const uint32_t rows[3] = {cells_of(character, row - 1), cells_of(character, row), cells_of(character, row + 1)};

	if (!(rows[0] | rows[1] | rows[2]))
		return;
	for (int32_t column = -1; column <= FONT_COLUMNS; column++) {
		int32_t bit = FONT_COLUMNS + 1 - column, u = start + column * FONT_CELL, left, right;
		struct corner at;

		if (rows[1] >> bit & 1) {
			count_ink(counting, u, u + FONT_CELL);
			continue;
		}
		at = corner_of(rows, bit);
		left = ink_reach(&at, 0, in_v);
		right = ink_reach(&at, 1, in_v);
		if (left + right >= FONT_CELL) {
			left = FONT_CELL;
			right = 0;
		}
		if (left)
			count_ink(counting, u, u + left);
		if (right)
			count_ink(counting, u + FONT_CELL - right, u + FONT_CELL);
	}
}

/* Adds the ink of one fine row. */
static void count_row(struct counting *counting, const char *text, int32_t fine_row)
{
	int32_t eighths = 2 * fine_row + 1 - 2 * FINE * counting->margin_px;
	/* One cell of margin above keeps the divisions away from negative numbers. */
	int32_t v = eighths * (FONT_CELL * 256 / (2 * FINE)) + FONT_CELL * counting->cell_q8;
	int32_t row = v / counting->cell_q8 / FONT_CELL - 1, in_v = v / counting->cell_q8 % FONT_CELL;

	if (v < 0 || row > FONT_ROWS)
		return;
	for (int32_t start = 0; *text; text++, start += FONT_ADVANCE * FONT_CELL)
		count_character(counting, *text, start, row, in_v);
}

/* Counts the ink of half a pixel's height in each fine column. */
static void count_half(struct counting *counting, const char *text, int32_t fine_row, uint8_t *columns)
{
	int32_t ink = 0;

	for (int32_t i = 0; i <= counting->columns; i++)
		counting->counts[i] = 0;
	for (int32_t i = 0; i < FINE / 2; i++)
		count_row(counting, text, fine_row + i);
	for (int32_t i = 0; i < counting->columns; i++) {
		ink += counting->counts[i];
		columns[i] = (uint8_t)ink;
	}
}

void font_render(const struct font_mask *mask, const char *text, int32_t cell_q8, int32_t samples, int32_t margin_px)
{
	int32_t step = FINE / samples, lead = (FINE - step) / 2;
	struct counting counting = {.columns = mask->width * step, .cell_q8 = cell_q8, .margin_px = margin_px};
	uint8_t halves[2][FINE_COLUMNS_MAX] = {{0}};
	int32_t counted = -FINE;

	for (int32_t y = 0; y < mask->height; y++) {
		/* A pixel's square is two halves high; at two samples a pixel the lower one is the next one's upper. */
		for (int32_t half = 0; half < 2; half++) {
			int32_t fine_row = y * step - lead + half * (FINE / 2);

			if (fine_row > counted)
				count_half(&counting, text, fine_row, halves[(fine_row + 1) / (FINE / 2) & 1]);
			counted = max32(counted, fine_row);
		}
		for (int32_t x = 0; x < mask->width; x++) {
			uint8_t sum = 0;

			for (int32_t i = x * step - lead; i < x * step - lead + FINE; i++)
				if (i >= 0 && i < counting.columns)
					sum = (uint8_t)(sum + halves[0][i] + halves[1][i]);
			mask->levels[y * mask->width + x] = sum;
		}
	}
}
