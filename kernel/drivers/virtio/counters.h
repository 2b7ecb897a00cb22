/*
 * Every counter of a queue, each named once: ROW(name, sum). A record, the [VIRTIO PERF] line and the sums of
 * [PERF SUMMARY] are made from this table, in its order. sum: TOTAL, where the summary has it too, or FRAME.
 *
 * COUNTERS says how spins and fences are counted; everything rarer is counted always. An atomic add is a locked
 * read-modify-write, which on x86 is a full fence of its own; that is what makes it worth measuring.
 */
#ifndef DRIVERS_VIRTIO_COUNTERS_H
#define DRIVERS_VIRTIO_COUNTERS_H

#include "options.h"

#include <stdint.h>

/* clang-format off */
#define COUNTER_ROWS(ROW)                                                                                              \
	ROW(fences, TOTAL)         /* point B: fences executed while polling, whether or not they are instructions */  \
	ROW(spins, TOTAL)          /* polls of the used index that found nothing new */                                \
	ROW(completions, TOTAL)    /* used elements popped */                                                          \
	ROW(timeouts, TOTAL)       /* waits that gave up */                                                            \
	ROW(rekicks, TOTAL)        /* notifications sent again because a wait made no progress */                      \
	ROW(publish_fences, FRAME) /* point A */                                                                       \
	ROW(kick_fences, FRAME)    /* point C */                                                                       \
	ROW(hw_fences, FRAME)      /* fence instructions really executed, all points */                                \
	ROW(notifies, FRAME)       /* writes of notify registers */                                                    \
	ROW(halts, FRAME)          /* times the CPU was halted to wait for a completion */
/* clang-format on */

#define COUNTER_KIND(name, sum) COUNTER_##name,
enum counter { COUNTER_ROWS(COUNTER_KIND) COUNTER_KINDS };

/* What the driver did, since virtqueue_init. */
struct virtqueue_counters {
	uint64_t count[COUNTER_KINDS];
	uint64_t halt_ticks; /* arch_ticks with the CPU halted, waiting */
};

/* Adds to a counter that COUNTERS is about. */
static inline void counters_add(uint64_t *counter, uint64_t amount)
{
	if (!amount)
		return;
	if (OPTION(COUNTERS) == OPTION_COUNTERS_plain)
		*counter += amount;
	else if (OPTION(COUNTERS) == OPTION_COUNTERS_atomic)
		__atomic_fetch_add(counter, amount, __ATOMIC_RELAXED);
}

#endif
