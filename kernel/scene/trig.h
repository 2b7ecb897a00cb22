/*
 * Angles and roots in integers. Angles are in 1/65536 of a turn (0.0055 degrees), counter-clockwise from the right.
 */
#ifndef SCENE_TRIG_H
#define SCENE_TRIG_H

#include <stdint.h>

#define TRIG_TURN 65536u
#define TRIG_ONE 65536 /* 1.0 in sines and cosines */

/* Linear between 1,024 points a turn: within 1e-5 of the sine. */
int32_t trig_sin(uint32_t angle);
int32_t trig_cos(uint32_t angle);
/* The largest integer whose square is not above the value. */
uint32_t trig_sqrt(uint32_t value);

#endif
