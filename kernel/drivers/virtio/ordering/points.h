/*
 * The ordering points of the split ring (VIRTIO 1.2 §2.7): the five places where the order of memory accesses matters.
 * virtqueue.c calls A to D, transport.c calls E. The row of strategies.h that BARRIER names says what stands at A, B
 * and C; D and E are the same under every strategy.
 *
 * Each comment names the partner on the device's side that a right strategy pairs with. Whether this build's strategy
 * does is for its row to say.
 *
 * Each point leaves its begin and end in section .ringpoints, so that tools can read the very instructions out of the
 * kernel that ran. The marks order nothing and emit no instruction.
 */
#ifndef DRIVERS_VIRTIO_ORDERING_POINTS_H
#define DRIVERS_VIRTIO_ORDERING_POINTS_H

#include "drivers/virtio/ordering/fences.h"
#include "drivers/virtio/ordering/strategies.h"
#include "options.h"

#include <stdint.h>

/* clang-format off */
#define ORDER_APPLY_(macro, row) macro row /* NOLINT(bugprone-macro-parentheses) */
/* clang-format on */
#define ORDER_APPLY(macro, row) ORDER_APPLY_(macro, row)
#define ORDER_ROW OPTION_NAME(STRATEGY_, BARRIER)

/* 1 when the row exists: only then are there parentheses behind ORDER_TWO, which make two arguments of it. */
#define ORDER_SECOND(first, second, ...) second
#define ORDER_EXISTS(...) ORDER_SECOND(__VA_ARGS__)
#define ORDER_TWO(...) 0, 1
#define ORDER_PROBE(row) ORDER_EXISTS(ORDER_TWO row, 0, 0)
#define ORDER_PROBED(row) ORDER_PROBE(row)
#if ORDER_PROBED(ORDER_ROW) == 0
#error "BARRIER: strategies.h has no row of this name"
#endif

/* The columns of a row. */
#define ORDER_BEFORE_A(before_a, store, after_a, before_b, load, moved_b, c) before_a
#define ORDER_STORE(before_a, store, after_a, before_b, load, moved_b, c) store
#define ORDER_AFTER_A(before_a, store, after_a, before_b, load, moved_b, c) after_a
#define ORDER_BEFORE_B(before_a, store, after_a, before_b, load, moved_b, c) before_b
#define ORDER_LOAD(before_a, store, after_a, before_b, load, moved_b, c) load
#define ORDER_MOVED_B(before_a, store, after_a, before_b, load, moved_b, c) moved_b
#define ORDER_C(before_a, store, after_a, before_b, load, moved_b, c) c
/* What fences.h says of the word in a column of this build's row, by the prefix of the macro. */
#define ORDER_WORD(prefix, column) OPTION_NAME(prefix, ORDER_APPLY(column, ORDER_ROW))

/* What fences.h has for the words of a row. */
#define ORDER_FENCE(column) ORDER_WORD(ORDER_DO_, column)()
#define ORDER_STORE_INDEX(index, value) ORDER_WORD(ORDER_STORE_, ORDER_STORE)(index, value)
#define ORDER_LOAD_INDEX(index) ORDER_WORD(ORDER_LOAD_, ORDER_LOAD)(index)

/* How many fences each point is: as records count them, and in instructions of this architecture. */
#define POINT_PUBLISH_FENCES (ORDER_WORD(ORDER_COUNT_, ORDER_BEFORE_A) + ORDER_WORD(ORDER_COUNT_, ORDER_AFTER_A))
#define POINT_PUBLISH_HW                                                                                               \
	(ORDER_WORD(ORDER_HW_, ORDER_BEFORE_A) + ORDER_WORD(ORDER_STORE_HW_, ORDER_STORE) +                            \
	 ORDER_WORD(ORDER_HW_, ORDER_AFTER_A))
#define POINT_POLL_FENCES ORDER_WORD(ORDER_COUNT_, ORDER_BEFORE_B)
#define POINT_POLL_HW (ORDER_WORD(ORDER_HW_, ORDER_BEFORE_B) + ORDER_WORD(ORDER_LOAD_HW_, ORDER_LOAD))
#define POINT_PROGRESS_FENCES ORDER_WORD(ORDER_COUNT_, ORDER_MOVED_B)
#define POINT_PROGRESS_HW ORDER_WORD(ORDER_HW_, ORDER_MOVED_B)
#define POINT_KICK_FENCES ORDER_WORD(ORDER_COUNT_, ORDER_C)
#define POINT_KICK_HW ORDER_WORD(ORDER_HW_, ORDER_C)
#define POINT_REARM_HW FENCE_FULL_HW

/* An entry of .ringpoints: address (64 bits), letter, phase (0 begins, 1 ends; 2 and 3 the progress half of B). */
#define POINT_MARK(letter, phase)                                                                                      \
	__asm__ volatile("661:\n\t.pushsection .ringpoints, \"a\"\n\t.balign 8\n\t.quad 661b\n\t.long %c0\n\t"         \
			 ".long %c1\n\t.popsection"                                                                    \
			 :                                                                                             \
			 : "i"(letter), "i"(phase))

/*
 * A: stores the index that hands descriptors to the device. Partner: the device's read of avail->idx before it reads
 * the ring and the descriptors.
 */
static inline void point_publish(volatile uint16_t *index, uint16_t value)
{
	POINT_MARK('A', 0);
	ORDER_FENCE(ORDER_BEFORE_A);
	ORDER_STORE_INDEX(index, value);
	ORDER_FENCE(ORDER_AFTER_A);
	POINT_MARK('A', 1);
}

/*
 * B: reads the index that hands descriptors back, in every poll iteration. Partner: the device's write of the used
 * element before it writes used->idx.
 */
static inline uint16_t point_poll(const volatile uint16_t *index)
{
	uint16_t value;

	POINT_MARK('B', 0);
	ORDER_FENCE(ORDER_BEFORE_B);
	value = ORDER_LOAD_INDEX(index);
	POINT_MARK('B', 1);
	return value;
}

/* B, its other half: once, after the index was seen to have moved and before the element is read. */
static inline void point_progress(void)
{
	POINT_MARK('B', 2);
	ORDER_FENCE(ORDER_MOVED_B);
	POINT_MARK('B', 3);
}

/*
 * C: before the device's notification flags or avail_event are read. Partner: the device's fence between asking for
 * notifications and reading avail->idx again.
 */
static inline void point_kick(void)
{
	POINT_MARK('C', 0);
	ORDER_FENCE(ORDER_C);
	POINT_MARK('C', 1);
}

/*
 * D: after interrupts were asked for, before used->idx is read again. Pairs with the device's fence between writing
 * used->idx and reading whether to interrupt.
 */
static inline void point_rearm(void)
{
	POINT_MARK('D', 0);
	fence_full();
	POINT_MARK('D', 1);
}

/*
 * E: ring in memory before a device register that lets the device read it: the notify register, queue_enable, the
 * status. Every driver needs it.
 */
static inline void point_notify(void)
{
	POINT_MARK('E', 0);
	fence_io();
	POINT_MARK('E', 1);
}

#endif
