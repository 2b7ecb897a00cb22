/*
 * A lock between CPUs, held with interrupts off, so that a handler of the same CPU may use it too. The lock is not
 * fair: sections are a few instructions long. Taking a lock twice on one CPU hangs.
 */
#ifndef SYNC_SPINLOCK_H
#define SYNC_SPINLOCK_H

#include "arch/arch.h"

#include <stdbool.h>
#include <stdint.h>

struct spinlock {
	uint32_t held;
};

/* Returns what spinlock_unlock needs: whether interrupts were enabled. */
static inline bool spinlock_lock(struct spinlock *lock)
{
	bool enabled = arch_irq_disable();

	/* Acquire: pairs with the release of the holder before. */
	while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
			arch_relax();
	return enabled;
}

static inline void spinlock_unlock(struct spinlock *lock, bool enabled)
{
	/* Release: pairs with the acquire of the next holder. */
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
	arch_irq_restore(enabled);
}

#endif
