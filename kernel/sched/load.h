/*
 * Work for the other CPUs (`load=1`): two tasks on each that compute without end and never give up their CPU, so that
 * both get on only because they are preempted.
 */
#ifndef SCHED_LOAD_H
#define SCHED_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#define LOAD_TASKS_PER_CPU 2

/* On CPUs 1 … cpus - 1, which run. False without memory. Boot CPU. */
bool load_start(unsigned cpus);
/* Asks the tasks to end, which they do when they next run. */
void load_stop(void);
/* The least number of rounds that any task of a CPU has done: all of them have run since it was less. */
uint64_t load_rounds(unsigned cpu);

#endif
