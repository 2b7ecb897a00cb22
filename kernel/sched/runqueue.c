#include "sched/runqueue.h"

#include "base/panic.h"

#include <stddef.h>

void runqueue_push(struct runqueue *queue, struct runqueue_node *node)
{
	ASSERT(!node->queued);
	node->queued = true;
	node->next = NULL;
	if (queue->last)
		queue->last->next = node;
	else
		queue->first = node;
	queue->last = node;
	queue->ready++;
}

struct runqueue_node *runqueue_pop(struct runqueue *queue)
{
	struct runqueue_node *node = queue->first;

	if (!node)
		return NULL;
	queue->first = node->next;
	if (!queue->first)
		queue->last = NULL;
	node->next = NULL;
	node->queued = false;
	queue->ready--;
	return node;
}

void runqueue_sleep(struct runqueue *queue, struct runqueue_node *node, uint64_t wake_ns)
{
	struct runqueue_node **at = &queue->sleepers;

	ASSERT(!node->queued);
	while (*at && (*at)->wake_ns <= wake_ns)
		at = &(*at)->next;
	node->queued = true;
	node->wake_ns = wake_ns;
	node->next = *at;
	*at = node;
}

unsigned runqueue_wake(struct runqueue *queue, uint64_t now_ns)
{
	unsigned woken = 0;

	while (queue->sleepers && queue->sleepers->wake_ns <= now_ns) {
		struct runqueue_node *node = queue->sleepers;

		queue->sleepers = node->next;
		node->queued = false;
		runqueue_push(queue, node);
		woken++;
	}
	return woken;
}

uint64_t runqueue_next_wake(const struct runqueue *queue)
{
	return queue->sleepers ? queue->sleepers->wake_ns : 0;
}
