/*
 * The kernel's command line, as values: `key=value` words, apart by blanks, each key at most once. The table in
 * params.c has every key. Pure: no state, no output; anything else is refused by name.
 */
#ifndef RUN_PARAMS_H
#define RUN_PARAMS_H

#include "base/errors.h"

#include <stdbool.h>
#include <stdint.h>

#define PARAMS_SUITE_MAX 64
#define PARAMS_RECORDS_MAX 8192
#define PARAMS_PACE_ENDLESS 60u

struct run_mode {
	uint32_t width_px, height_px;
};

struct run_params {
	uint32_t frames;     /* 0: no limit */
	uint32_t seconds_ms; /* 0: no limit */
	uint32_t warmup;
	struct run_mode mode;
	uint32_t pace; /* frames a second, or 0: as fast as possible; an endless run that does not say is paced */
	uint32_t blk, slow, seed, first, load, records, exact, input;
	bool tlb_cold;                /* tlb=cold, or exact */
	char suite[PARAMS_SUITE_MAX]; /* empty: the roulette */
};

/* What was wrong, for a message: a key and its value as written, both cut to fit. */
struct params_error {
	const char *why;
	char word[PARAMS_SUITE_MAX];
};

/* 0, or ERROR_INVALID with *error filled. */
int params_parse(const char *command_line, struct run_params *params, struct params_error *error);

/* The keys, one by one, with what each means; NULL behind the last. */
const char *params_key(unsigned index, const char **help);

#endif
