#include "sync/alarm.h"

#include "arch/arch.h"
#include "sync/percpu.h"

#include <stddef.h>

/* When each owner's alarm fires, in ns of arch_ticks; 0: not set. */
struct alarm_state {
	uint64_t due_ns[ALARM_OWNERS];
};

static PERCPU(struct alarm_state) states;
static void (*tick_handler)(void);

static uint64_t alarm_now(void)
{
	return arch_ticks_to_ns(arch_ticks());
}

/* Arms the timer for the earliest alarm; one that is due fires as soon as interrupts are on. */
static void alarm_arm(const struct alarm_state *state, uint64_t now_ns)
{
	uint64_t earliest = 0;

	for (unsigned owner = 0; owner < ALARM_OWNERS; owner++) {
		uint64_t due = state->due_ns[owner];

		if (due && (!earliest || due < earliest))
			earliest = due;
	}
	if (!earliest)
		arch_timer_arm(0);
	else
		arch_timer_arm(earliest > now_ns ? earliest - now_ns : 1);
}

static void alarm_interrupt(void)
{
	struct alarm_state *state = percpu(states);
	uint64_t now_ns = alarm_now();
	bool tick = state->due_ns[ALARM_TICK] && state->due_ns[ALARM_TICK] <= now_ns;

	for (unsigned owner = 0; owner < ALARM_OWNERS; owner++)
		if (state->due_ns[owner] <= now_ns)
			state->due_ns[owner] = 0;
	alarm_arm(state, now_ns);
	/* Last: it may switch to another task. */
	if (tick && tick_handler)
		tick_handler();
}

void alarm_init(void)
{
	arch_timer_handler(alarm_interrupt);
}

void alarm_set(enum alarm_owner owner, uint64_t ns)
{
	struct alarm_state *state = percpu(states);
	uint64_t now_ns = alarm_now();

	state->due_ns[owner] = ns ? now_ns + ns : 0;
	alarm_arm(state, now_ns);
}

void alarm_tick_handler(void (*handler)(void))
{
	tick_handler = handler;
}
