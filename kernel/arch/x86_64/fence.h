/*
 * Fences of x86-64 (Intel SDM 3A 8.2.2): only a store followed by a load of another address may be reordered, so every
 * fence except the full one only constrains the compiler.
 */
#ifndef ARCH_X86_64_FENCE_H
#define ARCH_X86_64_FENCE_H

#include <stdint.h>

/* A locked operation does what mfence does for memory that is not write-combined, and is faster. */
#define FENCE_FULL "lock orl $0, -4(%%rsp)"
#define FENCE_ACQUIRE ""
#define FENCE_RELEASE ""
#define FENCE_WRITE ""
#define FENCE_READ ""
/* Uncached stores are not reordered with earlier ones. */
#define FENCE_IO ""
#define LOAD_ACQUIRE_HW 0
#define STORE_RELEASE_HW 0

#include "arch/common/fence.h"

static inline uint16_t load_acquire_16(const volatile uint16_t *address)
{
	uint16_t value = *address;

	fence_compiler();
	return value;
}

static inline void store_release_16(volatile uint16_t *address, uint16_t value)
{
	fence_compiler();
	*address = value;
}

#endif
