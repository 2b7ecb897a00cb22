/* The wheel's segments: what colour each one has, lit or not. */
#ifndef SCENE_SEGMENT_H
#define SCENE_SEGMENT_H

#include "scene/spin.h"

#include <stdbool.h>
#include <stdint.h>

enum segment_zone {
	SEGMENT_NUMBERS, /* the outer ring, which carries the numbers */
	SEGMENT_CONE,    /* the inner one */
	SEGMENT_ZONES,
};

enum segment_paint {
	SEGMENT_RED,
	SEGMENT_BLACK,
	SEGMENT_LIT, /* the winner, while it glows */
	SEGMENT_PAINTS,
};

bool segment_is_red(uint32_t segment);
enum segment_paint segment_paint(const struct spin *spin, uint32_t segment);
uint32_t segment_colour(const struct spin *spin, enum segment_zone zone, enum segment_paint paint);

#endif
