/*
 * Tasks: each on one CPU for life, first come, first served there, preempted when its slice is over and another waits.
 *
 * A CPU with one task and no sleeper gets no timer interrupt; one without a task is halted. The boot CPU's boot thread
 * is its first task. Context: tasks, unless a line says otherwise; no guard may be up where a task gives up its CPU.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "sched/runqueue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHED_SLICE_NS 1000000ull
#define SCHED_STACK_SIZE 16384u

enum task_state {
	TASK_READY, /* running or in line */
	TASK_SLEEPING,
	TASK_ENDED,
};

struct task {
	struct runqueue_node node;
	const char *name;
	void (*entry)(void *argument);
	void *argument;
	void *context;   /* while it does not run */
	uint64_t *stack; /* its lowest words hold a pattern; NULL for a CPU's first stack */
	unsigned cpu;
	volatile enum task_state state;
	uint64_t left_ticks; /* when it last gave up its CPU */
	uint64_t away_ticks; /* how long other tasks have run in its place, in all */
};

/* Of one CPU. */
struct sched_counts {
	uint64_t switches;    /* from one task to another, idling included */
	uint64_t preemptions; /* of these, those that the task had not asked for */
};

/* Boot CPU, once, after heap_init: the caller becomes a task. Interrupts are on afterwards. */
void sched_init(void);
/* Starts up to `cpus` CPUs in all, as far as they are present and start; returns how many run. Boot CPU. */
unsigned sched_start_cpus(unsigned cpus_present, unsigned cpus);

/* A new task on a running CPU, in line at once; NULL without memory. Boot CPU (the heap is its own). */
struct task *sched_spawn(unsigned cpu, const char *name, void (*entry)(void *argument), void *argument);
bool sched_ended(const struct task *task);
struct task *sched_current(void);

/* Lets the others in line run first. */
void sched_yield(void);
void sched_sleep_ns(uint64_t ns);
_Noreturn void sched_exit(void);

const struct sched_counts *sched_counts(unsigned cpu);
/* Whether the pattern below a task's stack is whole; a switch away from a task whose is not, panics. */
bool sched_stack_intact(const struct task *task);

#endif
