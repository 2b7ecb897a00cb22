/*
 * The words of strategies.h: what each does, how many fences the records count it as (COUNT), and how many fence
 * instructions this architecture executes for it (HW).
 *
 * QEMU's devices access memory as a CPU does (VIRTIO 1.2 §6, VIRTIO_F_ORDER_PLATFORM not negotiated), so that CPU
 * fences are what is needed. The fences themselves are in arch/<arch>/fence.h.
 */
#ifndef DRIVERS_VIRTIO_ORDERING_FENCES_H
#define DRIVERS_VIRTIO_ORDERING_FENCES_H

#include FENCE_HEADER

#include <stdint.h>

/* Linux's names for the fences between a driver and its device. */
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

/* clang-format off */

/* Fences. "compiler" keeps the compiler from reordering and leaves the CPU free; "none" keeps neither. */
#define ORDER_DO_none()      ((void)0)
#define ORDER_COUNT_none     0
#define ORDER_HW_none        0
#define ORDER_DO_compiler()  fence_compiler()
#define ORDER_COUNT_compiler 0
#define ORDER_HW_compiler    0
#define ORDER_DO_acquire()   fence_acquire()
#define ORDER_COUNT_acquire  1
#define ORDER_HW_acquire     FENCE_ACQUIRE_HW
#define ORDER_DO_release()   fence_release()
#define ORDER_COUNT_release  1
#define ORDER_HW_release     FENCE_RELEASE_HW
#define ORDER_DO_full()      fence_full()
#define ORDER_COUNT_full     1
#define ORDER_HW_full        FENCE_FULL_HW
#define ORDER_DO_wmb()       virtio_wmb()
#define ORDER_COUNT_wmb      1
#define ORDER_HW_wmb         FENCE_WRITE_HW
#define ORDER_DO_rmb()       virtio_rmb()
#define ORDER_COUNT_rmb      1
#define ORDER_HW_rmb         FENCE_READ_HW
#define ORDER_DO_mb()        virtio_mb()
#define ORDER_COUNT_mb       1
#define ORDER_HW_mb          FENCE_FULL_HW

/* Accesses to an index. A load or store that orders is not counted as a fence, but may need a fence instruction. */
#define ORDER_STORE_plain(index, value)         *(index) = (value)
#define ORDER_STORE_HW_plain                    0
#define ORDER_STORE_store_release(index, value) store_release_16(index, value)
#define ORDER_STORE_HW_store_release            STORE_RELEASE_HW
#define ORDER_LOAD_plain(index)                 (*(index))
#define ORDER_LOAD_HW_plain                     0
#define ORDER_LOAD_load_acquire(index)          load_acquire_16(index)
#define ORDER_LOAD_HW_load_acquire              LOAD_ACQUIRE_HW

/* clang-format on */

#endif
