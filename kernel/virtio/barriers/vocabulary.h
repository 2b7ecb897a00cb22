/*
 * virtio_wmb, virtio_rmb, virtio_mb: the words in which drivers speak of ring ordering. QEMU's devices access memory
 * as a CPU does (VIRTIO 1.2 §6, VIRTIO_F_ORDER_PLATFORM not negotiated), so that CPU fences are what is needed.
 */
#ifndef VIRTIO_BARRIERS_VOCABULARY_H
#define VIRTIO_BARRIERS_VOCABULARY_H

#include FENCE_HEADER

static inline void virtio_wmb(void)
{
	fence_write();
}

static inline void virtio_rmb(void)
{
	fence_read();
}

static inline void virtio_mb(void)
{
	fence_full();
}

#endif
