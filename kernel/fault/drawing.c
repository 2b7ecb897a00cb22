/* Faults of the picture, and of the time that drawing needs. */
#include "fault/fault.h"

#define BLANK_FROM 60 /* the frame */

static uint64_t picture_pixels(struct fault_picture picture)
{
	return (uint64_t)picture.stride_px * picture.height_px;
}

static void every_fifth(struct fault_frame_plan *plan, uint32_t count, uint32_t slow)
{
	(void)slow;
	plan->spoil = count % 5 == 4;
}

static void shift_rows(struct fault_picture picture)
{
	for (uint32_t y = 0; y < picture.height_px; y++) {
		uint32_t *row = picture.pixels + (uint64_t)y * picture.stride_px;
		uint32_t by = 16 * y % picture.width_px;

		for (uint32_t x = picture.width_px - 1; x >= by && x; x--)
			row[x] = row[x - by];
	}
}
FAULT_DECLARE(wrong_stride, "corrupt", 3, "pixels",
	      "in every 5th frame each row begins 16 pixels further right than the row above", .frame = every_fifth,
	      .spoil = shift_rows);

static void flip(struct fault_picture picture)
{
	picture.pixels[picture_pixels(picture) / 2 + picture.stride_px / 3] ^= 1;
}
FAULT_DECLARE(flip_pixel, "corrupt", 3, "pixels", "one pixel of every 5th frame is off by one level of blue",
	      .frame = every_fifth, .spoil = flip);

static void swap_colours(struct fault_picture picture)
{
	for (uint64_t i = 0; i < picture_pixels(picture); i++) {
		uint32_t pixel = picture.pixels[i];

		picture.pixels[i] = (pixel & 0xff00) | (pixel & 0xff) << 16 | (pixel >> 16 & 0xff);
	}
}
FAULT_DECLARE(shift_colour, "corrupt", 3, "pixels", "red and blue are swapped in every 5th frame", .frame = every_fifth,
	      .spoil = swap_colours);

static void from_a_frame_on(struct fault_frame_plan *plan, uint32_t count, uint32_t slow)
{
	(void)slow;
	plan->spoil = count >= BLANK_FROM;
}

static void blacken(struct fault_picture picture)
{
	for (uint64_t i = 0; i < picture_pixels(picture); i++)
		picture.pixels[i] = 0;
}
FAULT_DECLARE(blank, "blank", 3, "pixels", "black from the 60th frame on", .frame = from_a_frame_on, .spoil = blacken);

static void draw_an_old_one(struct fault_frame_plan *plan, uint32_t count, uint32_t slow)
{
	(void)slow;
	if (count % 10 == 9 && plan->draw_instead >= 3)
		plan->draw_instead -= 3;
}
FAULT_DECLARE(stale_frame, "stale", 3, "", "every 10th frame shows the picture of three frames before",
	      .frame = draw_an_old_one);

static void draw_more(struct fault_frame_plan *plan, uint32_t count, uint32_t slow)
{
	(void)count;
	plan->extra_per_cent = slow;
}
FAULT_DECLARE(slow_draw, "regression", 1, "pixels",
	      "`slow` per cent of the rows of every frame are drawn again (10 if not given)", .frame = draw_more);

static void stall(struct fault_frame_plan *plan, uint32_t count, uint32_t slow)
{
	(void)slow;
	if (count % 64 == 63)
		plan->stall_ms = 4;
}
FAULT_DECLARE(hiccup, "regression", 1, "",
	      "one frame in 64 needs 4 ms more: seen in the 99th percentile, little in the mean", .frame = stall);
