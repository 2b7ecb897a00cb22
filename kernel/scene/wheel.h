/*
 * The turning disc of one frame: its segments' colours and the lines between them. wheel.c calculates them, and
 * wheel_draw.c draws them row by row.
 *
 * The twelve edges between segments lie on six lines through the centre, so every row crosses each line once, and the
 * colours alternate from crossing to crossing. A line is a divider: a band whose sides are antialiased over the width
 * that one pixel of distance takes along a row. Positions along a row are in 1/65536 pixel.
 */
#ifndef SCENE_WHEEL_H
#define SCENE_WHEEL_H

#include "scene/roulette_scene.h"
#include "scene/segment.h"

#define WHEEL_LINES (SPIN_SEGMENTS / 2)
#define WHEEL_LEVELS 16

struct wheel_shade {
	uint32_t fill;
	uint32_t edge[WHEEL_LEVELS + 1]; /* from the segment's colour to the divider's */
};

struct wheel_line {
	int64_t slope;        /* of its crossing, for each half row below the centre */
	int32_t level;        /* its crossing in the centre's row */
	int32_t outer, inner; /* from the crossing to where the band's coverage ends, and to where it is full */
	int32_t sine;         /* coverage gained for each pixel along the row */
	const struct wheel_shade *left[SEGMENT_ZONES]; /* of the segment before it */
};

struct wheel {
	const struct frame_view *view;
	struct wheel_shade shades[SEGMENT_ZONES][SEGMENT_PAINTS];
	/*
	 * From left to right above the centre (0) and below it (1), and one more beyond the picture: the segment before
	 * it is the last one.
	 */
	struct wheel_line lines[2][WHEEL_LINES + 1];
};

/* Calculates the disc of the view's frame; the view must outlive it. */
void wheel_set(struct wheel *wheel, const struct frame_view *view);

#endif
