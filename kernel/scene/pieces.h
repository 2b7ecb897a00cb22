/*
 * The scene in pieces that a renderer draws: triangles over a texture, in the order in which they lie. DRAW=gpu only;
 * the same frame as roulette_draw's, but rounded as the renderer rounds.
 *
 * The texture is drawn once: what stands still, with the share of what lies below as its opacity; every text that the
 * banner can show; and the numbers' masks. A frame is then vertices alone. Positions have their origin at the picture's
 * upper left corner, and corners of pixels have whole numbers.
 */
#ifndef SCENE_PIECES_H
#define SCENE_PIECES_H

#include "scene/canvas.h"
#include "scene/framestamp.h"
#include "scene/roulette.h"
#include "scene/spin.h"

#include <stdint.h>

/* In the order in which they are drawn. */
enum piece_kind {
	PIECE_SECTORS,  /* of the disc: (u, v) is the way from its middle, 1 at the ring between its two colours */
	PIECE_DIVIDERS, /* between them: u and v are the distances from both sides, in pixels */
	PIECE_STILL,    /* all that stands still: (u, v) is a texel, as in the next two */
	PIECE_NUMBERS,  /* the second colour is the paper below the ink, the first */
	PIECE_BANNER,
	PIECE_STAMPS, /* flat, like a sector of one colour */
	PIECE_KINDS,
};

/* In 1/65536; colours 0xAARRGGBB, opaque. */
struct piece_vertex {
	int32_t x, y, u, v;
	uint32_t first, second;
};

#define PIECES_QUAD 6
/* A half of a divider has up to five corners, a strip of a stamp every second cell lit on its own. */
#define PIECES_VERTICES_MAX                                                                                            \
	(SPIN_SEGMENTS * (3 + 9 + PIECES_QUAD) + 2 * 9 + 2 * PIECES_QUAD + 2 * PIECES_QUAD * (1 + FRAMESTAMP_CELLS / 2))

struct pieces {
	struct piece_vertex vertices[PIECES_VERTICES_MAX];
	uint32_t begin[PIECE_KINDS + 1]; /* kind k has vertices begin[k] … begin[k + 1] - 1 */
};

/* Texts of the banner: before, while the wheel slows down, and every result. */
#define PIECES_BANNERS (2 + SPIN_SEGMENTS)

/* Where everything stands on the texture. */
struct pieces_sheet {
	uint32_t width_px, height_px;
	struct canvas_rect banners[PIECES_BANNERS], numbers[SPIN_SEGMENTS];
};

struct pieces_sheet pieces_sheet_of(const struct roulette *roulette);
/* Draws the texture of B, G, R and opacity. scratch: a canvas of the picture's size. sheet and texture: of one size. */
void pieces_sheet_draw(const struct roulette *roulette, const struct pieces_sheet *sheet, const struct canvas *texture,
		       const struct canvas *scratch);

/* One frame. Its stamps are drawn on the scratch canvas, and taken from there. */
void pieces_of(const struct roulette *roulette, const struct pieces_sheet *sheet, const struct canvas *scratch,
	       uint32_t frame, struct pieces *pieces);

#endif
