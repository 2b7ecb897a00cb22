/*
 * The one timer of each CPU, shared: who waits with a deadline and who slices time each have an alarm of their own.
 *
 * Context: the CPU concerned, interrupts off. An alarm fires once, not before its time; it may also be late, and the
 * timer may interrupt for no alarm at all: who waits reads the clock.
 */
#ifndef SYNC_ALARM_H
#define SYNC_ALARM_H

#include <stdint.h>

enum alarm_owner {
	ALARM_WAIT, /* a deadline: the interrupt itself is what was wanted */
	ALARM_TICK, /* the scheduler's */
	ALARM_OWNERS,
};

/* Boot CPU, once, before others: takes over arch_timer_handler. */
void alarm_init(void);
/* Sets the owner's alarm on this CPU to fire after ns; 0 cancels it. */
void alarm_set(enum alarm_owner owner, uint64_t ns);
/* Called when ALARM_TICK fires, interrupts off. */
void alarm_tick_handler(void (*handler)(void));

#endif
