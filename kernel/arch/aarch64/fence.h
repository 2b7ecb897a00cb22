/*
 * Fences of Armv8 (Arm ARM B2.3.12): any two accesses to different addresses may be reordered unless a barrier, an
 * acquire, a release or a dependency stands between them. The partner is another observer of the inner shareable
 * domain: VIRTIO without F_ORDER_PLATFORM (1.2 §6).
 */
#ifndef ARCH_AARCH64_FENCE_H
#define ARCH_AARCH64_FENCE_H

#include <stdint.h>

#define FENCE_FULL "dmb ish"
#define FENCE_ACQUIRE "dmb ishld"
/* No weaker barrier orders both loads and stores before stores. */
#define FENCE_RELEASE "dmb ish"
#define FENCE_WRITE "dmb ishst"
#define FENCE_READ "dmb ishld"
/* Devices are in the outer shareable domain. */
#define FENCE_IO "dmb oshst"
#define LOAD_ACQUIRE_HW 1
#define STORE_RELEASE_HW 1

#include "arch/common/fence.h"

static inline uint16_t load_acquire_16(const volatile uint16_t *address)
{
	uint16_t value;

	__asm__ volatile("ldarh %w0, %1" : "=r"(value) : "Q"(*address) : "memory");
	return value;
}

static inline void store_release_16(volatile uint16_t *address, uint16_t value)
{
	__asm__ volatile("stlrh %w1, %0" : "=Q"(*address) : "r"(value) : "memory");
}

#endif
