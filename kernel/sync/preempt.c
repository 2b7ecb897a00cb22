#include "sync/preempt.h"

#include "arch/arch.h"
#include "base/panic.h"
#include "options.h"
#include "sync/percpu.h"

/* Volatile: shared with the interrupt handlers of the same CPU, and ordered among themselves by that. */
struct preempt_state {
	volatile uint32_t guards; /* PREEMPT=percpu */
	volatile bool pending;
	struct preempt_counts counts;
};

static PERCPU(struct preempt_state) states;
/* PREEMPT=global: the guards of all CPUs. */
static uint32_t global_guards;
static preempt_reschedule *reschedule_handler;

#define IS_GLOBAL (OPTION(PREEMPT) == OPTION_PREEMPT_global)

/*
 * Accesses stay inside their guard: preempt_disable and preempt_enable are calls into another unit, across
 * which the compiler moves no access to memory.
 */
static uint32_t guards_now(const struct preempt_state *state)
{
	return IS_GLOBAL ? __atomic_load_n(&global_guards, __ATOMIC_ACQUIRE) : state->guards;
}

void preempt_disable(void)
{
	struct preempt_state *state = percpu(states);

	if (IS_GLOBAL)
		__atomic_fetch_add(&global_guards, 1, __ATOMIC_ACQUIRE);
	else
		state->guards = state->guards + 1;
}

/* Serves a waiting request, if it still waits. Interrupts off. */
static void preempt_serve(struct preempt_state *state)
{
	if (!state->pending)
		return;
	state->pending = false;
	state->counts.reschedules++;
	if (reschedule_handler)
		reschedule_handler();
}

void preempt_enable(void)
{
	struct preempt_state *state = percpu(states);
	uint32_t left;

	if (IS_GLOBAL) {
		left = __atomic_sub_fetch(&global_guards, 1, __ATOMIC_RELEASE);
	} else {
		left = state->guards - 1;
		state->guards = left;
	}
	ASSERT(left != UINT32_MAX);
	/* Claim 1: only now. Claim 3: this poll only decides whether to poll with interrupts off. */
	if (!left && state->pending) {
		bool enabled = arch_irq_disable();

		preempt_serve(state);
		arch_irq_restore(enabled);
	}
}

void preempt_request(void)
{
	struct preempt_state *state = percpu(states);

	state->counts.requests++;
	state->pending = true;
	if (guards_now(state))
		state->counts.deferred++;
	else
		preempt_serve(state);
}

bool preempt_pending(void)
{
	return percpu(states)->pending;
}

bool preempt_guarded(void)
{
	return guards_now(percpu(states));
}

bool preempt_guard_held(void)
{
	return !IS_GLOBAL && percpu(states)->guards;
}

preempt_reschedule *preempt_handler(preempt_reschedule *reschedule)
{
	preempt_reschedule *before = reschedule_handler;

	reschedule_handler = reschedule;
	return before;
}

const struct preempt_counts *preempt_counts(unsigned cpu)
{
	return &percpu_of(states, cpu)->counts;
}
