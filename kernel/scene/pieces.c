#include "scene/pieces.h"

#include "scene/canvas_row.h"
#include "scene/palette.h"
#include "scene/roulette_scene.h"
#include "scene/segment.h"
#include "scene/trig.h"

#define OPAQUE 0xff000000u
/* A triangle as wide as a segment holds the arc of radius 1 when its sides are 1 / cos(15 degrees) = 1.0353 long. */
#define SIDE(radius) ((radius)*27 / 26 + 1)

struct maker {
	const struct roulette *roulette;
	const struct pieces_sheet *sheet;
	struct spin spin;
	struct pieces *pieces;
	uint32_t count;
};

static void vertex_add(struct maker *maker, struct piece_vertex vertex)
{
	maker->pieces->vertices[maker->count++] = vertex;
}

/* Corners in the order of going round. */
static void quad_add(struct maker *maker, const struct piece_vertex corners[4])
{
	static const uint8_t order[PIECES_QUAD] = {0, 1, 2, 0, 2, 3};

	for (uint32_t i = 0; i < PIECES_QUAD; i++)
		vertex_add(maker, corners[order[i]]);
}

/* A rectangle of the picture, with one of the texture on it. */
static void image_add(struct maker *maker, struct canvas_rect at, struct canvas_rect from)
{
	quad_add(maker, (const struct piece_vertex[4]){
				{at.x0 << 16, at.y0 << 16, from.x0 << 16, from.y0 << 16, 0, 0},
				{at.x1 << 16, at.y0 << 16, from.x1 << 16, from.y0 << 16, 0, 0},
				{at.x1 << 16, at.y1 << 16, from.x1 << 16, from.y1 << 16, 0, 0},
				{at.x0 << 16, at.y1 << 16, from.x0 << 16, from.y1 << 16, 0, 0},
			});
}

static void colour_add(struct maker *maker, struct canvas_rect at, uint32_t colour)
{
	colour |= OPAQUE;
	quad_add(maker, (const struct piece_vertex[4]){{at.x0 << 16, at.y0 << 16, 0, 0, colour, colour},
						       {at.x1 << 16, at.y0 << 16, 0, 0, colour, colour},
						       {at.x1 << 16, at.y1 << 16, 0, 0, colour, colour},
						       {at.x0 << 16, at.y1 << 16, 0, 0, colour, colour}});
}

/* A point of the disc, by its way from the middle in 1/65536 pixel, y downwards. */
static struct piece_vertex disc_point(const struct maker *maker, int32_t x, int32_t y)
{
	const struct layout *layout = &maker->roulette->layout;

	return (struct piece_vertex){.x = layout->cx * TRIG_ONE + x, .y = layout->cy * TRIG_ONE + y};
}

static uint32_t segment_edge(const struct maker *maker, uint32_t segment)
{
	return maker->spin.angle + spin_edge(segment);
}

/* The colours of a segment at a point of the disc. */
static void sector_paint(const struct maker *maker, struct piece_vertex *vertex, enum segment_paint paint)
{
	const struct layout *layout = &maker->roulette->layout;

	vertex->u = (vertex->x - layout->cx * TRIG_ONE) / layout->ring;
	vertex->v = (vertex->y - layout->cy * TRIG_ONE) / layout->ring;
	vertex->first = OPAQUE | segment_colour(&maker->spin, SEGMENT_NUMBERS, paint);
	vertex->second = OPAQUE | segment_colour(&maker->spin, SEGMENT_CONE, paint);
}

static void sector_add(struct maker *maker, uint32_t segment)
{
	const int32_t side = SIDE(maker->roulette->layout.radius + 2);

	for (uint32_t corner = 0; corner < 3; corner++) {
		uint32_t angle = segment_edge(maker, segment + corner / 2);
		struct piece_vertex vertex =
			disc_point(maker, corner ? trig_cos(angle) * side : 0, corner ? -trig_sin(angle) * side : 0);

		sector_paint(maker, &vertex, segment_paint(&maker->spin, segment));
		vertex_add(maker, vertex);
	}
}

/* Where the line from a to b meets row y; they lie on different sides of it. */
static struct piece_vertex meet(const struct piece_vertex *a, const struct piece_vertex *b, int32_t y)
{
	const int64_t part = y - a->y, whole = b->y - a->y;
	struct piece_vertex at = *a;

	at.x += (int32_t)((b->x - a->x) * part / whole);
	at.u += (int32_t)((b->u - a->u) * part / whole);
	at.v += (int32_t)((b->v - a->v) * part / whole);
	at.y = y;
	return at;
}

/* The part of a convex quadrangle that lies above row y, or below it. */
static void half_add(struct maker *maker, const struct piece_vertex corners[4], int32_t y, bool above)
{
	struct piece_vertex kept[6];
	uint32_t count = 0;

	for (uint32_t i = 0; i < 4; i++) {
		const struct piece_vertex *a = &corners[i], *b = &corners[(i + 1) % 4];

		if (above == (a->y < y))
			kept[count++] = *a;
		if ((a->y < y) != (b->y < y))
			kept[count++] = meet(a, b, y);
	}
	for (uint32_t i = 2; i < count; i++) {
		vertex_add(maker, kept[0]);
		vertex_add(maker, kept[i - 1]);
		vertex_add(maker, kept[i]);
	}
}

/* Along the line through the middle at an angle, from one distance to another, as wide as a divider and its sides. */
static void strip_of(const struct maker *maker, uint32_t angle, int32_t from, int32_t to,
		     struct piece_vertex corners[4])
{
	const int32_t cosine = trig_cos(angle), sine = trig_sin(angle);
	int32_t half = maker->roulette->layout.radius * TRIG_ONE / 160 + TRIG_ONE / 4, reach;

	half = half < TRIG_ONE * 3 / 4 ? TRIG_ONE * 3 / 4 : half;
	reach = half + TRIG_ONE / 2;
	for (uint32_t i = 0; i < 4; i++) {
		int32_t along = i < 2 ? to : from;
		int32_t aside = i == 0 || i == 3 ? reach : -reach;

		corners[i] = disc_point(maker, cosine * along + (int32_t)((int64_t)sine * aside >> 16),
					-sine * along + (int32_t)((int64_t)cosine * aside >> 16));
		corners[i].u = reach + aside;
		corners[i].v = reach - aside;
		corners[i].first = OPAQUE | PALETTE_DIVIDER;
	}
}

/*
 * A divider in one half of the disc, whose sides fade over the width of a pixel, as in wheel.c. That goes through each
 * row from left to right: what reaches beyond the middle, of dividers that are nearly level, is there of the first one
 * only, and that one hides the others.
 */
static void divider_add(struct maker *maker, uint32_t angle, bool above, bool first)
{
	const struct layout *layout = &maker->roulette->layout;
	const int32_t length = layout->radius + 2;
	struct piece_vertex corners[4];

	strip_of(maker, angle, first ? -length : 0, length, corners);
	half_add(maker, corners, layout->cy * TRIG_ONE, above);
}

/* The first edge counter-clockwise of the right. */
static uint32_t first_edge(const struct maker *maker)
{
	uint32_t first = 0;

	for (uint32_t i = 1; i < SPIN_SEGMENTS; i++) {
		if ((segment_edge(maker, i) & (TRIG_TURN - 1)) < (segment_edge(maker, first) & (TRIG_TURN - 1)))
			first = i;
	}
	return first;
}

/* The edge of a half's first divider from the left, towards it. */
static uint32_t leftmost(const struct maker *maker, bool above)
{
	const uint32_t first = first_edge(maker);

	return above ? segment_edge(maker, (first + SPIN_SEGMENTS / 2 - 1) % SPIN_SEGMENTS)
		     : segment_edge(maker, first) + TRIG_TURN / 2;
}

/* What the first divider of a half fades into beyond the middle: the segment to the right of it on its own side. */
static void beyond_add(struct maker *maker, bool above)
{
	const struct layout *layout = &maker->roulette->layout;
	const uint32_t beside = first_edge(maker) + SPIN_SEGMENTS / 2 - (above ? 2 : 0);
	const enum segment_paint paint = segment_paint(&maker->spin, beside % SPIN_SEGMENTS);
	struct piece_vertex corners[4];

	strip_of(maker, leftmost(maker, above), -layout->radius - 2, 0, corners);
	for (uint32_t i = 0; i < 4; i++)
		sector_paint(maker, &corners[i], paint);
	half_add(maker, corners, layout->cy * TRIG_ONE, above);
}

/* Each half from right to left. */
static void dividers_add(struct maker *maker)
{
	const uint32_t first = first_edge(maker);

	for (uint32_t i = 0; i < SPIN_SEGMENTS / 2 - 1; i++) {
		divider_add(maker, segment_edge(maker, (first + i) % SPIN_SEGMENTS), true, false);
		divider_add(maker, segment_edge(maker, (first + i + 1) % SPIN_SEGMENTS) + TRIG_TURN / 2, false, false);
	}
	divider_add(maker, leftmost(maker, true), true, true);
	divider_add(maker, leftmost(maker, false), false, true);
}

/* Upright as seen from the rim, two samples a pixel, as in label.c. */
static void number_add(struct maker *maker, uint32_t segment)
{
	const struct layout *layout = &maker->roulette->layout;
	const struct canvas_rect from = maker->sheet->numbers[segment];
	const uint32_t middle = segment_edge(maker, segment) + TRIG_TURN / SPIN_SEGMENTS / 2;
	const int32_t cosine = trig_cos(middle), sine = trig_sin(middle), distance = layout->radius * 51 / 64;
	const int32_t width = from.x1 - from.x0, height = from.y1 - from.y0;
	const enum segment_paint paint = segment_paint(&maker->spin, segment);
	struct piece_vertex corners[4];

	for (uint32_t i = 0; i < 4; i++) {
		bool right = i == 1 || i == 2, below = i >= 2;
		int32_t across = right ? width : -width, down = below ? height : -height;

		corners[i] = disc_point(maker, cosine * distance + (sine * across - cosine * down) / 4,
					-sine * distance + (cosine * across + sine * down) / 4);
		corners[i].u = (right ? from.x1 : from.x0) << 16;
		corners[i].v = (below ? from.y1 : from.y0) << 16;
		corners[i].first = OPAQUE | (paint == SEGMENT_LIT ? PALETTE_OUTLINE : PALETTE_IVORY);
		corners[i].second = OPAQUE | segment_colour(&maker->spin, SEGMENT_NUMBERS, paint);
	}
	quad_add(maker, corners);
}

static void banner_add(struct maker *maker)
{
	uint32_t banner = maker->spin.phase == SPIN_FASTER ? 0 : 1;

	if (maker->spin.phase == SPIN_REST)
		banner = 2 + maker->spin.winner;
	image_add(maker, banner_inside(&maker->roulette->layout), maker->sheet->banners[banner]);
}

/* The strip's ground, and each stretch of lit cells on it. */
static void strip_add(struct maker *maker, const struct canvas *scratch, enum framestamp_strip strip)
{
	struct canvas_rect cells = framestamp_rect(scratch->height_px, strip), at = cells;
	const uint32_t *row = canvas_row(scratch, cells.y0);

	at.x1 = (int32_t)scratch->width_px;
	colour_add(maker, at, FRAMESTAMP_ZERO);
	for (at.x0 = 0; at.x0 < cells.x1; at.x0 = at.x1) {
		at.x1 = at.x0 + FRAMESTAMP_CELL_WIDTH;
		while (at.x1 < cells.x1 && row[at.x1] == row[at.x0])
			at.x1 += FRAMESTAMP_CELL_WIDTH;
		if (row[at.x0] == FRAMESTAMP_ONE)
			colour_add(maker, at, FRAMESTAMP_ONE);
	}
}

static void kind_add(struct maker *maker, enum piece_kind kind, const struct canvas *scratch)
{
	const struct layout *layout = &maker->roulette->layout;
	const struct canvas_rect still = {0, FRAMESTAMP_HEIGHT, layout->width, layout->height - FRAMESTAMP_HEIGHT};

	switch (kind) {
	case PIECE_SECTORS:
		for (uint32_t i = 0; i < SPIN_SEGMENTS; i++)
			sector_add(maker, i);
		beyond_add(maker, true);
		beyond_add(maker, false);
		break;
	case PIECE_DIVIDERS:
		dividers_add(maker);
		break;
	case PIECE_STILL:
		image_add(maker, still, still);
		break;
	case PIECE_NUMBERS:
		for (uint32_t i = 0; i < SPIN_SEGMENTS; i++)
			number_add(maker, i);
		break;
	case PIECE_BANNER:
		banner_add(maker);
		break;
	default:
		strip_add(maker, scratch, FRAMESTAMP_TOP);
		strip_add(maker, scratch, FRAMESTAMP_BOTTOM);
	}
}

void pieces_of(const struct roulette *roulette, const struct pieces_sheet *sheet, const struct canvas *scratch,
	       uint32_t frame, struct pieces *pieces)
{
	struct maker maker = {
		.roulette = roulette, .sheet = sheet, .spin = spin_at(roulette->seed, frame), .pieces = pieces};

	framestamp_draw(scratch, frame, FRAMESTAMP_TOP);
	framestamp_draw(scratch, frame, FRAMESTAMP_BOTTOM);
	for (uint32_t kind = 0; kind < PIECE_KINDS; kind++) {
		pieces->begin[kind] = maker.count;
		kind_add(&maker, (enum piece_kind)kind, scratch);
	}
	pieces->begin[PIECE_KINDS] = maker.count;
}
