/*
 * How the wheel moves: (seed, frame number) → angle, phase and result, as a pure function.
 *
 * A spin is SPIN_FRAMES long: it speeds up evenly, eases out along a cubic, then rests on its result. Each spin starts
 * where the one before it ended.
 */
#ifndef SCENE_SPIN_H
#define SCENE_SPIN_H

#include "scene/trig.h"

#include <stdint.h>

#define SPIN_SEGMENTS 12u
#define SPIN_FASTER_FRAMES 60u  /* of constant acceleration */
#define SPIN_SLOWER_FRAMES 390u /* of easing out */
#define SPIN_REST_FRAMES 150u
#define SPIN_MOVING_FRAMES (SPIN_FASTER_FRAMES + SPIN_SLOWER_FRAMES)
#define SPIN_FRAMES (SPIN_MOVING_FRAMES + SPIN_REST_FRAMES)
#define SPIN_GLOW_LEVELS 8u

enum spin_phase {
	SPIN_FASTER,
	SPIN_SLOWER,
	SPIN_REST,
};

struct spin {
	uint32_t angle; /* of the edge where segment 0 begins, in 1/TRIG_TURN; falls while the wheel turns clockwise */
	enum spin_phase phase;
	uint32_t winner; /* the segment at the pointer when this spin ends */
	uint32_t glow;   /* of the winner, 1 … SPIN_GLOW_LEVELS at rest, else 0 */
};

struct spin spin_at(uint32_t seed, uint32_t frame);

/* The edge where a segment begins, relative to segment 0's. */
static inline uint32_t spin_edge(uint32_t segment)
{
	return segment * TRIG_TURN / SPIN_SEGMENTS;
}

#endif
