/*
 * The boot story: what happens to the machine, in order, from the architecture's first C code to power-off.
 */
#include "arch/arch.h"
#include "base/heap.h"
#include "base/panic.h"
#include "base/print.h"
#include "fault/fault.h"
#include "options.h"
#include "run/frameloop.h"
#include "run/params.h"
#include "run/record.h"
#include "sched/sched.h"

/* Called by arch/<arch>/boot.S on the boot CPU, on its own stack, with interrupts off. */
_Noreturn void kernel_main(void);

static struct run_params params;

/* Names every key there is, then what is wrong with the one that was given. */
static _Noreturn void refuse(const struct params_error *error)
{
	const char *key, *help;

	for (unsigned i = 0; (key = params_key(i, &help)); i++)
		print("  %s= %s\n", key, help);
	panic("command line: %s: %s", error->why, error->word);
}

_Noreturn void kernel_main(void)
{
	const struct arch_boot *boot;
	struct params_error error;
	unsigned cpus;
	int parsed;
	bool ok;

	/* The harness must distinguish a kernel that stops before its first character from one that never ran. */
	fault_at_boot();

	/* Console, traps, memory and clocks; from here on panic works. */
	boot = arch_init();

	/* Before anything allocates. */
	heap_init(boot->memory_start, boot->memory_end);

	/* The command line decides what [BOOT] says of the mode; a wrong one is reported after the line itself. */
	parsed = params_parse(boot->command_line, &params, &error);
	record_print_boot(&(struct record_boot){boot->name, boot->irq, boot->cpus_present, params.mode.width_px,
						params.mode.height_px, params.tlb_cold});
	if (parsed)
		refuse(&error);

	/* This thread is a task from here on, with interrupts, so that others can run beside it. */
	sched_init();

	/* The other CPUs halt until they have work. */
	cpus = sched_start_cpus(boot->cpus_present, CPUS);

	/* The roulette, from the first frame to the summary. */
	ok = frameloop_run(&params, cpus);

	/* A run without this line counts as failed. */
	record_print_done(ok);
	arch_exit(ok);
}
