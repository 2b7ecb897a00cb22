/*
 * The kernel's command line, as values: `frames= seconds= warmup= mode= pace= blk= slow= seed= first= load= records=
 * exact= tlb= suite=`, apart by blanks, each at most once. Pure: no state, no output; anything else is refused by name.
 */
#ifndef RUN_PARAMS_H
#define RUN_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#define PARAMS_SUITE_MAX 64
#define PARAMS_RECORDS_MAX 8192
#define PARAMS_PACE_ENDLESS 60u

struct run_params {
	uint32_t frames;     /* recorded frames; 0: no limit */
	uint32_t seconds_ms; /* length of the recorded window; 0: no limit */
	uint32_t warmup;     /* frames drawn before the first recorded one */
	uint32_t width_px, height_px;
	uint32_t pace; /* frames a second, or 0: as fast as possible; an endless run that does not say is paced */
	uint32_t blk;  /* background block load, MiB/s */
	uint32_t slow; /* per cent, for FAULT=slow_draw */
	uint32_t seed;
	uint32_t first;               /* number of the first frame */
	uint32_t load;                /* 1: other CPUs run tasks */
	uint32_t records;             /* most records printed at the end: the newest */
	uint32_t exact;               /* 1: interrupts masked while drawing, instructions counted */
	bool tlb_cold;                /* the TLB is not warmed before the first frame: tlb=cold, or exact */
	char suite[PARAMS_SUITE_MAX]; /* empty: the roulette */
};

/* What was wrong, for a message: a key and its value as written, both cut to fit. */
struct params_error {
	const char *why;
	char word[PARAMS_SUITE_MAX];
};

/* 0, or -1 with *error filled. */
int params_parse(const char *command_line, struct run_params *params, struct params_error *error);

#endif
