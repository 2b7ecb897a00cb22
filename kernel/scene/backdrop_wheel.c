#include "base/minmax.h"
#include "scene/colour.h"
#include "scene/palette.h"
#include "scene/roulette_scene.h"
#include "scene/trig.h"

#include <stdbool.h>

/* Lengths here are in 1/16 pixel; a pixel is judged at its middle. */
#define SUB 16

struct stop {
	int32_t at;
	uint32_t colour;
};

/* Across the rim, from the segments outwards, in 1/256 of its width: gap, gold, mahogany, gold. */
static const struct stop rim_stops[] = {
	{0, 0x140c05},   {12, 0x1d1208},  {22, 0x8d6a24},  {48, 0xf4dc92},  {70, 0xa5792a},  {80, 0x2a120b},
	{100, 0x4a2015}, {150, 0x743a24}, {196, 0x40190f}, {206, 0x9a7228}, {226, 0xffe9a8}, {256, 0x8a6420},
};

/* From the hub's highlight outwards, in 1/256 of its radius. */
static const struct stop hub_stops[] = {
	{0, 0xfff6d6}, {50, 0xf0d488}, {150, 0xc1923a}, {260, 0x835e1f}, {400, 0x3d290b},
};

static uint32_t gradient(const struct stop *stops, int32_t count, int32_t at)
{
	int32_t i = 1;

	while (i < count - 1 && at >= stops[i].at)
		i++;
	at = clamp32(at, stops[i - 1].at, stops[i].at) - stops[i - 1].at;
	return colour_mix(stops[i - 1].colour, stops[i].colour, (uint32_t)(at * 256 / (stops[i].at - stops[i - 1].at)));
}

/* Share of a pixel that lies inside an edge, from its middle's distance to it. */
static uint32_t coverage(int32_t inside)
{
	return (uint32_t)clamp32(inside * (int32_t)COLOUR_ONE / SUB + (int32_t)COLOUR_ONE / 2, 0, (int32_t)COLOUR_ONE);
}

static struct backdrop_layer layer_over(struct backdrop_layer below, uint32_t colour, uint32_t cover)
{
	uint32_t rest = COLOUR_ONE - cover;

	if (rest == COLOUR_ONE)
		return below;
	if (rest == 0)
		return (struct backdrop_layer){colour, 0};
	return (struct backdrop_layer){colour_scale(colour, cover) + colour_scale(below.colour, rest),
				       below.rest * rest / COLOUR_ONE};
}

static int32_t distance(int32_t dx, int32_t dy)
{
	return (int32_t)trig_sqrt((uint32_t)(dx * dx) + (uint32_t)(dy * dy));
}

static struct backdrop_layer over_shadow(const struct layout *layout, struct backdrop_layer below, int32_t dx,
					 int32_t dy)
{
	int32_t reach = layout->shadow * SUB;
	int32_t past = distance(dx - reach / 3, dy - reach / 2) - layout->rim * SUB;

	if (reach == 0 || past >= reach)
		return below;
	past = clamp32(past, 0, reach);
	return layer_over(below, PALETTE_SHADOW, (uint32_t)((reach - past) * 150 / reach));
}

/* Light falls from above and a little from the left: brighter where the rim faces it. */
static uint32_t lit(uint32_t colour, int32_t dx, int32_t dy, int32_t r)
{
	int32_t facing = r == 0 ? 0 : (-2 * dx - 3 * dy) * 16 / r;

	return facing >= 0 ? colour_mix(colour, 0xffffff, (uint32_t)facing * 5 / 8)
			   : colour_mix(colour, 0x000000, (uint32_t)-facing * 5 / 4);
}

static struct backdrop_layer over_rim(const struct layout *layout, struct backdrop_layer below, int32_t dx, int32_t dy,
				      int32_t r)
{
	int32_t inner = layout->radius * SUB, outer = layout->rim * SUB;
	int32_t across = clamp32((r - inner) * 256 / (outer - inner), 0, 256);
	uint32_t colour = gradient(rim_stops, sizeof rim_stops / sizeof *rim_stops, across);
	uint32_t cover = r < (inner + outer) / 2 ? coverage(r - inner) : coverage(outer - r);

	return layer_over(below, across > 12 ? lit(colour, dx, dy, r) : colour, cover);
}

/* The eighth of a turn, counter-clockwise from the right, in which a point lies. */
static uint32_t octant(int32_t dx, int32_t dy)
{
	int32_t x = dx < 0 ? -dx : dx, y = dy < 0 ? -dy : dy;
	uint32_t from_right = y > x ? 1 : 0;

	if (dx < 0)
		from_right = 3 - from_right;
	return dy <= 0 ? from_right : 7 - from_right;
}

/* Eight ivory diamonds on the rim's wood, each in the middle of its octant. */
static struct backdrop_layer over_studs(const struct layout *layout, struct backdrop_layer below, int32_t dx,
					int32_t dy, int32_t r)
{
	int32_t middle = layout->radius * SUB + (layout->rim - layout->radius) * SUB * 140 / 256;
	int32_t size = (layout->rim - layout->radius) * SUB / 6;
	uint32_t angle = octant(dx, dy) * (TRIG_TURN / 8) + TRIG_TURN / 16;
	int32_t cosine, sine, along, aside, inside;

	if (r - middle > size + SUB || middle - r > size + SUB)
		return below;
	cosine = trig_cos(angle);
	sine = trig_sin(angle);
	along = (int32_t)(((int64_t)dx * cosine - (int64_t)dy * sine) / TRIG_ONE) - middle;
	aside = (int32_t)(((int64_t)dx * sine + (int64_t)dy * cosine) / TRIG_ONE);
	inside = size - (along < 0 ? -along : along) - (aside < 0 ? -aside : aside) * 2 / 3;
	if (inside <= -SUB)
		return below;
	below = layer_over(below, PALETTE_OUTLINE, coverage(inside + SUB));
	return layer_over(below, aside < 0 ? PALETTE_IVORY : PALETTE_GOLD_LIGHT, coverage(inside));
}

static struct backdrop_layer over_hub(const struct layout *layout, struct backdrop_layer below, int32_t dx, int32_t dy,
				      int32_t r)
{
	int32_t radius = layout->hub * SUB;
	int32_t glint = distance(dx + radius / 4, dy + radius / 3) * 256 / radius;
	uint32_t dome = gradient(hub_stops, sizeof hub_stops / sizeof *hub_stops, glint);
	int32_t groove = r - radius * 5 / 8;

	below = layer_over(below, PALETTE_OUTLINE, coverage(radius + 2 * SUB - r));
	below = layer_over(below, dome, coverage(radius - r));
	groove = groove < 0 ? -groove : groove;
	return layer_over(below, PALETTE_GOLD_DARK, coverage(radius / 40 + SUB / 2 - groove) / 2);
}

static struct backdrop_layer over_ring(const struct layout *layout, struct backdrop_layer below, int32_t r)
{
	int32_t off = r - layout->ring * SUB;
	int32_t half = layout->radius * SUB / 160 + SUB / 2;

	off = off < 0 ? -off : off;
	return off >= half + SUB ? below : layer_over(below, PALETTE_DIVIDER, coverage(half - off));
}

/* A wedge that points down at the segments: its two faces meet in the middle. */
static struct backdrop_layer over_pointer(const struct layout *layout, struct backdrop_layer below, int32_t dx,
					  int32_t dy)
{
	int32_t tip = -layout->tip * SUB, base = -(layout->rim + layout->shadow / 2) * SUB;
	int32_t side = dx < 0 ? -dx : dx;
	int32_t inside = tip - dy - 3 * side;

	if (inside <= -POINTER_OUTLINE * SUB)
		return below;
	/* The side runs 1 across for 3 down; its normal is (3, 1) / sqrt(10). */
	inside = inside * 100 / 316;
	if (dy - base < inside)
		inside = dy - base;
	if (inside <= -3 * SUB)
		return below;
	below = layer_over(below, PALETTE_OUTLINE, coverage(inside + 2 * SUB));
	return layer_over(below, dx < 0 ? PALETTE_GOLD_LIGHT : PALETTE_GOLD, coverage(inside));
}

/* Whether none of the still parts is here: most of the disc and all beyond the shadow, found without a root. */
static bool is_clear(const struct layout *layout, int32_t dx, int32_t dy)
{
	int32_t square = (dx * dx + dy * dy) / (SUB * SUB);
	int32_t edge = layout->radius - 2, ring_out = layout->ring + layout->radius / 128 + 3;
	int32_t ring_in = 2 * layout->ring - ring_out, hub = layout->hub + 4;
	int32_t beyond = layout->rim + 2 * layout->shadow;

	if (dy < 0 && (dx < 0 ? -dx : dx) < layout->radius * SUB / 8)
		return false;
	if (square > beyond * beyond)
		return true;
	return (square < edge * edge && square > ring_out * ring_out) ||
	       (square < ring_in * ring_in && square > hub * hub);
}

struct backdrop_layer backdrop_wheel(const struct layout *layout, int32_t x, int32_t y, struct backdrop_layer below)
{
	int32_t dx = (2 * (x - layout->cx) + 1) * SUB / 2, dy = (2 * (y - layout->cy) + 1) * SUB / 2;
	int32_t inner = layout->radius * SUB, outer = layout->rim * SUB;
	int32_t r;

	if (is_clear(layout, dx, dy))
		return below;
	if (dx * dx + dy * dy > (outer + SUB) * (outer + SUB)) {
		below = over_shadow(layout, below, dx, dy);
		return over_pointer(layout, below, dx, dy);
	}
	r = distance(dx, dy);
	if (r > outer - SUB)
		below = over_shadow(layout, below, dx, dy);
	if (r > inner - SUB && r < outer + SUB)
		below = over_rim(layout, below, dx, dy, r);
	if (r > inner + SUB && r < outer)
		below = over_studs(layout, below, dx, dy, r);
	if (r < (layout->hub + 4) * SUB)
		below = over_hub(layout, below, dx, dy, r);
	below = over_ring(layout, below, r);
	return over_pointer(layout, below, dx, dy);
}
