#include "test/suites.h"

/* The framework first, then what the others stand on. */
const struct ktest_suite *const suites[] = {
	&ktest_ktest,  &ktest_string,    &ktest_print,        &ktest_memory,    &ktest_pci,  &ktest_runqueue,
	&ktest_sched,  &ktest_preempt,   &ktest_preempt_race, &ktest_fdt,       &ktest_arch, &ktest_record,
	&ktest_params, &ktest_virtqueue, &ktest_wait,         &ktest_transport, &ktest_gpu,  &ktest_gpu_virgl,
	&ktest_blk,    &ktest_fault,     &ktest_scene,        &ktest_golden,
};
const unsigned suites_count = sizeof(suites) / sizeof(suites[0]);
/* Those at the end that "all" leaves out. */
const unsigned suites_long = 1;
