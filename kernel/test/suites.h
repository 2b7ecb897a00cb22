/* Every in-kernel suite; suites.c lists them in the order in which they run. */
#ifndef TEST_SUITES_H
#define TEST_SUITES_H

#include "test/ktest.h"

extern const struct ktest_suite ktest_ktest, ktest_string, ktest_print, ktest_memory, ktest_pci, ktest_fdt, ktest_arch;

extern const struct ktest_suite *const suites[];
extern const unsigned suites_count;

#endif
