#include "test/suites.h"

/* The framework first, then what the others stand on. */
const struct ktest_suite *const suites[] = {
	&ktest_ktest, &ktest_string, &ktest_print, &ktest_memory, &ktest_pci, &ktest_fdt, &ktest_arch,
};
const unsigned suites_count = sizeof(suites) / sizeof(suites[0]);
