/* sched/runqueue: the order of those in line and of those asleep. */
#include "test/ktest.h"

#include "sched/runqueue.h"

static void run(void)
{
	struct runqueue queue = {0};
	struct runqueue_node a = {0}, b = {0}, c = {0};

	ktest_check(!runqueue_pop(&queue), "an empty queue has no next");
	runqueue_push(&queue, &a);
	runqueue_push(&queue, &b);
	ktest_check(runqueue_pop(&queue) == &a && runqueue_pop(&queue) == &b && !queue.ready,
		    "first come, first served");
	runqueue_sleep(&queue, &b, 20);
	runqueue_sleep(&queue, &a, 10);
	runqueue_sleep(&queue, &c, 20);
	ktest_check(runqueue_next_wake(&queue) == 10, "the sleeper that wakes first is known");
	ktest_check(runqueue_wake(&queue, 9) == 0 && !queue.ready, "no task wakes before its time");
	ktest_check(runqueue_wake(&queue, 10) == 1 && runqueue_pop(&queue) == &a,
		    "at its time a sleeper joins the line");
	ktest_check(runqueue_wake(&queue, 1000) == 2 && runqueue_pop(&queue) == &b && runqueue_pop(&queue) == &c,
		    "sleepers of the same time wake in the order in which they went to sleep");
	ktest_check(!runqueue_next_wake(&queue), "and then no task sleeps");
	runqueue_push(&queue, &a);
	ktest_check(runqueue_pop(&queue) == &a && !runqueue_pop(&queue), "a queue that ran empty is used again");
}

KTEST_SUITE(runqueue, run);
