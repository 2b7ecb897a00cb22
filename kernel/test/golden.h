/* Written by make golden: CRC-32 of some frames' pixels, as in scene/golden.txt. */
#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H

#include <stdint.h>

#define GOLDEN_SEED 1u
#define GOLDEN_PIXELS_MAX 312167u

struct golden_frame {
	uint32_t frame, width_px, height_px, crc;
};

/* clang-format off */
static const struct golden_frame golden_frames[] = {
	{0u, 320, 240, 0xb4dc2933u},
	{2294u, 320, 240, 0x4799030bu},
	{4736u, 320, 240, 0x774cccfcu},
	{4294967295u, 320, 240, 0x22f543deu},
	{0u, 333, 777, 0x6ed88708u},
	{592u, 333, 777, 0x725b612fu},
	{1184u, 333, 777, 0x00665d14u},
	{4294967295u, 333, 777, 0x3ccb4cb9u},
	{0u, 641, 487, 0x4f86694eu},
	{1221u, 641, 487, 0xffc9a232u},
	{2442u, 641, 487, 0x9ac96a1du},
	{4294967295u, 641, 487, 0x14f5ed35u},
};
/* clang-format on */

#endif
