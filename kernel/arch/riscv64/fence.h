/*
 * Fences of RISC-V (Unprivileged ISA 2.7, RVWMO in chapter 17): any two accesses to different addresses may be
 * reordered unless a fence, an annotated access or a dependency stands between them; device registers are I/O (i, o)
 * and memory is r, w. Inline assembly, because compilers emit `fence iorw,iorw` for every C11 order.
 * FENCE_<NAME>_HW says how many fence instructions are executed.
 */
#ifndef ARCH_RISCV64_FENCE_H
#define ARCH_RISCV64_FENCE_H

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
	__asm__ volatile("fence rw, rw" : : : "memory");
}

/* Earlier loads before later loads and stores. */
static inline void fence_acquire(void)
{
	__asm__ volatile("fence r, rw" : : : "memory");
}

/* Earlier loads and stores before later stores. */
static inline void fence_release(void)
{
	__asm__ volatile("fence rw, w" : : : "memory");
}

static inline void fence_write(void)
{
	__asm__ volatile("fence w, w" : : : "memory");
}

static inline void fence_read(void)
{
	__asm__ volatile("fence r, r" : : : "memory");
}

/* Memory stores before a store to a device register. */
static inline void fence_io(void)
{
	__asm__ volatile("fence w, o" : : : "memory");
}

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
