/* sync/preempt: guards, requests, and what a global counter does to another CPU's (claim 4 of preempt.h). */
#include "test/ktest.h"
#include "test/machine.h"

#include "arch/arch.h"
#include "options.h"
#include "sched/sched.h"
#include "sync/preempt.h"

#include <stddef.h>
#include <stdint.h>

#define PATIENCE_NS 5000000000ull

static unsigned served; /* on the boot CPU */

static void count_reschedule(void)
{
	served += arch_cpu() == 0;
}

static void request(void)
{
	bool enabled = arch_irq_disable();

	preempt_request();
	arch_irq_restore(enabled);
}

static void guards(void)
{
	served = 0;
	request();
	ktest_check(served == 1 && !preempt_pending(), "without a guard a request is served at once");
	preempt_disable();
	request();
	request();
	ktest_check(served == 1 && preempt_pending() && preempt_guarded(), "under a guard requests wait");
	preempt_disable();
	preempt_enable();
	ktest_check(served == 1 && preempt_pending(), "an inner guard's drop serves nothing");
	preempt_enable();
	ktest_check(served == 2 && !preempt_pending(), "the last drop serves all that waited, once");
	preempt_disable();
	preempt_enable();
	ktest_check(served == 2, "a drop with nothing waiting serves nothing");
	{
		PREEMPT_GUARD();

		ktest_check(preempt_guarded(), "a guard stands until the end of its block");
	}
	ktest_check(!preempt_guarded(), "and no longer");
}

static volatile unsigned phase; /* 1: the other CPU holds a guard, 2: it may drop it, 3: it has */

static bool wait_phase(unsigned wanted)
{
	uint64_t start = arch_ticks();

	while (__atomic_load_n(&phase, __ATOMIC_ACQUIRE) != wanted)
		if (arch_ticks_to_ns(arch_ticks() - start) > PATIENCE_NS)
			return false;
	return true;
}

static void hold_guard(void *unused)
{
	(void)unused;
	preempt_disable();
	__atomic_store_n(&phase, 1, __ATOMIC_RELEASE);
	wait_phase(2);
	preempt_enable();
	__atomic_store_n(&phase, 3, __ATOMIC_RELEASE);
}

/* One request here while the other CPU holds a guard. */
static void across_cpus(void)
{
	bool held, waits, lost;

	phase = 0;
	served = 0;
	held = sched_spawn(1, "guard", hold_guard, NULL) && wait_phase(1);
	request();
	waits = preempt_pending();
	__atomic_store_n(&phase, 2, __ATOMIC_RELEASE);
	held &= wait_phase(3);
	lost = preempt_pending();
	ktest_check(held, "another CPU holds and drops a guard");
	if (OPTION(PREEMPT) == OPTION_PREEMPT_global) {
		ktest_check(waits && !served, "a global counter lets another CPU's guard hold back a request here");
		ktest_check(lost, "and that CPU's drop loses it");
		request();
		ktest_check(served == 1 && !preempt_pending(), "until the next request");
	} else {
		ktest_check(!waits && served == 1, "a per-CPU counter keeps another CPU's guard out of it");
		ktest_check(!lost, "and nothing is lost");
	}
}

static void run(void)
{
	preempt_reschedule *scheduler = preempt_handler(count_reschedule);
	unsigned cpus = sched_start_cpus(ktest_machine->cpus_present, CPUS);

	guards();
	/* The other CPU runs its task from its idle loop, which asks no handler. */
	if (cpus > 1)
		across_cpus();
	else
		ktest_skip("another CPU holds and drops a guard", "there is one CPU");
	preempt_handler(scheduler);
}

KTEST_SUITE(preempt, run);
