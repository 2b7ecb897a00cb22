/*
 * Volatile accesses alone, for those who take volatile for ordering. On x86 A and B hold all the same and C does not;
 * where memory is weak nothing holds. D keeps its fence, so that COMPLETION=irq cannot sleep through a completion.
 */
#ifndef VIRTIO_BARRIERS_VOLATILE_ONLY_H
#define VIRTIO_BARRIERS_VOLATILE_ONLY_H

#define BARRIER_PUBLISH_FENCES 0
#define BARRIER_PUBLISH_HW 0
#define BARRIER_LOOK_FENCES 0
#define BARRIER_LOOK_HW 0
#define BARRIER_PROGRESS_FENCES 0
#define BARRIER_PROGRESS_HW 0
#define BARRIER_KICK_FENCES 0
#define BARRIER_KICK_HW 0
#define BARRIER_REARM_FENCES 1
#define BARRIER_REARM_HW FENCE_FULL_HW

/* A: pairs with the device's read of avail->idx before it reads the ring and the descriptors. */
static inline void barrier_publish(volatile uint16_t *index, uint16_t value)
{
	BARRIER_MARK('A', 0);
	fence_compiler();
	*index = value;
	BARRIER_MARK('A', 1);
}

/* B: pairs with the device's write of the used element before it writes used->idx. */
static inline uint16_t barrier_look(const volatile uint16_t *index)
{
	uint16_t value;

	BARRIER_MARK('B', 0);
	value = *index;
	BARRIER_MARK('B', 1);
	return value;
}

static inline void barrier_progress(void)
{
	BARRIER_MARK('B', 2);
	BARRIER_MARK('B', 3);
}

/* C: pairs with the device's fence between asking for notifications and reading avail->idx again. */
static inline void barrier_kick(void)
{
	BARRIER_MARK('C', 0);
	BARRIER_MARK('C', 1);
}

/* D: pairs with the device's fence between writing used->idx and reading whether to interrupt. */
static inline void barrier_rearm(void)
{
	BARRIER_MARK('D', 0);
	fence_full();
	BARRIER_MARK('D', 1);
}

#endif
