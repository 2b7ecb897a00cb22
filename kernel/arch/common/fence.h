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

#define FENCE_DEFINE(name, instruction)                                                                                \
	static inline void fence_##name(void)                                                                          \
	{                                                                                                              \
		__asm__ volatile(instruction : : : "memory");                                                          \
	}

FENCE_DEFINE(compiler, "")
/* Every earlier access before every later one. */
FENCE_DEFINE(full, FENCE_FULL)
/* Earlier loads before later loads and stores. */
FENCE_DEFINE(acquire, FENCE_ACQUIRE)
/* Earlier loads and stores before later stores. */
FENCE_DEFINE(release, FENCE_RELEASE)
/* Stores before stores. */
FENCE_DEFINE(write, FENCE_WRITE)
/* Loads before loads. */
FENCE_DEFINE(read, FENCE_READ)
/* Memory stores before a store to a device register. */
FENCE_DEFINE(io, FENCE_IO)

#endif
