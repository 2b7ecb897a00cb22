/* What the suite of the machines with a device tree asks of each architecture. */
#ifndef ARCH_KTEST_CPU_H
#define ARCH_KTEST_CPU_H

#include <stdbool.h>

/* Whether this CPU takes what must never wait: errors of memory and of the bus. Any CPU, any context. */
bool cpu_takes_errors(void);

/* Checks what only this architecture's start of another CPU can get wrong. Boot CPU; the other is stopped again. */
void cpu_check_start(void);

#endif
