/* The machine that the suites inside the kernel run on. */
#ifndef TEST_MACHINE_H
#define TEST_MACHINE_H

#include "arch/arch.h"

/* What arch_init said of it. */
extern const struct arch_boot *ktest_machine;

#endif
