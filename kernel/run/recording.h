/*
 * The records of a run, kept in memory until they are printed: a bounded ring that keeps the newest and counts
 * what it lost. One writer, which is also the reader; no locks, no output.
 */
#ifndef RUN_RECORDING_H
#define RUN_RECORDING_H

#include "run/record.h"

#include <stdint.h>

struct recording {
	struct record_frame *ring;
	uint32_t capacity;
	uint64_t written; /* records kept since the start; the newest `capacity` of them are in the ring */
	uint64_t taken;   /* of these, handed out, skipped or lost */
	uint64_t lost;    /* overwritten before they were taken */
};

/* capacity: at least 1. */
void recording_init(struct recording *recording, struct record_frame *ring, uint32_t capacity);
/* The place of the next record, zeroed; the same one until recording_keep. */
struct record_frame *recording_next(struct recording *recording);
void recording_keep(struct recording *recording);
/* The oldest record not yet taken, valid until the next recording_next; NULL when there is none. */
const struct record_frame *recording_take(struct recording *recording);
/* Skips all but the newest few; what was skipped is not lost. */
void recording_skip_to(struct recording *recording, uint64_t newest);

#endif
