/*
 * Fences of x86-64 (Intel SDM 3A 8.2.2): only a store followed by a load of another address may be reordered, so every
 * fence except the full one only constrains the compiler. FENCE_<NAME>_HW says whether an instruction is executed;
 * counters of hardware fences are built from these.
 */
#ifndef ARCH_X86_64_FENCE_H
#define ARCH_X86_64_FENCE_H

#include <stdint.h>

#define FENCE_FULL_HW 1
#define FENCE_ACQUIRE_HW 0
#define FENCE_RELEASE_HW 0
#define FENCE_WRITE_HW 0
#define FENCE_READ_HW 0
#define FENCE_IO_HW 0
#define LOAD_ACQUIRE_HW 0
#define STORE_RELEASE_HW 0

static inline void fence_compiler(void)
{
	__asm__ volatile("" : : : "memory");
}

/* Orders everything. A locked operation does what mfence does for memory that is not write-combined, and is faster. */
static inline void fence_full(void)
{
	__asm__ volatile("lock orl $0, -4(%%rsp)" : : : "memory", "cc");
}

static inline void fence_acquire(void)
{
	fence_compiler();
}

static inline void fence_release(void)
{
	fence_compiler();
}

static inline void fence_write(void)
{
	fence_compiler();
}

static inline void fence_read(void)
{
	fence_compiler();
}

/* Memory stores before a store to a device register: uncached stores are not reordered with earlier ones. */
static inline void fence_io(void)
{
	fence_compiler();
}

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
