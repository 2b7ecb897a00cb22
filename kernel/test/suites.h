/* Every in-kernel suite; suites.c lists them in the order in which they run. */
#ifndef TEST_SUITES_H
#define TEST_SUITES_H

#include "arch/arch.h"
#include "test/ktest.h"

/* What arch_init said of the machine. */
extern const struct arch_boot *suites_machine;

extern const struct ktest_suite ktest_ktest, ktest_string, ktest_print, ktest_memory, ktest_pci, ktest_fdt, ktest_arch;
extern const struct ktest_suite ktest_record, ktest_params, ktest_virtqueue, ktest_wait, ktest_transport, ktest_gpu,
	ktest_gpu_virgl, ktest_blk, ktest_fault, ktest_scene, ktest_golden;
extern const struct ktest_suite ktest_runqueue, ktest_sched, ktest_preempt, ktest_preempt_race;

extern const struct ktest_suite *const suites[];
extern const unsigned suites_count;
/* How many at the end of the list take long, and run only by name. */
extern const unsigned suites_long;

#endif
