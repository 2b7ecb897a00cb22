/*
 * The ordering strategies of the split ring, one a row, chosen by BARRIER. points.h says what the points are and which
 * partner each has; fences.h says what the words mean.
 *
 *   A: before the store of avail->idx, the store, after it; B: before the load of used->idx, the load, once it moved;
 *   C: before the device's notification flags are read.
 */
#ifndef DRIVERS_VIRTIO_ORDERING_STRATEGIES_H
#define DRIVERS_VIRTIO_ORDERING_STRATEGIES_H

/* clang-format off */
/*                                 A: before  store          after    B: before  load          moved    C */

/* One fence a completion, however long the poll. */
#define STRATEGY_acquire_progress ( release,  plain,         none,       none,    plain,        acquire, full )

/* Where the case study began. The poll's fence stands before the load, where nothing pairs with it: on weak memory the
 * element may still be read before the index, and A orders nothing but the compiler. */
#define STRATEGY_seqcst_spin      ( compiler, plain,         none,       full,    plain,        none,    full )

/* The case study's later change. The poll's fence stands before the load, where nothing pairs with it. */
#define STRATEGY_acquire_spin     ( release,  plain,         none,       acquire, plain,        none,    full )

/* Conservative: right everywhere. */
#define STRATEGY_full_progress    ( full,     plain,         none,       none,    plain,        full,    full )

/* One-way operations in place of fences. */
#define STRATEGY_acquire_load     ( none,     store_release, none,       none,    load_acquire, none,    full )

/*
 * As Linux's virtio_ring.c orders for a device that behaves as another CPU. The write barrier at A leaves the read of
 * an old response free to pass the publish of its buffer.
 */
#define STRATEGY_linux            ( wmb,      plain,         none,       none,    plain,        rmb,     mb   )

/* Drivers that mistake volatile for ordering: no point has a fence. On x86 A and B hold all the same, C does not; where
 * memory is weak none holds. */
#define STRATEGY_volatile_only    ( compiler, plain,         none,       none,    plain,        none,    none )

/* Negative control: the fence of A stands after the store, where nothing pairs with it. */
#define STRATEGY_late_publish     ( none,     plain,         release,    none,    plain,        acquire, full )

/* Negative control: nothing stands at C. A store followed by a load is what even x86 reorders, so a notification is
 * lost. */
#define STRATEGY_no_kick_fence    ( release,  plain,         none,       none,    plain,        acquire, none )

/* clang-format on */

#endif
