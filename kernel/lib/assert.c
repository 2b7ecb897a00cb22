#include "lib/assert.h"

#include "arch/arch.h"
#include "lib/print.h"

void panic_at(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	arch_irq_disable();
	print("\n[PANIC] %s:%d ", file, line);
	va_start(arguments, format);
	print_list(format, arguments);
	va_end(arguments);
	print("\n");
	arch_exit(false);
}
