#include "sched/load.h"

#include "arch/arch.h"
#include "sched/sched.h"
#include "sync/percpu.h"

/* Steps of a linear congruential generator in one round. */
#define STEPS_A_ROUND 1000u

struct load_task {
	volatile uint64_t rounds;
	volatile uint64_t state; /* stored each round: the work must not be optimised away */
};

struct load_cpu {
	struct load_task tasks[LOAD_TASKS_PER_CPU];
};

static PERCPU(struct load_cpu) loads;
static volatile bool load_over;

static void load_work(void *argument)
{
	struct load_task *task = argument;
	uint64_t state = task->state;

	while (!load_over) {
		for (unsigned step = 0; step < STEPS_A_ROUND; step++)
			state = state * 6364136223846793005ull + 1442695040888963407ull;
		task->state = state;
		task->rounds = task->rounds + 1;
	}
}

bool load_start(unsigned cpus)
{
	load_over = false;
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		for (unsigned i = 0; i < LOAD_TASKS_PER_CPU; i++)
			if (!sched_spawn(cpu, "load", load_work, &percpu_of(loads, cpu)->tasks[i]))
				return false;
	return true;
}

void load_stop(void)
{
	load_over = true;
}

uint64_t load_rounds(unsigned cpu)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < LOAD_TASKS_PER_CPU; i++)
		if (percpu_of(loads, cpu)->tasks[i].rounds < least)
			least = percpu_of(loads, cpu)->tasks[i].rounds;
	return least;
}
