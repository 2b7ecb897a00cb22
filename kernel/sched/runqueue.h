/*
 * Tasks in line, and tasks asleep: intrusive lists without a lock or an architecture, also built natively.
 *
 * A task is in one list at most. Sleepers are sorted by the time at which they wake; equal times keep their order.
 */
#ifndef SCHED_RUNQUEUE_H
#define SCHED_RUNQUEUE_H

#include <stdbool.h>
#include <stdint.h>

/* What the lists know of a task; embedded in struct task. */
struct runqueue_node {
	struct runqueue_node *next;
	uint64_t wake_ns; /* of a sleeper */
	bool queued;
};

struct runqueue {
	struct runqueue_node *first, *last; /* ready, first come, first served */
	struct runqueue_node *sleepers;
	unsigned ready;
};

void runqueue_push(struct runqueue *queue, struct runqueue_node *node);
/* The next one in line, or NULL. */
struct runqueue_node *runqueue_pop(struct runqueue *queue);

void runqueue_sleep(struct runqueue *queue, struct runqueue_node *node, uint64_t wake_ns);
/* Moves those whose time has come into the line; returns how many. */
unsigned runqueue_wake(struct runqueue *queue, uint64_t now_ns);
/* When the next sleeper wakes, or 0 when there is none. */
uint64_t runqueue_next_wake(const struct runqueue *queue);

#endif
