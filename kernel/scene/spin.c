#include "scene/spin.h"

#include "scene/trig.h"

#define POINTER_ANGLE (TRIG_TURN / 4)

/* A well mixed 32-bit number (the finaliser of MurmurHash3). */
static uint32_t scramble(uint32_t value)
{
	value ^= value >> 16;
	value *= 0x85ebca6bu;
	value ^= value >> 13;
	value *= 0xc2b2ae35u;
	return value ^ value >> 16;
}

static uint32_t spin_random(uint32_t seed, uint32_t spin)
{
	return scramble(scramble(seed + 0x9e3779b9u) ^ spin);
}

static uint32_t spin_winner(uint32_t random)
{
	return (random & 0xffff) * SPIN_SEGMENTS >> 16;
}

/* Where a spin ends: the pointer stands in the middle two thirds of the winner. */
static uint32_t spin_end(uint32_t random)
{
	uint32_t segment = TRIG_TURN / SPIN_SEGMENTS;
	uint32_t inside = segment / 6 + ((random >> 16 & 0xff) * (segment * 2 / 3) >> 8);

	return (POINTER_ANGLE - spin_edge(spin_winner(random)) - inside) & (TRIG_TURN - 1);
}

/*
 * The part of a way that is done after `moved` frames. With F and S frames of each phase and top speed 1, the way is
 * F/2 + S/3 long; both phases have the same place and speed where they meet.
 */
static uint32_t spin_travelled(uint32_t way, uint32_t moved)
{
	const uint64_t faster = SPIN_FASTER_FRAMES, slower = SPIN_SLOWER_FRAMES;
	const uint64_t sixfold = 3 * faster + 2 * slower;
	uint64_t left;

	if (moved < faster)
		return (uint32_t)(way * (3ull * moved * moved) / (faster * sixfold));
	left = SPIN_MOVING_FRAMES - moved;
	return way - (uint32_t)(way * (2 * left * left * left) / (slower * slower * sixfold));
}

struct spin spin_at(uint32_t seed, uint32_t frame)
{
	uint32_t number = frame / SPIN_FRAMES, in_spin = frame % SPIN_FRAMES;
	uint32_t random = spin_random(seed, number);
	uint32_t from = spin_end(spin_random(seed, number - 1)), to = spin_end(random);
	uint32_t way = ((from - to) & (TRIG_TURN - 1)) + (3 + (random >> 24) % 2) * TRIG_TURN;
	struct spin spin = {.angle = to, .phase = SPIN_REST, .winner = spin_winner(random)};

	if (in_spin < SPIN_MOVING_FRAMES) {
		spin.angle = (from - spin_travelled(way, in_spin)) & (TRIG_TURN - 1);
		spin.phase = in_spin < SPIN_FASTER_FRAMES ? SPIN_FASTER : SPIN_SLOWER;
	} else {
		/* A triangle wave of 32 frames, each of its levels held for two. */
		uint32_t beat = (in_spin - SPIN_MOVING_FRAMES) / 2 % (2 * SPIN_GLOW_LEVELS);

		spin.glow = beat < SPIN_GLOW_LEVELS ? beat + 1 : 2 * SPIN_GLOW_LEVELS - beat;
	}
	return spin;
}
