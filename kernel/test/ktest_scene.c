/* scene: stamp and CRC, fills at their edges, how the wheel moves, and frames whose pixels are known. */
#include "test/ktest.h"

#include "base/heap.h"
#include "base/string.h"
#include "scene/canvas_row.h"
#include "scene/framestamp.h"
#include "scene/roulette.h"
#include "scene/spin.h"
#include "scene/trig.h"
#include "test/golden.h"

#define WIDTH 320u
#define HEIGHT 240u
#define STRIDE 328u
#define PIXELS (STRIDE * HEIGHT)
#define GUARD 0xdeadbeefu

static uint32_t *pixels, *others;
static struct roulette *scene;

static void crc(void)
{
	ktest_check(framestamp_crc32(0, "123456789", 9) == 0xcbf43926, "the CRC-32 of 123456789 is its check value");
	ktest_check(framestamp_crc32(0, "", 0) == 0, "the CRC-32 of nothing is 0");
	ktest_check(framestamp_crc32(framestamp_crc32(0, "1234", 4), "56789", 5) == 0xcbf43926,
		    "a CRC-32 continues where it stopped");
	ktest_check(framestamp_crc(7, WIDTH, HEIGHT, FRAMESTAMP_TOP) !=
			    framestamp_crc(7, WIDTH, HEIGHT, FRAMESTAMP_BOTTOM),
		    "the top strip does not pass for the bottom one");
}

/* The bits of one row of a strip, read back from the middle of each cell. */
static bool strip_reads(uint32_t y, uint32_t frame, enum framestamp_strip strip)
{
	const uint32_t *row = pixels + y * STRIDE;
	uint32_t words[2] = {0, 0}, sync = 0;

	for (uint32_t cell = 0; cell < FRAMESTAMP_CELLS; cell++) {
		uint32_t level = row[cell * FRAMESTAMP_CELL_WIDTH + 1];

		if (level != FRAMESTAMP_ONE && level != FRAMESTAMP_ZERO)
			return false;
		if (cell < 8)
			sync = sync << 1 | (level == FRAMESTAMP_ONE);
		else
			words[(cell - 8) / 32] = words[(cell - 8) / 32] << 1 | (level == FRAMESTAMP_ONE);
	}
	return sync == FRAMESTAMP_SYNC && words[0] == frame && words[1] == framestamp_crc(frame, WIDTH, HEIGHT, strip);
}

static void stamp(void)
{
	static const uint32_t frames[] = {0, 1, 0x80000001, 0xffffffff};
	const struct canvas canvas = {pixels, WIDTH, HEIGHT, STRIDE};
	bool top = true, bottom = true, beside = true;

	for (uint32_t i = 0; i < PIXELS; i++)
		pixels[i] = GUARD;
	for (uint32_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		framestamp_draw(&canvas, frames[i], FRAMESTAMP_TOP);
		framestamp_draw(&canvas, frames[i], FRAMESTAMP_BOTTOM);
		for (uint32_t y = 0; y < FRAMESTAMP_HEIGHT; y++) {
			top &= strip_reads(y, frames[i], FRAMESTAMP_TOP);
			bottom &= strip_reads(HEIGHT - 1 - y, frames[i], FRAMESTAMP_BOTTOM);
		}
	}
	for (uint32_t y = 0; y < HEIGHT; y++)
		for (uint32_t x = 0; x < STRIDE; x++) {
			bool strip = y < FRAMESTAMP_HEIGHT || y >= HEIGHT - FRAMESTAMP_HEIGHT;

			if (!strip || x >= WIDTH)
				beside &= pixels[y * STRIDE + x] == GUARD;
			else if (x >= FRAMESTAMP_WIDTH)
				beside &= pixels[y * STRIDE + x] == FRAMESTAMP_ZERO;
		}
	ktest_check(top, "every row of the top strip holds sync, frame number and CRC");
	ktest_check(bottom, "every row of the bottom strip holds them with its own CRC");
	ktest_check(beside, "a strip is filled up to the picture's edge, and nothing else is touched");
}

/* Beyond the longest straight run of stores, and what is left of a second one. */
#define COUNT_MAX 150

/* All counts and alignments in which a fill's wide and narrow stores can meet. */
static bool pattern_is_exact(bool is_long)
{
	for (int32_t count = -1; count < COUNT_MAX; count++)
		for (int32_t at = 0; at < 4; at++) {
			for (int32_t i = 0; i < COUNT_MAX + 16; i++)
				pixels[i] = GUARD;
			if (is_long)
				canvas_row_pattern_long(pixels + 8 + at, count, 1, 2);
			else
				canvas_row_pattern(pixels + 8 + at, count, 1, 2);
			for (int32_t i = 0; i < COUNT_MAX + 16; i++) {
				int32_t in = i - 8 - at;
				uint32_t wanted = in >= 0 && in < count ? 1 + (uint32_t)(in & 1) : GUARD;

				if (pixels[i] != wanted)
					return false;
			}
		}
	return true;
}

static bool copies_are_exact(void)
{
	for (uint32_t i = 0; i < COUNT_MAX + 16; i++)
		others[i] = i;
	for (int32_t count = -1; count < COUNT_MAX; count++)
		for (int32_t at = 0; at < 4; at++) {
			for (int32_t i = 0; i < COUNT_MAX + 16; i++)
				pixels[i] = GUARD;
			canvas_row_copy(pixels + 8, others + at, count);
			for (int32_t i = 0; i < COUNT_MAX + 16; i++) {
				uint32_t wanted = i >= 8 && i - 8 < count ? (uint32_t)(i - 8 + at) : GUARD;

				if (pixels[i] != wanted)
					return false;
			}
		}
	return true;
}

static void fills(void)
{
	const struct canvas canvas = {pixels + STRIDE, 10, 3, STRIDE};
	uint32_t touched = 0;

	ktest_check(pattern_is_exact(false) && pattern_is_exact(true),
		    "a fill touches exactly its pixels, whatever their number and alignment");
	ktest_check(copies_are_exact(), "and so does a copy");
	for (uint32_t i = 0; i < PIXELS; i++)
		pixels[i] = GUARD;
	canvas_fill(&canvas, (struct canvas_rect){-5, -5, 100, 100}, 7);
	canvas_span(&canvas, 3, 0, 10, 7);
	canvas_span(&canvas, -1, 0, 10, 7);
	canvas_span(&canvas, 1, 8, 2, 7);
	for (uint32_t i = 0; i < PIXELS; i++)
		touched += pixels[i] == 7;
	ktest_check(touched == 30 && pixels[STRIDE] == 7 && pixels[3 * STRIDE + 9] == 7, "fills clip to the canvas");
}

static void angles(void)
{
	bool odd = true, root = true;

	for (uint32_t angle = 0; angle < TRIG_TURN; angle += 97)
		odd &= trig_sin(angle) == -trig_sin(angle + TRIG_TURN / 2) &&
		       trig_cos(angle) == trig_sin(TRIG_TURN / 4 - angle);
	for (uint32_t i = 1; i < 65536; i += 251)
		root &= trig_sqrt(i * i) == i && trig_sqrt(i * i - 1) == i - 1 && trig_sqrt(i * i + 1) == i;
	ktest_check(trig_sin(0) == 0 && trig_sin(TRIG_TURN / 4) == TRIG_ONE && trig_sin(TRIG_TURN / 8) == 46341,
		    "sines of 0, 45 and 90 degrees are exact");
	ktest_check(odd, "sine and cosine are each other's, a quarter turn apart");
	ktest_check(root && trig_sqrt(0xffffffff) == 65535, "roots are rounded down");
}

/* Clockwise, at most 14 degrees a frame, and without a jump where one spin follows another. */
static bool spins_on(uint32_t seed)
{
	uint32_t before = spin_at(seed, 0).angle;

	for (uint32_t frame = 1; frame < 4 * SPIN_FRAMES; frame++) {
		struct spin spin = spin_at(seed, frame);

		if (((before - spin.angle) & (TRIG_TURN - 1)) > 14 * TRIG_TURN / 360)
			return false;
		if ((spin.phase == SPIN_REST) != (spin.glow != 0) || spin.glow > SPIN_GLOW_LEVELS)
			return false;
		before = spin.angle;
	}
	return true;
}

static bool winner_is_at_pointer(uint32_t seed)
{
	for (uint32_t number = 0; number < 40; number++) {
		struct spin spin = spin_at(seed, number * SPIN_FRAMES + SPIN_MOVING_FRAMES);
		uint32_t from_edge = (TRIG_TURN / 4 - spin.angle - spin_edge(spin.winner)) & (TRIG_TURN - 1);

		if (spin.winner >= SPIN_SEGMENTS || from_edge >= TRIG_TURN / SPIN_SEGMENTS)
			return false;
	}
	return true;
}

static void motion(void)
{
	ktest_check(spins_on(0) && spins_on(1) && spins_on(0xffffffff),
		    "the wheel turns clockwise, smoothly, spin after spin");
	ktest_check(winner_is_at_pointer(1) && winner_is_at_pointer(99), "at rest the winner stands at the pointer");
}

static void golden(void)
{
	bool same = true, clear = true;

	for (uint32_t i = 0; i < sizeof(golden_frames) / sizeof(golden_frames[0]); i++) {
		const struct golden_frame *known = &golden_frames[i];
		const struct canvas canvas = {pixels, known->width_px, known->height_px, known->width_px};
		uint32_t count = known->width_px * known->height_px;

		if (roulette_init(scene, known->width_px, known->height_px, GOLDEN_SEED)) {
			same = false;
			break;
		}
		roulette_draw(scene, &canvas, known->frame);
		same &= framestamp_crc32(0, pixels, count * 4ull) == known->crc;
		for (uint32_t at = 0; at < count; at++)
			clear &= pixels[at] >> 24 == 0;
	}
	ktest_check(same, "frames have the pixels that were approved, here and with this compiler");
	ktest_check(clear, "the byte without a colour is 0 everywhere");
}

static bool outside(const struct roulette_damage *damage, uint32_t x, uint32_t y)
{
	for (uint32_t i = 0; i < damage->count; i++) {
		const struct canvas_rect *rect = &damage->rects[i];

		if ((int32_t)x >= rect->x0 && (int32_t)x < rect->x1 && (int32_t)y >= rect->y0 && (int32_t)y < rect->y1)
			return false;
	}
	return true;
}

/* Draws `frame` by damage upon `previous`, and whole beside it. Clears *told when a pixel changed outside the damage.
 */
static bool same_by_damage(uint32_t previous, uint32_t frame, bool *told)
{
	const struct canvas by_damage = {pixels, WIDTH, HEIGHT, STRIDE}, whole = {others, WIDTH, HEIGHT, STRIDE};
	struct roulette_damage damage;

	for (uint32_t i = 0; i < PIXELS; i++)
		pixels[i] = others[i] = GUARD;
	roulette_draw(scene, &by_damage, previous);
	roulette_draw(scene, &whole, previous);
	roulette_draw_dirty(scene, &by_damage, previous, frame, &damage);
	for (uint32_t y = 0; y < HEIGHT; y++)
		for (uint32_t x = 0; x < STRIDE; x++)
			*told &= pixels[y * STRIDE + x] == others[y * STRIDE + x] || !outside(&damage, x, y);
	roulette_draw(scene, &whole, frame);
	return !memcmp(pixels, others, PIXELS * sizeof(*pixels)) && damage.count <= ROULETTE_DAMAGE_MAX;
}

static void damage(void)
{
	static const uint32_t pairs[][2] = {{0, 1},     {59, 60},   {100, 101}, {449, 450}, {450, 451}, {451, 452},
					    {599, 600}, {600, 601}, {5, 5},     {470, 300}, {300, 299}, {1, 500000}};
	bool same = true, told = true;

	if (roulette_init(scene, WIDTH, HEIGHT, GOLDEN_SEED)) {
		ktest_check(false, "the smallest mode is offered");
		return;
	}
	for (uint32_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		same &= same_by_damage(pairs[i][0], pairs[i][1], &told);
	ktest_check(same, "drawn by damage a frame has the pixels that it has drawn whole");
	ktest_check(told, "and every pixel that changes lies in the damage");
}

/* Draws a part over what is not a picture, and looks for what differs from the frame drawn whole. */
static bool same_by_part(uint32_t frame, struct canvas_rect part)
{
	const struct canvas by_part = {pixels, WIDTH, HEIGHT, STRIDE}, whole = {others, WIDTH, HEIGHT, STRIDE};

	for (uint32_t i = 0; i < PIXELS; i++)
		pixels[i] = others[i] = GUARD;
	roulette_draw(scene, &whole, frame);
	roulette_draw(scene, &by_part, frame);
	for (int32_t y = part.y0; y < part.y1; y++)
		for (int32_t x = part.x0; x < part.x1; x++)
			pixels[y * STRIDE + x] = GUARD;
	roulette_draw_part(scene, &by_part, frame, part);
	return !memcmp(pixels, others, PIXELS * sizeof(*pixels));
}

static void parts(void)
{
	static const struct canvas_rect rects[] = {
		{0, 4, WIDTH, HEIGHT - 4}, {WIDTH / 2 - 3, 20, WIDTH / 2 + 4, 90},
		{100, 60, 101, 200},       {WIDTH / 2, HEIGHT / 2, WIDTH / 2 + 1, HEIGHT / 2 + 1},
		{95, 200, 230, 233},       {0, 110, WIDTH, 111},
	};
	bool same = true;

	for (uint32_t i = 0; i < sizeof(rects) / sizeof(rects[0]); i++)
		for (uint32_t frame = 0; frame < 600; frame += 97)
			same &= same_by_part(frame, rects[i]);
	ktest_check(same, "any part drawn on its own has the pixels that it has in the whole, and touches no others");
}

static void modes(void)
{
	ktest_check(roulette_init(scene, ROULETTE_WIDTH_MIN - 1, HEIGHT, 1) && roulette_init(scene, WIDTH, 0, 1) &&
			    roulette_init(scene, ROULETTE_WIDTH_MAX + 1, HEIGHT, 1) &&
			    roulette_init(scene, WIDTH, ROULETTE_HEIGHT_MAX + 1, 1),
		    "modes outside the limits are refused");
	ktest_check(!roulette_init(scene, ROULETTE_WIDTH_MAX, ROULETTE_HEIGHT_MAX, 1) &&
			    !roulette_init(scene, ROULETTE_WIDTH_MIN, ROULETTE_HEIGHT_MAX, 1),
		    "the largest and the narrowest one are not");
}

static void run(void)
{
	pixels = heap_alloc(GOLDEN_PIXELS_MAX * sizeof(*pixels), 16);
	others = heap_alloc(PIXELS * sizeof(*others), 16);
	scene = heap_alloc(roulette_size(), 16);
	if (!ktest_check(pixels && others && scene, "there is memory for the scene"))
		return;
	crc();
	stamp();
	fills();
	angles();
	motion();
	modes();
	golden();
	damage();
	parts();
}

KTEST_SUITE(scene, run);
