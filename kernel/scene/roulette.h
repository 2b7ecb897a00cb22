/*
 * The roulette: (mode, seed, frame number) → pixels, as a pure integer function.
 *
 * Called by the frame loop on the drawing CPU, and natively by the harness's oracle through ctypes. The same
 * arguments give the same pixels on every compiler and architecture, under FILL=fast and FILL=pixel, drawn whole
 * or by damage. `struct roulette` is filled once by roulette_init and only read afterwards.
 */
#ifndef SCENE_ROULETTE_H
#define SCENE_ROULETTE_H

#include "scene/canvas.h"

#include <stdint.h>

#define ROULETTE_WIDTH_MIN 320u
#define ROULETTE_HEIGHT_MIN 240u
#define ROULETTE_WIDTH_MAX 1920u
#define ROULETTE_HEIGHT_MAX 1080u

/* Damage of one frame against the frame drawn before it: a few rectangles that do not overlap. */
#define ROULETTE_DAMAGE_MAX 4
struct roulette_damage {
	uint32_t count;
	struct canvas_rect rects[ROULETTE_DAMAGE_MAX];
};

struct roulette; /* defined in roulette_scene.h; roulette_size() for those who only allocate it */

uint32_t roulette_size(void);
/* 0, or -1 when the mode lies outside the limits above. */
int roulette_init(struct roulette *roulette, uint32_t width_px, uint32_t height_px, uint32_t seed);

/* Draws the whole of one frame, stamps included. */
void roulette_draw(const struct roulette *roulette, const struct canvas *canvas, uint32_t frame);
/* Draws what lies inside a rectangle of the picture, stamps excluded. */
void roulette_draw_part(const struct roulette *roulette, const struct canvas *canvas, uint32_t frame,
			struct canvas_rect part);
/* Draws only what differs from `previous`, which the canvas must hold, and says where that was. */
void roulette_draw_dirty(const struct roulette *roulette, const struct canvas *canvas, uint32_t previous,
			 uint32_t frame, struct roulette_damage *damage);

#endif
