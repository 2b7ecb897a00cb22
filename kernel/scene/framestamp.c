#include "scene/framestamp.h"

#include "scene/canvas_row.h"

/* The CRC of each value of four bits: small, and fast enough for the few bytes of a stamp. */
static const uint32_t crc_nibbles[16] = {
	0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
	0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

uint32_t framestamp_crc32(uint32_t crc, const void *bytes, uint64_t length)
{
	const uint8_t *byte = bytes;

	crc = ~crc;
	for (uint64_t i = 0; i < length; i++) {
		crc ^= byte[i];
		crc = crc >> 4 ^ crc_nibbles[crc & 15];
		crc = crc >> 4 ^ crc_nibbles[crc & 15];
	}
	return ~crc;
}

uint32_t framestamp_crc(uint32_t frame, uint32_t width_px, uint32_t height_px, enum framestamp_strip strip)
{
	const uint32_t words[4] = {frame, width_px, height_px, (uint32_t)strip};
	uint8_t bytes[16];

	for (uint32_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(words[i / 4] >> (i % 4 * 8));
	return framestamp_crc32(0, bytes, sizeof bytes);
}

struct canvas_rect framestamp_rect(uint32_t height_px, enum framestamp_strip strip)
{
	int32_t y0 = strip == FRAMESTAMP_TOP ? 0 : (int32_t)height_px - FRAMESTAMP_HEIGHT;

	return (struct canvas_rect){0, y0, FRAMESTAMP_WIDTH, y0 + FRAMESTAMP_HEIGHT};
}

static void draw_row(uint32_t *row, uint64_t payload)
{
	for (uint32_t cell = 0; cell < FRAMESTAMP_CELLS; cell++) {
		uint32_t bit = cell < 8 ? FRAMESTAMP_SYNC >> (7 - cell) & 1 : payload >> (71 - cell) & 1;

		canvas_row_fill(row + cell * FRAMESTAMP_CELL_WIDTH, FRAMESTAMP_CELL_WIDTH,
				bit ? FRAMESTAMP_ONE : FRAMESTAMP_ZERO);
	}
}

void framestamp_draw(const struct canvas *canvas, uint32_t frame, enum framestamp_strip strip)
{
	struct canvas_rect cells = framestamp_rect(canvas->height_px, strip);
	uint32_t *first = canvas_row(canvas, cells.y0);
	int32_t width = (int32_t)canvas->width_px;

	draw_row(first, (uint64_t)frame << 32 | framestamp_crc(frame, canvas->width_px, canvas->height_px, strip));
	canvas_row_fill(first + cells.x1, width - cells.x1, FRAMESTAMP_ZERO);
	for (int32_t y = cells.y0 + 1; y < cells.y1; y++)
		canvas_row_copy(canvas_row(canvas, y), first, width);
}
