/*
 * Fences of RISC-V (Unprivileged ISA 2.7, RVWMO in chapter 17): any two accesses to different addresses may be
 * reordered unless a fence, an annotated access or a dependency stands between them; device registers are I/O (i, o)
 * and memory is r, w. Inline assembly, because compilers emit `fence iorw,iorw` for every C11 order.
 */
#ifndef ARCH_RISCV64_FENCE_H
#define ARCH_RISCV64_FENCE_H

#include <stdint.h>

#define FENCE_FULL "fence rw, rw"
#define FENCE_ACQUIRE "fence r, rw"
#define FENCE_RELEASE "fence rw, w"
#define FENCE_WRITE "fence w, w"
#define FENCE_READ "fence r, r"
#define FENCE_IO "fence w, o"
#define LOAD_ACQUIRE_HW 1
#define STORE_RELEASE_HW 1

#include "arch/common/fence.h"

/* The base ISA has no half-word acquire or release: table A.6's mappings. */
static inline uint16_t load_acquire_16(const volatile uint16_t *address)
{
	uint16_t value;

	__asm__ volatile("lhu %0, %1\n\tfence r, rw" : "=r"(value) : "m"(*address) : "memory");
	return value;
}

static inline void store_release_16(volatile uint16_t *address, uint16_t value)
{
	__asm__ volatile("fence rw, w\n\tsh %1, %0" : "=m"(*address) : "r"(value) : "memory");
}

#endif
