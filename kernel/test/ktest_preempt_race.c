/*
 * The race between the drop of the last guard and a request (sync/preempt.h), by a sweep that lands a timer interrupt
 * on every instruction of the drop. The sweep needs a clock that counts instructions: QEMU's -icount shift=0, one CPU.
 *
 * Lost: no guard is up any more, and the request still waits. Doubled: a reschedule with no request left to serve.
 */
#include "test/ktest.h"

#include "arch/arch.h"
#include "sync/alarm.h"
#include "sync/preempt.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Each step delays the drop by some instructions and the interrupt by some nanoseconds, drawn at random (with a fixed
 * seed). Both ranges go beyond the longest tick of a timer here, 100 instructions, so that about one step in 300 meets
 * a given instruction.
 */
#define FINE 8u
#define COARSE 48u
#define SPREAD_NS 256u
#define SWEEP_STEPS 12000u
#define PLACES_MAX 512u
#define WAIT_POLLS_MAX 1000000u
#define FAR_NS 20000u
#define ICOUNT_TRIES 8u

/* The wrong ways of claims 2 and 3, on a state of their own. */
struct race {
	volatile uint32_t guards;
	volatile bool pending;
	volatile uint32_t reschedules, doubled;
};

static struct race race;

static void race_reschedule(void)
{
	race.reschedules = race.reschedules + 1;
	if (!race.pending)
		race.doubled = race.doubled + 1;
	race.pending = false;
}

static void race_request(void)
{
	race.pending = true;
	if (!race.guards)
		race_reschedule();
}

/* Claim 2: polls, then lowers. */
__attribute__((noinline)) static void drop_look_first(void)
{
	bool pending = race.guards == 1 && race.pending;

	race.guards = race.guards - 1;
	if (pending)
		race_reschedule();
}

/* Claim 3: lowers, polls, and acts with interrupts on. */
__attribute__((noinline)) static void drop_act_unmasked(void)
{
	race.guards = race.guards - 1;
	if (!race.guards && race.pending)
		race_reschedule();
}

static void race_raise(void)
{
	race.guards = race.guards + 1;
}

static bool race_is_pending(void)
{
	return race.pending;
}

/* Claim 1, with the kernel's own functions. */
static struct {
	uint32_t reschedules, doubled;
	uint64_t served; /* requests up to the last reschedule */
} kernel;

static void kernel_reschedule(void)
{
	uint64_t requests = preempt_counts(0)->requests;

	kernel.reschedules++;
	kernel.doubled += requests == kernel.served;
	kernel.served = requests;
}

/* One way to do it. */
struct way {
	void (*raise)(void), (*drop)(void), (*request)(void);
	bool (*pending)(void);
};

static const struct way kernel_way = {preempt_disable, preempt_enable, preempt_request, preempt_pending};
static const struct way look_first = {race_raise, drop_look_first, race_request, race_is_pending};
static const struct way act_unmasked = {race_raise, drop_act_unmasked, race_request, race_is_pending};

/*
 * What a sweep found. A place is counted in instructions from just before the drop to the handler, so that distinct
 * places are distinct instructions, those of functions that the drop calls included.
 */
struct sweep {
	unsigned lost;
	uint64_t first;          /* the place of the drop's first instruction; 0 until struck */
	bool struck[PLACES_MAX]; /* by place */
};

static const struct way *swept;
static volatile bool interrupted;
static volatile uintptr_t interrupted_pc;
static volatile uint64_t interrupted_at;

static void sweep_interrupt(void)
{
	interrupted_at = arch_instructions();
	interrupted_pc = arch_interrupted_pc();
	interrupted = true;
	swept->request();
}

static void sweep_note(struct sweep *sweep, uint64_t place)
{
	if (interrupted && place < PLACES_MAX)
		sweep->struck[place] = true;
	if (interrupted && interrupted_pc == (uintptr_t)swept->drop)
		sweep->first = place;
}

/* How many of the drop's `length` instructions were struck. */
static unsigned sweep_struck(const struct sweep *sweep, unsigned length)
{
	unsigned count = 0;

	for (uint64_t place = sweep->first; sweep->first && place < sweep->first + length && place < PLACES_MAX;
	     place++)
		count += sweep->struck[place];
	return count;
}

/*
 * A loop for the coarse part, and a row of stores, one instruction each, entered somewhere for the fine part: longer
 * together than an iteration of the loop, however the compiler makes that.
 */
static void delay(uint64_t chosen)
{
	/* cppcheck reads && as a label's address only behind a cast. */
	static const void *const entries[FINE] = {(const void *)&&left0, (const void *)&&left1, (const void *)&&left2,
						  (const void *)&&left3, (const void *)&&left4, (const void *)&&left5,
						  (const void *)&&left6, (const void *)&&left7};
	volatile unsigned sink;

	for (unsigned i = 0; i < chosen / FINE % COARSE; i++)
		sink = i;
	goto *entries[chosen % FINE];
left7:
	sink = 0;
left6:
	sink = 0;
left5:
	sink = 0;
left4:
	sink = 0;
left3:
	sink = 0;
left2:
	sink = 0;
left1:
	sink = 0;
left0:
	(void)sink;
}

/*
 * One landing: a guard, perhaps a request that waits already, and an interrupt after ns. Returns how long it took from
 * the arming to the drop.
 */
static uint64_t sweep_step(struct sweep *sweep, uint64_t delayed, uint64_t ns, bool waiting)
{
	bool enabled = arch_irq_disable();
	uint64_t armed, start, reached;

	swept->raise();
	if (waiting)
		swept->request();
	interrupted = false;
	armed = arch_ticks();
	arch_timer_arm(ns);
	arch_irq_restore(true);
	delay(delayed);
	reached = arch_ticks();
	start = arch_instructions();
	swept->drop();
	for (unsigned poll = 0; !interrupted && poll < WAIT_POLLS_MAX; poll++)
		arch_relax();
	arch_irq_disable();
	/* An interrupt before the start wraps round, beyond every place. */
	sweep_note(sweep, interrupted_at - start);
	if (swept->pending()) {
		sweep->lost++;
		/* A lost request must not wait for the next step. */
		swept->request();
	}
	arch_irq_restore(enabled);
	return arch_ticks_to_ns(reached - armed);
}

static struct sweep sweep_run(const struct way *way, bool waiting)
{
	struct sweep sweep = {0}, unused = {0};
	uint64_t random = 1, way_ns;

	swept = way;
	arch_timer_handler(sweep_interrupt);
	/* How far it is to the drop, with the interrupt far behind it. */
	sweep_step(&unused, 0, FAR_NS, false);
	way_ns = sweep_step(&unused, 0, FAR_NS, false);
	race = (struct race){0};
	kernel.reschedules = kernel.doubled = 0;
	kernel.served = preempt_counts(0)->requests;
	for (unsigned step = 0; step < SWEEP_STEPS; step++) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		sweep_step(&sweep, random >> 40, way_ns + (random >> 32) % SPREAD_NS, waiting);
	}
	arch_timer_arm(0);
	alarm_init();
	return sweep;
}

static void drop_nothing(void)
{
}

/* Instructions of one call, its way there and back included. */
__attribute__((noinline)) static uint64_t instructions_of(void (*volatile function)(void))
{
	uint64_t start = arch_instructions();

	function();
	return arch_instructions() - start;
}

/* Instructions that the kernel's drop executes when nothing waits. */
static unsigned drop_length(void)
{
	uint64_t whole, empty;

	preempt_disable();
	whole = instructions_of(preempt_enable);
	empty = instructions_of(drop_nothing);
	/* drop_nothing is a single return, which the drop has too. */
	return (unsigned)(whole - empty) + 1;
}

static bool counts_instructions(void)
{
	uint64_t first = instructions_of(drop_nothing);
	bool same = first > 0;

	for (unsigned i = 0; i < ICOUNT_TRIES; i++)
		same &= instructions_of(drop_nothing) == first;
	return same;
}

static void kernel_drop(void)
{
	preempt_reschedule *scheduler = preempt_handler(kernel_reschedule);
	struct sweep sweep = sweep_run(&kernel_way, false);
	unsigned length = drop_length(), struck = sweep_struck(&sweep, length);

	ktest_note("drop of %u instructions, %u struck by %u interrupts", length, struck, SWEEP_STEPS);
	ktest_check(length > 0 && struck == length, "the interrupt struck every instruction of the kernel's drop");
	ktest_check(!sweep.lost, "the kernel's drop loses none of them");
	ktest_check(kernel.reschedules == SWEEP_STEPS && !kernel.doubled, "and each is served exactly once");
	sweep = sweep_run(&kernel_way, true);
	ktest_note("with one waiting: %u reschedules for %u requests", kernel.reschedules, 2 * SWEEP_STEPS);
	ktest_check(!sweep.lost, "with a request waiting already, none is lost either");
	ktest_check(kernel.reschedules > SWEEP_STEPS && !kernel.doubled, "and no reschedule finds nothing to serve");
	preempt_handler(scheduler);
}

static void wrong_drops(void)
{
	struct sweep sweep = sweep_run(&look_first, false);

	ktest_note("polls first: %u of %u requests lost", sweep.lost, SWEEP_STEPS);
	ktest_check(sweep.lost > 0, "a drop that polls first and lowers after loses requests");
	ktest_check(!race.doubled, "it doubles none");
	sweep = sweep_run(&act_unmasked, false);
	ktest_check(!sweep.lost, "one that lowers first loses none");
	ktest_check(!race.doubled, "and doubles none, as long as nothing waited");
	sweep = sweep_run(&act_unmasked, true);
	ktest_note("acts unmasked: %u of %u requests served again", race.doubled, SWEEP_STEPS);
	ktest_check(race.doubled > 0, "acting with interrupts on serves a waiting request twice");
	ktest_check(!sweep.lost, "but loses none");
}

static void run(void)
{
	if (!counts_instructions()) {
		ktest_skip("the interrupt struck every instruction of the kernel's drop", "needs -icount shift=0");
		return;
	}
	kernel_drop();
	wrong_drops();
}

KTEST_SUITE(preempt_race, run);
