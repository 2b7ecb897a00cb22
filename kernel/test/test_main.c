/* The boot story of the test kernel: as main.c's until memory is there, then the suites that suite= names. */
#include "arch/arch.h"
#include "base/heap.h"
#include "base/print.h"
#include "base/string.h"
#include "run/record.h"
#include "sched/sched.h"
#include "test/ktest.h"
#include "test/machine.h"

/* Called by arch/<arch>/boot.S on the boot CPU, on its own stack, with interrupts off. */
_Noreturn void kernel_main(void);

const struct arch_boot *ktest_machine;

/* The value of suite= on the command line, cut to fit; "all" when there is none. Other words are for the roulette. */
static const char *suite_word(const char *command_line)
{
	static char word[256];
	const char *at = command_line;
	size_t length = 0;

	while (*at && strncmp(at, "suite=", 6)) {
		while (*at && *at != ' ')
			at++;
		while (*at == ' ')
			at++;
	}
	if (!*at)
		return "all";
	for (at += 6; at[length] && at[length] != ' ' && length < sizeof(word) - 1; length++)
		word[length] = at[length];
	return word;
}

_Noreturn void kernel_main(void)
{
	const struct arch_boot *boot = arch_init();
	bool passed;

	ktest_machine = boot;
	heap_init(boot->memory_start, boot->memory_end);
	sched_init();
	record_print_boot(&(struct record_boot){
		.arch = boot->name, .irq = boot->irq, .cpus_present = boot->cpus_present, .tlb_cold = true});
	passed = ktest_run_registered(suite_word(boot->command_line), NULL);
	record_print_done(passed);
	arch_exit(passed);
}
