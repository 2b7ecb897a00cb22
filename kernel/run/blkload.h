/*
 * Background load on the disk (`blk=<MiB/s>`): a task that writes blocks, reads them back and checks every byte, at a
 * given rate, beside the roulette and on another CPU where there is one.
 *
 * Context: boot CPU. The task sets up the disk, on its own CPU, with heap, page tables and PCI; the boot CPU waits in
 * blkload_start until that is done. Reasons of failure are printed.
 */
#ifndef RUN_BLKLOAD_H
#define RUN_BLKLOAD_H

#include "run/record.h"

#include <stdbool.h>
#include <stdint.h>

/* False when there is no disk, no memory, or it does not respond. cpus: how many run. */
bool blkload_start(unsigned cpus, uint32_t mib_per_s);
/* Lets the task end, adds up what it did; whether every request succeeded and all data was as written. */
bool blkload_stop(struct record_summary *summary);

#endif
