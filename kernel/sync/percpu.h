/*
 * Data of which every CPU has its own, each on cache lines of its own.
 *
 * A task never changes its CPU, so percpu() may be kept across a reschedule. An interrupt handler of the same CPU sees
 * the same datum: what both write must be volatile, and written with interrupts off or in one store.
 */
#ifndef SYNC_PERCPU_H
#define SYNC_PERCPU_H

#include "arch/arch.h"

#define PERCPU_LINE 64

/* static PERCPU(struct thing) things; */
#define PERCPU(type)                                                                                                   \
	struct {                                                                                                       \
		struct {                                                                                               \
			type value;                                                                                    \
		} __attribute__((aligned(PERCPU_LINE))) of[ARCH_CPUS_MAX];                                             \
	}

/* A pointer to this CPU's, and to another's. */
#define percpu(data) (&(data).of[arch_cpu()].value)
#define percpu_of(data, cpu) (&(data).of[cpu].value)

#endif
