/*
 * All of scene/golden.txt, drawn here: that every architecture and compiler makes the pixels that were approved, in
 * small, odd and large modes. Takes long, so it runs when it is asked for by name.
 */
#include "test/ktest.h"

#include "base/heap.h"
#include "scene/canvas.h"
#include "scene/roulette.h"

#define GOLDEN_SEED 1u

struct golden_row {
	uint32_t frame, width_px, height_px, crc;
};

/* One braced row a line of golden.txt, by the Makefile. */
static const struct golden_row rows[] = {
#include "golden_rows.inc"
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* CRC-32 of four bytes at a time: steps[k][b] is byte b followed by k zero bytes. */
static uint32_t steps[4][256];

static void steps_fill(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;

		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
		steps[0][byte] = crc;
	}
	for (unsigned k = 1; k < 4; k++)
		for (uint32_t byte = 0; byte < 256; byte++)
			steps[k][byte] = steps[k - 1][byte] >> 8 ^ steps[0][steps[k - 1][byte] & 255];
}

static uint32_t crc_of(const uint32_t *words, uint64_t count)
{
	uint32_t crc = UINT32_MAX;

	for (uint64_t i = 0; i < count; i++) {
		crc ^= words[i];
		crc = steps[3][crc & 255] ^ steps[2][crc >> 8 & 255] ^ steps[1][crc >> 16 & 255] ^ steps[0][crc >> 24];
	}
	return ~crc;
}

static void run(void)
{
	struct roulette *scene = heap_alloc(roulette_size(), 16);
	uint32_t *pixels = heap_alloc(4ul * ROULETTE_WIDTH_MAX * ROULETTE_HEIGHT_MAX, 4096);
	unsigned wrong = 0, modes = 0;

	if (!ktest_check(scene && pixels, "there is memory for the largest mode"))
		return;
	steps_fill();
	ktest_check(crc_of((const uint32_t[]){0x34333231, 0x38373635}, 2) == 0x9ae0daaf,
		    "the CRC-32 of 12345678 is known");
	for (unsigned i = 0; i < ROWS; i++) {
		const struct golden_row *row = &rows[i];
		const struct canvas canvas = {pixels, row->width_px, row->height_px, row->width_px};

		if (i == 0 || row->width_px != rows[i - 1].width_px || row->height_px != rows[i - 1].height_px) {
			modes++;
			if (!ktest_check(!roulette_init(scene, row->width_px, row->height_px, GOLDEN_SEED),
					 "the scene takes the mode"))
				return;
		}
		roulette_draw(scene, &canvas, row->frame);
		if (crc_of(pixels, (uint64_t)row->width_px * row->height_px) == row->crc)
			continue;
		if (!wrong++)
			ktest_note("frame %u of %ux%u is the first that differs", row->frame, row->width_px,
				   row->height_px);
	}
	ktest_note("%u frames in %u modes, %u differ", (unsigned)ROWS, modes, wrong);
	ktest_check(ROWS >= 1000 && !wrong, "1,000 frames have the pixels that were approved");
}

KTEST_SUITE_BY_NAME(golden, run);
