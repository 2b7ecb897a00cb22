/*
 * Deliberate faults, one a build (FAULT=<name>), which prove that the harness can see. Each hook is an inline that is
 * constant in every other build, so that a FAULT=none kernel holds none of this code. Depends on nothing but options.h.
 *
 * One line each: FAULT <name>: <what it is seen as> <exit code> <what it does>
 *
 *   FAULT slow_draw: regression 1 parts of every frame drawn again for `slow` per cent of its time (10 if bare)
 *   FAULT hiccup: regression 1 one frame in 64 takes 4 ms longer: seen in the 99th percentile, little in the mean
 *   FAULT tear: torn 3 the upper half of every 5th frame is not transferred
 *   FAULT stale_frame: stale 3 every 10th frame shows the picture of three frames before
 *   FAULT skip_transfer: witnesses 3 every 20th frame is flushed, but not transferred
 *   FAULT skip_flush: witnesses 3 every 20th frame is transferred, but not flushed
 *   FAULT wrong_stride: corrupt 3 in every 5th frame each row begins 16 pixels further right than the row above
 *   FAULT flip_pixel: corrupt 3 one pixel of every 5th frame is off by one level of blue
 *   FAULT shift_colour: corrupt 3 red and blue are swapped in every 5th frame
 *   FAULT blank: blank 3 black from the 60th frame on
 *   FAULT hang: hang 3 interrupts off and silence from the 60th frame on
 *   FAULT panic: panic 3 a panic at the 60th frame
 *   FAULT page_fault: panic 3 a write to unmapped memory at the 60th frame
 *   FAULT stack_overflow: panic 3 recursion without end at the 60th frame
 *   FAULT boot_silent: hang 3 stops before the first character
 *   FAULT garbage_serial: serial 3 binary noise, half a record and a number too large, every 20th frame
 *   FAULT blk_corrupt: disk 3 one bit of every 16th block read is changed; with `blk=`
 *   FAULT blk_timeout: timeout 3 every 16th request to the disk is never shown to it; with `blk=`
 *   FAULT lying_counters: witnesses 3 frame numbers in records run ahead of the pictures by one in ten
 *   FAULT lost_kick: rekicks 3 every 50th notify is not sent
 *   FAULT leak_descriptors: failed 3 descriptors are not given back, until none is left
 *   FAULT no_virgl: fallback 3 the 2D path is taken although the device offers virgl; with VIRGL=1
 */
#ifndef FAULT_FAULT_H
#define FAULT_FAULT_H

#include "options.h"

#include <stdbool.h>
#include <stdint.h>

#define FAULT_IS(name) (OPTION(FAULT) == OPTION_FAULT_##name)
#define FAULT_ANY (OPTION(FAULT) != OPTION_FAULT_none)

/* The picture as faults see it. */
struct fault_picture {
	uint32_t *pixels;
	uint32_t width_px, height_px, stride_px;
};

/* What to do with a frame beyond drawing it. */
struct fault_frame_plan {
	bool spoil;              /* call fault_spoil after drawing */
	uint32_t draw_instead;   /* the frame to draw */
	uint32_t extra_per_cent; /* further drawing, in per cent of the first */
	uint32_t stall_ms;
};

#if FAULT_ANY
void fault_boot(void);
struct fault_frame_plan fault_plan(uint32_t count, uint32_t frame, uint32_t slow);
void fault_spoil(struct fault_picture picture);
bool fault_every(uint32_t period);
bool fault_period_frame(uint32_t period);
uint32_t fault_lie(uint32_t count, uint32_t frame);
#endif

/* Before anything is printed. */
static inline void fault_at_boot(void)
{
#if FAULT_ANY
	fault_boot();
#endif
}

/* Before frame number `frame`, the count-th of this run, is drawn; may not return. */
static inline struct fault_frame_plan fault_at_frame(uint32_t count, uint32_t frame, uint32_t slow)
{
#if FAULT_ANY
	return fault_plan(count, frame, slow);
#else
	(void)count;
	(void)slow;
	return (struct fault_frame_plan){.draw_instead = frame};
#endif
}

static inline void fault_after_draw(const struct fault_frame_plan *plan, struct fault_picture picture)
{
#if FAULT_ANY
	if (plan->spoil)
		fault_spoil(picture);
#else
	(void)plan;
	(void)picture;
#endif
}

#if FAULT_ANY
#define FAULT_EVERY(name, period) (FAULT_IS(name) && fault_every(period))
#define FAULT_EVERY_FRAME(name, period) (FAULT_IS(name) && fault_period_frame(period))
#else
#define FAULT_EVERY(name, period) false
#define FAULT_EVERY_FRAME(name, period) false
#endif

static inline bool fault_drops_kick(void)
{
	return FAULT_EVERY(lost_kick, 50);
}

static inline bool fault_leaks_descriptors(void)
{
	return FAULT_IS(leak_descriptors);
}

static inline bool fault_skips_transfer(void)
{
	return FAULT_EVERY_FRAME(skip_transfer, 20);
}

static inline bool fault_halves_transfer(void)
{
	return FAULT_EVERY_FRAME(tear, 5);
}

static inline bool fault_skips_flush(void)
{
	return FAULT_EVERY_FRAME(skip_flush, 20);
}

static inline bool fault_declines_virgl(void)
{
	return FAULT_IS(no_virgl);
}

static inline bool fault_spoils_block(void)
{
	return FAULT_EVERY(blk_corrupt, 16);
}

static inline bool fault_hides_block(void)
{
	return FAULT_EVERY(blk_timeout, 16);
}

/* The frame number that the record claims. */
static inline uint32_t fault_recorded_frame(uint32_t count, uint32_t frame)
{
#if FAULT_ANY
	return fault_lie(count, frame);
#else
	(void)count;
	return frame;
#endif
}

#endif
