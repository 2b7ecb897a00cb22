#include "base/panic.h"

#include "arch/arch.h"
#include "base/print.h"

/* The CPU that panics, plus one. */
static unsigned panic_owner;

void panic_begin(void)
{
	unsigned self = arch_cpu() + 1, owner = 0;

	arch_irq_disable();
	if (__atomic_compare_exchange_n(&panic_owner, &owner, self, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return;
	if (owner == self)
		arch_exit(false);
	for (;;)
		arch_relax();
}

void panic_at(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	panic_begin();
	/* The newline ends a line that something else had begun. */
	print("\n[PANIC] %s:%d ", file, line);
	va_start(arguments, format);
	print_list(format, arguments);
	va_end(arguments);
	print("\n");
	arch_exit(false);
}
