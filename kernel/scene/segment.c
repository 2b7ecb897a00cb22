#include "scene/segment.h"

#include "scene/colour.h"
#include "scene/palette.h"

bool segment_is_red(uint32_t segment)
{
	return segment % 2 == 0;
}

enum segment_paint segment_paint(const struct spin *spin, uint32_t segment)
{
	if (spin->glow && segment == spin->winner)
		return SEGMENT_LIT;
	return segment_is_red(segment) ? SEGMENT_RED : SEGMENT_BLACK;
}

static uint32_t lit_colour(const struct spin *spin)
{
	uint32_t share = COLOUR_ONE / 2 + spin->glow * COLOUR_ONE / 2 / SPIN_GLOW_LEVELS;

	return colour_mix(segment_is_red(spin->winner) ? PALETTE_RED : PALETTE_BLACK, PALETTE_LIT, share);
}

uint32_t segment_colour(const struct spin *spin, enum segment_zone zone, enum segment_paint paint)
{
	switch (paint) {
	case SEGMENT_RED:
		return zone == SEGMENT_CONE ? PALETTE_RED_CONE : PALETTE_RED;
	case SEGMENT_BLACK:
		return zone == SEGMENT_CONE ? PALETTE_BLACK_CONE : PALETTE_BLACK;
	default:
		return zone == SEGMENT_CONE ? colour_scale(lit_colour(spin), COLOUR_ONE * 3 / 4) : lit_colour(spin);
	}
}
