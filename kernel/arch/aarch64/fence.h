/*
 * Fences of Armv8 (Arm ARM B2.3.12): any two accesses to different addresses may be reordered unless a barrier, an
 * acquire, a release or a dependency stands between them. The partner is another observer of the inner shareable
 * domain: VIRTIO without F_ORDER_PLATFORM (1.2 §6). FENCE_<NAME>_HW says whether an instruction is executed.
 */
#ifndef ARCH_AARCH64_FENCE_H
#define ARCH_AARCH64_FENCE_H

#include <stdint.h>

#define FENCE_FULL_HW 1
#define FENCE_ACQUIRE_HW 1
#define FENCE_RELEASE_HW 1
#define FENCE_WRITE_HW 1
#define FENCE_READ_HW 1
#define FENCE_IO_HW 1
#define LOAD_ACQUIRE_HW 1
#define STORE_RELEASE_HW 1

static inline void fence_compiler(void)
{
	__asm__ volatile("" : : : "memory");
}

static inline void fence_full(void)
{
	__asm__ volatile("dmb ish" : : : "memory");
}

/* Earlier loads before later loads and stores. */
static inline void fence_acquire(void)
{
	__asm__ volatile("dmb ishld" : : : "memory");
}

/* Earlier loads and stores before later stores: no weaker barrier orders loads before stores and stores too. */
static inline void fence_release(void)
{
	__asm__ volatile("dmb ish" : : : "memory");
}

static inline void fence_write(void)
{
	__asm__ volatile("dmb ishst" : : : "memory");
}

static inline void fence_read(void)
{
	__asm__ volatile("dmb ishld" : : : "memory");
}

/* Memory stores before a store to a device register; devices are in the outer shareable domain. */
static inline void fence_io(void)
{
	__asm__ volatile("dmb oshst" : : : "memory");
}

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
