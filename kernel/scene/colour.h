/*
 * Arithmetic on 0x00RRGGBB pixels, all channels at once, rounding down: what every blend of the scene is made of.
 */
#ifndef SCENE_COLOUR_H
#define SCENE_COLOUR_H

#include <stdint.h>

/* Shares of a mixture and coverages of a pixel run from 0 to COLOUR_ONE. */
#define COLOUR_ONE 256u

/* a at weight 0, b at weight COLOUR_ONE. */
static inline uint32_t colour_mix(uint32_t a, uint32_t b, uint32_t weight)
{
	uint32_t rest = COLOUR_ONE - weight;
	uint32_t red_blue = ((a & 0xff00ffu) * rest + (b & 0xff00ffu) * weight) >> 8;
	uint32_t green = ((a & 0xff00u) * rest + (b & 0xff00u) * weight) >> 8;

	return (red_blue & 0xff00ffu) | (green & 0xff00u);
}

/* a at a share of its brightness. */
static inline uint32_t colour_scale(uint32_t a, uint32_t share)
{
	return colour_mix(0, a, share);
}

/* `over`, already multiplied by its own coverage, upon a pixel of which `rest` shows through. */
static inline uint32_t colour_over(uint32_t under, uint32_t over, uint32_t rest)
{
	return over + colour_mix(0, under, rest);
}

#endif
