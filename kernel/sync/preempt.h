/*
 * Preemption: guards that forbid it, requests that ask for it.
 *
 * While a guard is up on a CPU, a request (from an interrupt handler: time slice over, a task became ready) waits; the
 * drop of the last guard serves it. Guards nest. PREEMPT says where they are counted: percpu, or one counter for all.
 *
 * The race is between the last drop and a request that arrives inside of it. With `guards` and `pending` of one CPU:
 *   1. Lowering the counter first and looking at `pending` after it loses nothing: a request before the decrement is
 *      seen by the poll; one behind it finds no guard and is served by the interrupt itself.
 *   2. Looking first and lowering after it loses every request that arrives between the two, until the next one.
 *   3. Acting on the poll with interrupts on serves a request twice when another request arrives between poll and act:
 *      the interrupt serves both, then the drop serves what is no longer there. preempt_enable polls again, interrupts
 *      off.
 *   4. The counter must be of the CPU it protects. A global one makes a guard of CPU 1 hold back a request on CPU 0,
 *      and CPU 1's drop polls the requests of CPU 1: CPU 0's is lost until its next one. A per-CPU one cannot.
 *   5. A per-CPU counter needs no fence and no atomic operation: an interrupt sees its own CPU's stores in program
 *      order.
 * The suites `preempt` and `preempt_race` hold a test for each claim.
 *
 * Context: any; preempt_request with interrupts off.
 */
#ifndef SYNC_PREEMPT_H
#define SYNC_PREEMPT_H

#include <stdbool.h>
#include <stdint.h>

/* Of one CPU; written by it alone. */
struct preempt_counts {
	uint64_t requests;    /* preempt_request calls */
	uint64_t deferred;    /* of these, those that met a guard */
	uint64_t reschedules; /* calls of the scheduler on behalf of requests, one for all that were waiting */
};

void preempt_disable(void);
void preempt_enable(void);
/* Asks for a reschedule on this CPU: now, or when the last guard falls. Interrupts off. */
void preempt_request(void);
/* Whether a request waits on this CPU, and whether a guard that counts for it is up. */
bool preempt_pending(void);
bool preempt_guarded(void);
/* Whether this CPU has put one up; a global counter cannot know, and says no. */
bool preempt_guard_held(void);

/*
 * Sets what serves a request, returns what did: called on the CPU concerned, interrupts off; may return on another turn
 * of the task.
 */
typedef void preempt_reschedule(void);
preempt_reschedule *preempt_handler(preempt_reschedule *reschedule);
const struct preempt_counts *preempt_counts(unsigned cpu);

/* PREEMPT_GUARD(); as a declaration: preemption is off until the end of the block. */
#define PREEMPT_GUARD() __attribute__((cleanup(preempt_guard_drop), unused)) int preempt_guard = preempt_guard_take()

static inline int preempt_guard_take(void)
{
	preempt_disable();
	return 0;
}

static inline void preempt_guard_drop(int *guard)
{
	(void)guard;
	preempt_enable();
}

#endif
