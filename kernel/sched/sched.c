#include "sched/sched.h"

#include "arch/arch.h"
#include "base/heap.h"
#include "base/panic.h"
#include "sync/alarm.h"
#include "sync/percpu.h"
#include "sync/preempt.h"
#include "sync/spinlock.h"

#define STACK_PATTERN 0x5ac6b7d8e9fa0b1cull
#define STACK_PATTERN_WORDS 8u
#define STACK_GUARD 4096u
#define CPU_START_NS 100000000ull

struct sched_cpu {
	struct spinlock lock; /* of the queue: other CPUs put tasks into it */
	struct runqueue queue;
	struct task *current;
	struct task idle; /* runs when no other task is ready; never in the queue */
	struct sched_counts counts;
};

static PERCPU(struct sched_cpu) cpus;
static struct task boot_task = {.name = "boot"};
static unsigned cpus_running;
static volatile bool cpu_is_up;

static uint64_t now_ns(void)
{
	return arch_ticks_to_ns(arch_ticks());
}

bool sched_stack_intact(const struct task *task)
{
	if (!task->stack)
		return true;
	for (unsigned i = 0; i < STACK_PATTERN_WORDS; i++)
		if (task->stack[i] != STACK_PATTERN)
			return false;
	return true;
}

/* Who runs next. The task that leaves goes back into line if it wants to go on. Under the lock. */
static struct task *sched_pick(struct sched_cpu *cpu, uint64_t now)
{
	struct task *leaving = cpu->current;
	struct runqueue_node *node;

	runqueue_wake(&cpu->queue, now);
	if (leaving->state == TASK_READY && leaving != &cpu->idle)
		runqueue_push(&cpu->queue, &leaving->node);
	node = runqueue_pop(&cpu->queue);
	/* node is the first member of struct task. */
	return node ? (struct task *)(void *)node : &cpu->idle;
}

/* The next tick: the end of a slice if a task waits in the queue, or the moment a sleeper wakes. */
static void sched_set_tick(const struct runqueue *queue, uint64_t now)
{
	uint64_t wake = runqueue_next_wake(queue), ns = wake > now ? wake - now : !!wake;

	if (queue->ready && (!wake || ns > SCHED_SLICE_NS))
		ns = SCHED_SLICE_NS;
	alarm_set(ALARM_TICK, ns);
}

/* Gives the CPU to the next in line. Interrupts off; returns when the caller's turn comes again, interrupts off. */
static void sched_switch(bool asked_for)
{
	struct sched_cpu *cpu = percpu(cpus);
	struct task *leaving = cpu->current, *next;
	uint64_t now = now_ns();

	if (!sched_stack_intact(leaving))
		panic("the stack of task %s has overflowed", leaving->name);
	spinlock_lock(&cpu->lock);
	next = sched_pick(cpu, now);
	sched_set_tick(&cpu->queue, now);
	spinlock_unlock(&cpu->lock, false);
	if (next == leaving)
		return;
	cpu->current = next;
	cpu->counts.switches++;
	if (!asked_for && leaving != &cpu->idle)
		cpu->counts.preemptions++;
	leaving->left_ticks = arch_ticks();
	/* No other CPU can run `leaving` before its context is saved: it stays on this CPU. */
	arch_context_switch(&leaving->context, next->context);
	leaving->away_ticks += arch_ticks() - leaving->left_ticks;
}

/* Serves a request (sync/preempt.h). */
static void sched_preempt(void)
{
	sched_switch(false);
}

static void sched_tick(void)
{
	/* A request that has to wait must not be the last one. */
	if (preempt_guarded())
		alarm_set(ALARM_TICK, SCHED_SLICE_NS);
	preempt_request();
}

void sched_yield(void)
{
	bool enabled = arch_irq_disable();

	ASSERT(!preempt_guard_held());
	sched_switch(true);
	arch_irq_restore(enabled);
}

void sched_sleep_ns(uint64_t ns)
{
	bool enabled = arch_irq_disable();
	struct sched_cpu *cpu = percpu(cpus);
	struct task *task = cpu->current;

	ASSERT(!preempt_guard_held());
	task->state = TASK_SLEEPING;
	spinlock_lock(&cpu->lock);
	runqueue_sleep(&cpu->queue, &task->node, now_ns() + ns);
	spinlock_unlock(&cpu->lock, false);
	sched_switch(true);
	task->state = TASK_READY;
	arch_irq_restore(enabled);
}

void sched_exit(void)
{
	arch_irq_disable();
	ASSERT(!preempt_guard_held());
	percpu(cpus)->current->state = TASK_ENDED;
	sched_switch(true);
	panic("an ended task ran");
}

static void task_start(void *argument)
{
	struct task *task = argument;

	/* The boot CPU has made the guard of this stack; this CPU may still know the page as it was. */
	arch_tlb_flush();
	arch_irq_restore(true);
	task->entry(task->argument);
	sched_exit();
}

/* What a CPU does when no task is ready: halts until an interrupt. Interrupts are off except during the halt. */
static void idle_loop(void *unused)
{
	struct sched_cpu *cpu = percpu(cpus);

	(void)unused;
	for (;;) {
		bool ready;

		spinlock_lock(&cpu->lock);
		ready = cpu->queue.ready;
		spinlock_unlock(&cpu->lock, false);
		if (!ready)
			arch_irq_wait();
		sched_switch(true);
	}
}

/* The end of a new stack, NULL without memory. A page below it faults, where the architecture can do that. */
static void *stack_new(struct task *task)
{
	uint8_t *guard = heap_alloc(STACK_GUARD + SCHED_STACK_SIZE, STACK_GUARD);

	if (!guard)
		return NULL;
	arch_guard(guard);
	task->stack = (uint64_t *)(void *)(guard + STACK_GUARD);
	for (unsigned i = 0; i < STACK_PATTERN_WORDS; i++)
		task->stack[i] = STACK_PATTERN;
	return (uint8_t *)task->stack + SCHED_STACK_SIZE;
}

void sched_init(void)
{
	struct sched_cpu *cpu = percpu_of(cpus, 0);
	void *top = stack_new(&cpu->idle);

	if (!top)
		panic("no memory for the first stack");
	cpu->idle.name = "idle";
	cpu->idle.context = arch_context_new(top, idle_loop, NULL);
	cpu->current = &boot_task;
	cpus_running = 1;
	alarm_init();
	alarm_tick_handler(sched_tick);
	arch_ipi_handler(preempt_request);
	preempt_handler(sched_preempt);
	arch_irq_restore(true);
}

/* First code of another CPU, as its idle task, interrupts off. */
static void cpu_main(void)
{
	cpu_is_up = true;
	idle_loop(NULL);
}

unsigned sched_start_cpus(unsigned cpus_present, unsigned cpus_wanted)
{
	while (cpus_running < cpus_present && cpus_running < cpus_wanted) {
		struct sched_cpu *cpu = percpu_of(cpus, cpus_running);
		void *top = stack_new(&cpu->idle);
		uint64_t start = now_ns();

		cpu->idle.name = "idle";
		cpu->idle.cpu = cpus_running;
		cpu->current = &cpu->idle;
		cpu_is_up = false;
		if (!top || arch_cpu_start(cpus_running, cpu_main, top))
			break;
		while (!cpu_is_up && now_ns() - start < CPU_START_NS)
			arch_relax();
		if (!cpu_is_up)
			break;
		cpus_running++;
	}
	return cpus_running;
}

struct task *sched_spawn(unsigned cpu_number, const char *name, void (*entry)(void *argument), void *argument)
{
	struct sched_cpu *cpu = percpu_of(cpus, cpu_number);
	struct task *task = heap_alloc(sizeof(*task), PERCPU_LINE);
	void *top = task ? stack_new(task) : NULL;
	bool enabled;

	ASSERT(cpu_number < cpus_running);
	if (!top)
		return NULL;
	task->name = name;
	task->entry = entry;
	task->argument = argument;
	task->cpu = cpu_number;
	task->context = arch_context_new(top, task_start, task);
	enabled = spinlock_lock(&cpu->lock);
	runqueue_push(&cpu->queue, &task->node);
	spinlock_unlock(&cpu->lock, enabled);
	/* Also to this CPU itself: its tick may have to be set. */
	arch_ipi_send(cpu_number);
	return task;
}

bool sched_ended(const struct task *task)
{
	return task->state == TASK_ENDED;
}

struct task *sched_current(void)
{
	return percpu(cpus)->current;
}

const struct sched_counts *sched_counts(unsigned cpu)
{
	return &percpu_of(cpus, cpu)->counts;
}
