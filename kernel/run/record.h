/*
 * Serial records: every kind of line that the harness reads is formatted here, and only here, from plain structs.
 *
 * Called with interrupts in any state; writes synchronously to the console. Formats are those of
 * serial-protocol.md; RECORD_VERSION changes when a key changes its meaning or goes away, not when one is added.
 */
#ifndef RUN_RECORD_H
#define RUN_RECORD_H

#include "drivers/virtio/counters.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_VERSION 1

/*
 * The keys of a frame's line behind the counters and `frame`, each named once: ROW(name). Times are spans of the
 * guest's own clock, of the drawing CPU. Those outside of each other do not overlap; what is missing to the start
 * of the next frame is the loop's own.
 */
/* clang-format off */
#define RECORD_ROWS(ROW)                                                                                               \
	ROW(t_ns)      /* start of drawing, since boot */                                                              \
	ROW(render_ns) /* drawing */                                                                                   \
	ROW(submit_ns) /* building commands and publishing them */                                                     \
	ROW(notify_ns) /* the writes of notify registers */                                                            \
	ROW(wait_ns)   /* from the last notification to the last completion popped */                                  \
	ROW(log_ns)    /* the synchronous line of LOG=frame, of the frame before */                                    \
	ROW(idle_ns)   /* pacing, after the frame */                                                                   \
	ROW(halt_ns)   /* part of wait_ns during which the CPU was halted (COMPLETION=irq) */                          \
	ROW(sched_ns)  /* part of all of these during which other tasks had this CPU */                                \
	ROW(damage_px) /* pixels transferred */
/* Guest instructions of each part: printed with exact=1, else 0. */
#define RECORD_EXACT_ROWS(ROW)                                                                                         \
	ROW(draw_insns)                                                                                                \
	ROW(submit_insns)                                                                                              \
	ROW(poll_insns)                                                                                                \
	ROW(complete_insns)
/* The newest input that the frame shows: printed with input=1, else 0. */
#define RECORD_INPUT_ROWS(ROW)                                                                                         \
	ROW(input)      /* its number: keys pressed, from 1; 0: none yet */                                            \
	ROW(input_code) /* its key */
/* Totals of a run besides those of counters. */
#define RECORD_SUMMARY_ROWS(ROW)                                                                                       \
	ROW(overflow)     /* records lost because the ring was full */                                                 \
	ROW(interrupts)   /* completion interrupts of the GPU's queue */                                               \
	ROW(record_ns)    /* what counting and recording add to a frame */                                             \
	ROW(blk_requests)                                                                                              \
	ROW(blk_bytes)                                                                                                 \
	ROW(blk_timeouts)                                                                                              \
	ROW(blk_rekicks)                                                                                               \
	ROW(switches)     /* of tasks, on all CPUs */                                                                  \
	ROW(input_events) /* taken off the keyboard's queue */
/* clang-format on */

#define RECORD_MEMBER(name) uint64_t name;

/* Groups of a frame's keys that only some runs print; their sum. */
enum record_group {
	RECORD_EXACT = 1,
	RECORD_INPUT = 2,
};

/* One frame. */
struct record_frame {
	uint64_t count[COUNTER_KINDS];
	uint32_t frame; /* the number in the picture's stamp */
	RECORD_ROWS(RECORD_MEMBER)
	RECORD_EXACT_ROWS(RECORD_MEMBER)
	RECORD_INPUT_ROWS(RECORD_MEMBER)
};

/* How this kernel was built and what it found; every switch besides comes from options.h. */
struct record_boot {
	const char *arch, *irq;
	uint32_t cpus_present;
	uint32_t width_px, height_px;
	bool tlb_cold;
};

/* Totals over the recorded window. */
struct record_summary {
	uint64_t frames, elapsed_ns;
	uint64_t count[COUNTER_KINDS]; /* of the counters with a TOTAL */
	RECORD_SUMMARY_ROWS(RECORD_MEMBER)
	int32_t drift_ppm; /* of the guest's clock, calibrated again at the end */
};

/* Longer than any line with the largest values in every field. */
#define RECORD_TEXT_MAX 1024

/*
 * A line with its newline, as text: at most size - 1 characters and a NUL; the length that was wanted is returned.
 */
size_t record_text_boot(char *text, size_t size, const struct record_boot *boot);
size_t record_text_frame(char *text, size_t size, const struct record_frame *frame, unsigned groups);
size_t record_text_summary(char *text, size_t size, const struct record_summary *summary);

void record_print_boot(const struct record_boot *boot);
void record_print_frame(const struct record_frame *frame, unsigned groups);
void record_print_summary(const struct record_summary *summary);
void record_print_done(bool ok);

#endif
