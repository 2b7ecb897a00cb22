#include "arch/ktest/cpu.h"

/* They are exceptions there, which nothing masks (Privileged ISA 3.1.15). */
bool cpu_takes_errors(void)
{
	return true;
}
