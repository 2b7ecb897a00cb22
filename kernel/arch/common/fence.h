/*
 * Fences and ordered accesses from what the architecture's fence.h names: FENCE_<NAME> is an instruction, or "" where
 * the machine keeps that order by itself, so that only the compiler must be constrained. FENCE_<NAME>_HW says whether
 * an instruction is executed; counters of hardware fences are built from these.
 */
#ifndef ARCH_COMMON_FENCE_H
#define ARCH_COMMON_FENCE_H

#define FENCE_EXECUTES(instruction) (sizeof(instruction) > sizeof(""))
#define FENCE_FULL_HW FENCE_EXECUTES(FENCE_FULL)
#define FENCE_ACQUIRE_HW FENCE_EXECUTES(FENCE_ACQUIRE)
#define FENCE_RELEASE_HW FENCE_EXECUTES(FENCE_RELEASE)
#define FENCE_WRITE_HW FENCE_EXECUTES(FENCE_WRITE)
#define FENCE_READ_HW FENCE_EXECUTES(FENCE_READ)

static inline void fence_compiler(void)
{
	__asm__ volatile("" : : : "memory");
}

/* Every earlier access before every later one. */
static inline void fence_full(void)
{
	__asm__ volatile(FENCE_FULL : : : "memory");
}

/* Earlier loads before later loads and stores. */
static inline void fence_acquire(void)
{
	__asm__ volatile(FENCE_ACQUIRE : : : "memory");
}

/* Earlier loads and stores before later stores. */
static inline void fence_release(void)
{
	__asm__ volatile(FENCE_RELEASE : : : "memory");
}

/* Stores before stores. */
static inline void fence_write(void)
{
	__asm__ volatile(FENCE_WRITE : : : "memory");
}

/* Loads before loads. */
static inline void fence_read(void)
{
	__asm__ volatile(FENCE_READ : : : "memory");
}

/* Memory stores before a store to a device register. */
static inline void fence_io(void)
{
	__asm__ volatile(FENCE_IO : : : "memory");
}

#endif
