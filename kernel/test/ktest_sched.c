/* sched/ and sync/: tasks that take turns, sleep and are preempted, and work on every CPU. */
#include "test/ktest.h"
#include "test/machine.h"

#include "arch/arch.h"
#include "options.h"
#include "sched/load.h"
#include "sched/sched.h"
#include "sync/alarm.h"
#include "sync/percpu.h"
#include "sync/preempt.h"
#include "sync/spinlock.h"

#include <stddef.h>
#include <stdint.h>

#define PATIENCE_NS 5000000000ull
#define LOCKED_ADDITIONS 2000u

static uint64_t now_ns(void)
{
	return arch_ticks_to_ns(arch_ticks());
}

/* Waits without giving up the CPU; the bound is for a kernel that is wrong. */
static bool spin_until_more(const volatile uint64_t *counter, uint64_t than)
{
	uint64_t start = now_ns();

	while (*counter <= than)
		if (now_ns() - start > PATIENCE_NS)
			return false;
	return true;
}

static bool wait_ended(const struct task *task)
{
	uint64_t start = now_ns();

	while (!sched_ended(task)) {
		if (now_ns() - start > PATIENCE_NS)
			return false;
		sched_yield();
	}
	return true;
}

static char turns[16];
static unsigned turns_count, turners;

/* With interrupts off from the start signal on, so that a slice that ends does not change the order. */
static void take_turns(void *argument)
{
	bool enabled = arch_irq_disable();

	for (turners++; turners < 2;)
		sched_yield();
	for (unsigned i = 0; i < 3; i++) {
		if (turns_count < sizeof(turns) - 1)
			turns[turns_count++] = *(const char *)argument;
		sched_yield();
	}
	arch_irq_restore(enabled);
}

static void tasks(void)
{
	struct task *a = sched_spawn(0, "a", take_turns, "a"), *b = sched_spawn(0, "b", take_turns, "b");
	bool alternate = true, ended = a && b && wait_ended(a) && wait_ended(b);

	ktest_check(ended, "tasks run when others yield, and end");
	for (unsigned i = 0; i < 6; i++)
		alternate &= turns[i] == (i % 2 ? turns[1] : turns[0]);
	ktest_check(turns_count == 6 && alternate && turns[0] != turns[1], "tasks that yield take turns");
	ktest_check(sched_current() && sched_current()->state == TASK_READY, "the boot thread is a task like others");
}

static volatile uint64_t spinner_rounds, spinner_stop;

static void spinner(void *unused)
{
	(void)unused;
	while (!spinner_stop)
		spinner_rounds = spinner_rounds + 1;
}

static void spin_ns(uint64_t ns)
{
	uint64_t start = now_ns();

	while (now_ns() - start < ns)
		arch_relax();
}

/* While a task waits in line. */
static void guarding(void)
{
	uint64_t rounds, served, switches, start = now_ns();

	preempt_disable();
	rounds = spinner_rounds;
	while (!preempt_pending() && now_ns() - start < PATIENCE_NS)
		arch_relax();
	ktest_check(preempt_pending(), "under a guard the end of a slice is a request that waits");
	spin_ns(5 * SCHED_SLICE_NS);
	ktest_check(spinner_rounds == rounds, "no other task runs, however many slices go by");
	served = preempt_counts(0)->reschedules;
	switches = sched_counts(0)->switches;
	preempt_enable();
	ktest_check(preempt_counts(0)->reschedules > served && sched_counts(0)->switches > switches,
		    "the drop of the guard lets the next one run");
	ktest_check(spin_until_more(&spinner_rounds, rounds), "and it gets on");
}

static void preemption(void)
{
	uint64_t preemptions = sched_counts(0)->preemptions, requests;
	struct task *task = sched_spawn(0, "spinner", spinner, NULL);

	ktest_check(task && spin_until_more(&spinner_rounds, 0), "a waiting task runs although no task yields");
	ktest_check(sched_counts(0)->preemptions >= preemptions + 2, "because both are preempted, which is counted");
	guarding();
	ktest_check(sched_current()->away_ticks > 0, "time away from the CPU is known");
	spinner_stop = 1;
	ktest_check(wait_ended(task), "the task ends");
	requests = preempt_counts(0)->requests;
	spin_ns(3 * SCHED_SLICE_NS);
	ktest_check(preempt_counts(0)->requests == requests, "a CPU with one task is not interrupted by the scheduler");
}

static void sleeping(void)
{
	uint64_t start = now_ns(), ticks;
	bool enabled;

	sched_sleep_ns(3000000);
	ktest_check(now_ns() - start >= 3000000,
		    "a task sleeps at least as long as it asked, with no other task to run");
	enabled = arch_irq_disable();
	ticks = preempt_counts(0)->requests;
	start = now_ns();
	alarm_set(ALARM_TICK, 5000000);
	alarm_set(ALARM_WAIT, 500000);
	while (now_ns() - start < 500000)
		arch_irq_wait();
	ktest_check(now_ns() - start < PATIENCE_NS, "a deadline ends a halt");
	/* The tick, set before, has come or is still to come. */
	alarm_set(ALARM_WAIT, 1000000000);
	alarm_set(ALARM_WAIT, 0);
	arch_irq_restore(enabled);
	while (preempt_counts(0)->requests == ticks && now_ns() - start < PATIENCE_NS)
		arch_relax();
	start = now_ns() - start;
	ktest_check(start >= 5000000 && start < PATIENCE_NS, "a deadline that is cancelled leaves the tick as it was");
}

static void do_nothing(void *unused)
{
	(void)unused;
}

static void stacks(void)
{
	static uint64_t words[16];
	struct task *task = sched_spawn(0, "short", do_nothing, NULL), damaged = {.stack = words};
	bool ended = task && wait_ended(task);

	for (unsigned i = 0; ended && i < 16; i++)
		words[i] = task->stack[i % 8];
	ktest_check(ended && sched_stack_intact(task) && sched_stack_intact(&damaged), "the end of a stack is marked");
	words[0] = 0;
	ktest_check(!sched_stack_intact(&damaged), "and what overwrites it is noticed");
}

static struct spinlock counter_lock;
static uint64_t locked_counter;
static volatile uint64_t cpus_done;

static void add_under_lock(void *cpu)
{
	for (unsigned i = 0; i < LOCKED_ADDITIONS; i++) {
		bool enabled = spinlock_lock(&counter_lock);

		locked_counter++;
		spinlock_unlock(&counter_lock, enabled);
	}
	if (arch_cpu() == (unsigned)(uintptr_t)cpu)
		__atomic_fetch_add(&cpus_done, 1, __ATOMIC_RELEASE);
}

/* Whether all other CPUs have got on since, and their tasks were preempted meanwhile. */
static bool loaded(unsigned cpus, const uint64_t *rounds, const uint64_t *preemptions)
{
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		if (load_rounds(cpu) <= rounds[cpu] || sched_counts(cpu)->preemptions < preemptions[cpu] + 2)
			return false;
	return true;
}

static void load(unsigned cpus)
{
	uint64_t rounds[ARCH_CPUS_MAX], preemptions[ARCH_CPUS_MAX], start = now_ns();
	bool spawned = load_start(cpus);

	for (unsigned cpu = 1; cpu < cpus; cpu++) {
		rounds[cpu] = load_rounds(cpu);
		preemptions[cpu] = sched_counts(cpu)->preemptions;
	}
	while (spawned && !loaded(cpus, rounds, preemptions) && now_ns() - start < PATIENCE_NS)
		sched_sleep_ns(SCHED_SLICE_NS);
	ktest_check(spawned && loaded(cpus, rounds, preemptions), "load keeps the other CPUs busy, in turns");
	load_stop();
}

static void others(unsigned cpus)
{
	bool spawned = true;

	for (unsigned cpu = 0; cpu < cpus; cpu++)
		spawned &= sched_spawn(cpu, "adder", add_under_lock, (void *)(uintptr_t)cpu) != NULL;
	for (uint64_t start = now_ns(); cpus_done < cpus && now_ns() - start < PATIENCE_NS;)
		sched_yield();
	ktest_check(spawned && cpus_done == cpus, "a task runs on each CPU, the one it was given to");
	ktest_check(locked_counter == (uint64_t)cpus * LOCKED_ADDITIONS,
		    "a spinlock keeps what all of them count exact");
	if (cpus > 1)
		load(cpus);
	else
		ktest_skip("load keeps the other CPUs busy, in turns", "there is one CPU");
}

static void run(void)
{
	unsigned cpus = sched_start_cpus(ktest_machine->cpus_present, CPUS);

	ktest_check(cpus == (ktest_machine->cpus_present < CPUS ? ktest_machine->cpus_present : CPUS),
		    "all CPUs that are present start, up to CPUS");
	tasks();
	preemption();
	sleeping();
	stacks();
	others(cpus);
}

KTEST_SUITE(sched, run);
