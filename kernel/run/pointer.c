#include "run/pointer.h"

#include "drivers/virtio/gpu_cursor.h"
#include "scene/palette.h"

#define OPAQUE 0xff000000u
/* It sways to either side, so that neighbouring frames differ. */
#define SWAY_PX 16u
#define SWAY_STEP 7u

static const struct gpu_framebuffer *framebuffer;

static uint32_t x_of(uint32_t frame)
{
	return framebuffer->width_px / 2 + frame % 4096 * SWAY_STEP % (2 * SWAY_PX + 1) - SWAY_PX;
}

/* As the wheel's own: a wedge that points down, lighter on its left. */
static void paint(struct gpu_cursor *cursor)
{
	uint32_t middle = GPU_CURSOR_PX / 2;

	for (uint32_t y = 0; y < GPU_CURSOR_PX; y++) {
		uint32_t half = (GPU_CURSOR_PX - 1 - y) / 3;

		for (uint32_t x = middle - half; x <= middle + half; x++)
			cursor->pixels[y * GPU_CURSOR_PX + x] =
				OPAQUE | (x < middle ? PALETTE_GOLD_LIGHT : PALETTE_GOLD);
	}
	cursor->hot_x = middle;
	cursor->hot_y = GPU_CURSOR_PX - 1;
}

bool pointer_start(struct gpu *gpu, uint32_t frame)
{
	framebuffer = &gpu->framebuffer;
	paint(&gpu_cursor);
	return !gpu_cursor_show(&gpu_cursor, x_of(frame), framebuffer->height_px / 4);
}

bool pointer_move(uint32_t frame)
{
	return !gpu_cursor_move(&gpu_cursor, x_of(frame), framebuffer->height_px / 4);
}
