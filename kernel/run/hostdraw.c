#include "run/hostdraw.h"

#include "base/heap.h"
#include "base/print.h"
#include "base/string.h"
#include "drivers/virtio/gpu_virgl_draw.h"
#include "scene/framestamp.h"
#include "scene/pieces.h"

#include <stddef.h>

#define PAGE 4096

static struct {
	const struct roulette *roulette;
	struct canvas scratch;
	struct pieces_sheet sheet;
	struct pieces pieces;
} drawn;

_Static_assert(sizeof(struct piece_vertex) == sizeof(struct gpu_draw_vertex) &&
		       offsetof(struct piece_vertex, u) == offsetof(struct gpu_draw_vertex, u) &&
		       offsetof(struct piece_vertex, first) == offsetof(struct gpu_draw_vertex, first),
	       "pieces are vertices as they are");

static const enum virgl_fragment_shader shaders[PIECE_KINDS] = {
	[PIECE_SECTORS] = VIRGL_SECTOR, [PIECE_DIVIDERS] = VIRGL_BAND,  [PIECE_STILL] = VIRGL_TEXTURE,
	[PIECE_NUMBERS] = VIRGL_LABEL,  [PIECE_BANNER] = VIRGL_TEXTURE, [PIECE_STAMPS] = VIRGL_SECTOR,
};

/* Whether a strip that was read back is the one that the scene draws in its place. */
static bool strip_is(struct gpu *gpu, uint32_t frame, enum framestamp_strip strip)
{
	static uint32_t read[FRAMESTAMP_WIDTH];
	const struct canvas_rect cells = framestamp_rect(drawn.scratch.height_px, strip);
	const struct gpu_rectangle rectangle = {0, (uint32_t)cells.y0, FRAMESTAMP_WIDTH, FRAMESTAMP_HEIGHT};
	uint32_t *row = drawn.scratch.pixels + (uint64_t)rectangle.y * drawn.scratch.stride_px;
	uint32_t off = 0;

	memset(row, 0, sizeof(read));
	if (gpu_draw_read(gpu, &rectangle))
		return false;
	memcpy(read, row, sizeof(read));
	framestamp_draw(&drawn.scratch, frame, strip);
	for (uint32_t i = 0; i < FRAMESTAMP_WIDTH; i++)
		off += (read[i] ^ row[i]) & 0xffffff ? 1 : 0;
	if (off)
		print("virtio-gpu: the host's renderer did not draw what it was told: %u of %u pixels of frame %u's "
		      "stamp are others, the first 0x%x\n",
		      off, FRAMESTAMP_WIDTH, frame, read[0]);
	return !off;
}

bool hostdraw_start(struct gpu *gpu, const struct roulette *roulette, const struct canvas *scratch, uint32_t frame)
{
	struct gpu_framebuffer texture;
	struct canvas canvas;

	drawn.roulette = roulette;
	drawn.scratch = *scratch;
	drawn.sheet = pieces_sheet_of(roulette);
	canvas = (struct canvas){heap_alloc(4ul * drawn.sheet.width_px * drawn.sheet.height_px, PAGE),
				 drawn.sheet.width_px, drawn.sheet.height_px, drawn.sheet.width_px};
	if (!canvas.pixels) {
		print("roulette: no memory for the texture\n");
		return false;
	}
	pieces_sheet_draw(roulette, &drawn.sheet, &canvas, scratch);
	texture = (struct gpu_framebuffer){canvas.pixels, canvas.width_px, canvas.height_px, canvas.stride_px};
	if (gpu_draw_start(gpu, &texture, PIECES_VERTICES_MAX, PIECE_KINDS) || !hostdraw_frame(frame) ||
	    gpu_draw_unseen(gpu))
		return false;
	return strip_is(gpu, frame, FRAMESTAMP_TOP) && strip_is(gpu, frame, FRAMESTAMP_BOTTOM);
}

bool hostdraw_frame(uint32_t frame)
{
	struct gpu_draw_batch batches[PIECE_KINDS];
	const struct pieces *pieces = &drawn.pieces;

	pieces_of(drawn.roulette, &drawn.sheet, &drawn.scratch, frame, &drawn.pieces);
	for (uint32_t kind = 0; kind < PIECE_KINDS; kind++)
		batches[kind] = (struct gpu_draw_batch){shaders[kind], pieces->begin[kind],
							pieces->begin[kind + 1] - pieces->begin[kind]};
	return !gpu_draw_frame((const struct gpu_draw_vertex *)(const void *)pieces->vertices,
			       pieces->begin[PIECE_KINDS], batches, PIECE_KINDS);
}
