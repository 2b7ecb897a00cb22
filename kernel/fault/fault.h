/*
 * Deliberate faults, one a build (FAULT=<name>), which prove that the harness can see. Each hook is an inline that is
 * constant in every other build, so that a FAULT=none kernel holds none of this code. Depends on nothing but options.h.
 *
 *   name             strength                                            seen as
 *   slow_draw        parts drawn again for `slow` per cent of the time  regression
 *   hiccup           one frame in 100 takes 40 ms longer                 regression of frame pacing, not of mean FPS
 *   tear             upper half of every 5th frame is not transferred    torn
 *   stale_frame      every 10th frame shows the picture three back       stale
 *   skip_transfer    every 20th frame is not transferred                 stale or frozen, and frames short
 *   skip_flush       every 20th frame is not flushed                     witnesses disagree
 *   wrong_stride     rows of every 5th frame start 16 pixels late        corrupt, named a wrong stride
 *   flip_pixel       one pixel of every 5th frame, one level of blue     corrupt, one pixel
 *   shift_colour     red and blue swapped in every 5th frame             corrupt, named swapped channels
 *   blank            black from the 60th frame on                        blank
 *   hang             interrupts off and silent from the 60th frame on    hang
 *   panic            panics at the 60th frame                            panic
 *   page_fault       writes to unmapped memory at the 60th frame         panic
 *   stack_overflow   recurses without end at the 60th frame              panic
 *   boot_silent      stops before the first character                    first byte missing
 *   garbage_serial   binary noise and half a record every 20th frame     serial damaged
 *   blk_corrupt      one byte of every 16th block read is changed        block data corrupt
 *   blk_timeout      every 16th block request is never shown             virtio-blk: request timeout
 *   lying_counters   records claim one frame in 10 that was never shown  witnesses disagree
 *   lost_kick        every 50th doorbell is not rung                     rekicks, long frames
 *   leak_descriptors completed chains are never freed                    no descriptors left
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
