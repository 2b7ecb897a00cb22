/*
 * The ordering points of the split ring (VIRTIO 1.2 §2.7), one strategy a header, chosen by BARRIER.
 *
 * Called by virtqueue.c alone. Every strategy defines
 *
 *   barrier_publish(&avail->idx, value)  A: stores the index that hands descriptors to the device
 *   barrier_look(&used->idx)             B: reads the index that hands them back, in every poll iteration
 *   barrier_progress()                   B: once, after the index was seen to have moved
 *   barrier_kick()                       C: before the device's notification flags or avail_event are read
 *   barrier_rearm()                      D: after interrupts were asked for, before used->idx is read again
 *
 * and, for the counters, how many fences each point is, by name and in instructions of this architecture:
 * BARRIER_<POINT>_FENCES and BARRIER_<POINT>_HW.
 *
 * Each point leaves its begin and end in section .ringpoints, so that tools can read the very instructions out of the
 * kernel that ran. The marks order nothing and emit no instruction.
 */
#ifndef VIRTIO_BARRIER_H
#define VIRTIO_BARRIER_H

#include "options.h"

#include <stdint.h>

/*
 * An entry of .ringpoints: address (64 bits), letter, phase (0 begins, 1 ends; 2 and 3 the progress half of B). E is
 * the doorbell, which no strategy changes.
 */
#define BARRIER_MARK(letter, phase)                                                                                    \
	__asm__ volatile("661:\n\t.pushsection .ringpoints, \"a\"\n\t.balign 8\n\t.quad 661b\n\t.long %c0\n\t"         \
			 ".long %c1\n\t.popsection"                                                                    \
			 :                                                                                             \
			 : "i"(letter), "i"(phase))

/* clang-format off */
#define BARRIER_HEADER_(name) OPTION_TEXT(virtio/barriers/name.h) /* NOLINT(bugprone-macro-parentheses) */
#define BARRIER_HEADER(name) BARRIER_HEADER_(name)
/* clang-format on */

/* The vocabulary of drivers (Linux's names), in this architecture's fences. */
#include "virtio/barriers/vocabulary.h"
#include BARRIER_HEADER(BARRIER)

/* Ring in memory before doorbell in device space: what every driver needs, whatever its strategy. */
static inline void barrier_doorbell(void)
{
	BARRIER_MARK('E', 0);
	fence_io();
	BARRIER_MARK('E', 1);
}

#if !defined(BARRIER_PUBLISH_FENCES) || !defined(BARRIER_LOOK_FENCES) || !defined(BARRIER_PROGRESS_FENCES) ||          \
	!defined(BARRIER_KICK_FENCES) || !defined(BARRIER_REARM_FENCES)
#error "this BARRIER does not say how many fences its points are"
#endif
#if !defined(BARRIER_PUBLISH_HW) || !defined(BARRIER_LOOK_HW) || !defined(BARRIER_PROGRESS_HW) ||                      \
	!defined(BARRIER_KICK_HW) || !defined(BARRIER_REARM_HW)
#error "this BARRIER does not say how many fence instructions its points are"
#endif

#endif
