/*
 * Serial records: every kind of line that the harness reads is formatted here, and only here, from plain structs.
 *
 * Called with interrupts in any state; writes synchronously to the console. Formats are those of
 * serial-protocol.md; RECORD_VERSION changes when a key changes its meaning or goes away, not when one is added.
 */
#ifndef RUN_RECORD_H
#define RUN_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_VERSION 1

/*
 * One frame. Times are spans of the guest's own clock, of the drawing CPU. Those that are no part of another do not
 * overlap; what is missing to the start of the next frame is the loop's own.
 */
struct record_frame {
	uint64_t fences;      /* point B: fences executed while polling, whether or not they are instructions here */
	uint64_t spins;       /* polls of the used index that found nothing new */
	uint64_t completions; /* used elements taken */
	uint32_t frame;       /* the number in the picture's stamp */
	uint64_t t_ns;        /* start of drawing, since boot */
	uint64_t render_ns;   /* drawing */
	uint64_t submit_ns;   /* building commands and publishing them */
	uint64_t notify_ns;   /* the writes of notify registers */
	uint64_t wait_ns;     /* from the last notify to the last completion taken */
	uint64_t log_ns;      /* the synchronous line of LOG=frame, of the frame before */
	uint64_t idle_ns;     /* pacing, after the frame */
	uint64_t halt_ns;     /* part of wait_ns during which the CPU was halted (COMPLETION=irq) */
	uint64_t sched_ns;    /* part of all of these during which other tasks had this CPU */
	uint64_t timeouts;    /* waits that gave up */
	uint64_t rekicks;     /* notifies sent again because a wait made no progress */
	uint64_t publish_fences, kick_fences; /* points A and C */
	uint64_t hw_fences;                   /* fence instructions really executed, all points */
	uint64_t notifies;                    /* writes of notify registers */
	uint64_t damage_px;                   /* pixels transferred */
	uint64_t halts;                       /* times the CPU was halted to wait for a completion */
	/* exact=1 only, else 0: guest instructions of each part */
	uint64_t draw_insns, submit_insns, poll_insns, complete_insns;
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
	uint64_t fences, spins, completions, timeouts, rekicks;
	uint64_t overflow;   /* records lost because the ring was full */
	uint64_t interrupts; /* completion interrupts taken */
	uint64_t record_ns;  /* what counting and recording add to a frame */
	int32_t drift_ppm;   /* of the guest's clock, calibrated again at the end */
	uint64_t blk_requests, blk_bytes, blk_timeouts, blk_rekicks;
	uint64_t switches; /* task switches, all CPUs */
};

/* Longer than any line with the largest values in every field. */
#define RECORD_TEXT_MAX 1024

/*
 * A line with its newline, as text: at most size - 1 characters and a NUL; the length that was wanted is returned.
 */
size_t record_text_boot(char *text, size_t size, const struct record_boot *boot);
size_t record_text_frame(char *text, size_t size, const struct record_frame *frame, bool exact);
size_t record_text_summary(char *text, size_t size, const struct record_summary *summary);

void record_print_boot(const struct record_boot *boot);
void record_print_frame(const struct record_frame *frame, bool exact);
void record_print_summary(const struct record_summary *summary);
void record_print_done(bool ok);

#endif
