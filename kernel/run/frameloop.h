/*
 * The roulette: draws, presents and records frames until the run's limits are reached.
 *
 * Context: boot CPU, which draws; other CPUs are halted unless `load` or `blk` ask for work. Prints every record after
 * the measured window (LOG=deferred), in each frame (LOG=frame) or never (LOG=none), and then the summary.
 */
#ifndef RUN_FRAMELOOP_H
#define RUN_FRAMELOOP_H

#include "run/params.h"

#include <stdbool.h>

/* cpus: how many run. Returns whether all frames were presented and all blocks right; else prints the reason. */
bool frameloop_run(const struct run_params *params, unsigned cpus);

#endif
