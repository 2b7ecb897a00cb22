/* scene/pieces: what a renderer is told of a frame, against what the scene draws itself. */
#include "test/ktest.h"

#include "base/heap.h"
#include "scene/framestamp.h"
#include "scene/pieces.h"
#include "scene/roulette_scene.h"

#define WIDTH 320u
#define HEIGHT 240u
#define FRAMES (2 * SPIN_FRAMES)
#define OPAQUE 0xff000000u

static struct roulette *scene;
static struct pieces_sheet sheet;
static struct canvas texture, picture;
static struct pieces pieces;

static struct canvas canvas_of(uint32_t width_px, uint32_t height_px)
{
	return (struct canvas){heap_alloc(4ul * width_px * height_px, 16), width_px, height_px, width_px};
}

static bool overlap(struct canvas_rect a, struct canvas_rect b)
{
	struct canvas_rect both = canvas_clip(a, b);

	return both.x0 < both.x1 && both.y0 < both.y1;
}

static void places(void)
{
	const struct canvas_rect all = {0, (int32_t)HEIGHT, (int32_t)sheet.width_px, (int32_t)sheet.height_px};
	struct canvas_rect rects[PIECES_BANNERS + SPIN_SEGMENTS];
	bool inside = true, apart = true;

	for (uint32_t i = 0; i < PIECES_BANNERS; i++)
		rects[i] = sheet.banners[i];
	for (uint32_t i = 0; i < SPIN_SEGMENTS; i++)
		rects[PIECES_BANNERS + i] = sheet.numbers[i];
	for (uint32_t i = 0; i < PIECES_BANNERS + SPIN_SEGMENTS; i++) {
		struct canvas_rect within = canvas_clip(rects[i], all);

		inside = inside && within.x0 == rects[i].x0 && within.y0 == rects[i].y0 && within.x1 == rects[i].x1 &&
			 within.y1 == rects[i].y1;
		for (uint32_t j = 0; j < i; j++)
			apart = apart && !overlap(rects[i], rects[j]);
	}
	ktest_check(inside, "everything on the texture lies within it, below the picture");
	ktest_check(apart, "and nothing upon another");
}

/* The texture's first rows are the picture, where nothing turns and no text changes. */
static void still(void)
{
	const struct canvas_rect disc = scene->layout.disc, banner = banner_inside(&scene->layout);
	bool same = true;

	roulette_draw(scene, &picture, 77);
	for (int32_t y = FRAMESTAMP_HEIGHT; y < (int32_t)HEIGHT - FRAMESTAMP_HEIGHT; y++) {
		for (int32_t x = 0; x < (int32_t)WIDTH; x++) {
			struct canvas_rect pixel = {x, y, x + 1, y + 1};
			uint32_t at = (uint32_t)y * WIDTH + (uint32_t)x;

			if (!overlap(pixel, disc) && !overlap(pixel, banner))
				same = same && texture.pixels[at] == (OPAQUE | picture.pixels[at]);
		}
	}
	ktest_check(same, "what stands still is on the texture, pixel by pixel");
}

static void banner(void)
{
	const struct canvas_rect from = sheet.banners[1], at = banner_inside(&scene->layout);
	bool same = true;

	for (int32_t y = 0; y < from.y1 - from.y0; y++)
		for (int32_t x = 0; x < from.x1 - from.x0; x++)
			same = same &&
			       texture.pixels[(uint32_t)(from.y0 + y) * WIDTH + (uint32_t)(from.x0 + x)] ==
				       (OPAQUE | picture.pixels[(uint32_t)(at.y0 + y) * WIDTH + (uint32_t)(at.x0 + x)]);
	ktest_check(same, "and the banner's text of a wheel that slows down");
}

static void frames(void)
{
	uint32_t most = 0;
	bool whole = true, ordered = true;

	for (uint32_t frame = 0; frame < FRAMES; frame++) {
		pieces_of(scene, &sheet, &picture, frame, &pieces);
		for (uint32_t kind = 0; kind < PIECE_KINDS; kind++) {
			ordered = ordered && pieces.begin[kind] < pieces.begin[kind + 1];
			whole = whole && pieces.begin[kind] % 3 == 0;
		}
		most = pieces.begin[PIECE_KINDS] > most ? pieces.begin[PIECE_KINDS] : most;
	}
	ktest_check(ordered && whole, "every frame has triangles of every kind");
	ktest_check(most <= PIECES_VERTICES_MAX && most > PIECES_VERTICES_MAX / 2, "as many as there is room for");
}

/* The columns that lit cells cover, against the strip that the scene draws. */
static void stamps(void)
{
	bool same = true;

	pieces_of(scene, &sheet, &picture, 0x9abcdef0, &pieces);
	for (uint32_t x = 0; x < FRAMESTAMP_WIDTH; x++) {
		uint32_t colour = 0;

		for (uint32_t i = pieces.begin[PIECE_STAMPS]; i < pieces.begin[PIECE_KINDS]; i += PIECES_QUAD) {
			const struct piece_vertex *quad = &pieces.vertices[i];

			if (!quad[0].y && quad[0].x >> 16 <= (int32_t)x && (int32_t)x < quad[1].x >> 16)
				colour = quad[0].first;
		}
		same = same && colour == (OPAQUE | picture.pixels[x]);
	}
	ktest_check(same, "a stamp's cells are those that the scene draws");
}

static void run(void)
{
	scene = heap_alloc(roulette_size(), 16);
	if (!scene || roulette_init(scene, WIDTH, HEIGHT, 1)) {
		ktest_check(false, "a scene is prepared");
		return;
	}
	sheet = pieces_sheet_of(scene);
	texture = canvas_of(sheet.width_px, sheet.height_px);
	picture = canvas_of(WIDTH, HEIGHT);
	pieces_sheet_draw(scene, &sheet, &texture, &picture);
	places();
	still();
	banner();
	frames();
	stamps();
}

KTEST_SUITE(pieces, run);
