/*
 * The kick race on real CPUs, on the driver's own ring code: one thread is the driver, one the device.
 *
 * The device serves as QEMU's virtio-blk does (VIRTIO 1.2 §2.7.10): it asks for quiet, takes what is available, asks
 * for notifications again, fences, polls once more and sleeps until the notification. The driver publishes an index and
 * reads whether the device asked to be notified. Without a full fence (C) between these two, both may see the old value
 * of the other's: the driver does not ring, the device sleeps, and the request is lost until somebody rings again.
 *
 * A loss is certain when it is counted: the device has said that it sleeps, every notify was heard, and
 * what was published was not seen. BARRIER=no_kick_fence must lose within ten seconds; with the fence nothing may be
 * lost in RACE_S seconds. With an argument it counts the notifications that are lost in that many milliseconds, and
 * judges nothing.
 */
#define _POSIX_C_SOURCE 200809L
#include "arch/arch.h"
#include "drivers/virtio/virtqueue.h"
#include "options.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SIZE 8u
#ifndef RACE_S
#define RACE_S 10ull
#endif
#define SECOND_NS 1000000000ull
#define NO_NOTIFY 1
#define DELAYS 401u
#define PATIENCE 20000u
#define ROUNDS_A_CLOCK 64u
#define EXPECT_LOSS (OPTION(BARRIER) == OPTION_BARRIER_no_kick_fence || OPTION(BARRIER) == OPTION_BARRIER_volatile_only)

static uint8_t memory[4096] __attribute__((aligned(4096)));
static struct virtqueue queue;
static atomic_uint rung, heard; /* notify: by the driver, by the device */
static atomic_bool asleep, stop;
static atomic_uint seen; /* available entries read */

/* Spins as fast as it can, but not for a time slice on a machine where the other thread has no CPU. */
static void relax(unsigned *polls)
{
	if (++*polls % PATIENCE == 0)
		sched_yield();
}

static void ring(void *context)
{
	(void)context;
	atomic_fetch_add(&rung, 1);
}

/* Completes everything available; whether there was anything. */
static bool device_serve(void)
{
	uint16_t at = (uint16_t)atomic_load_explicit(&seen, memory_order_relaxed);
	bool any = false;

	while (at != queue.available->index) {
		atomic_thread_fence(memory_order_acquire);
		queue.used->ring[at & (SIZE - 1)].id = queue.available->ring[at & (SIZE - 1)];
		queue.used->ring[at & (SIZE - 1)].length = 0;
		at++;
		atomic_store(&seen, at);
		queue.used->index = at;
		any = true;
	}
	return any;
}

static void device_turn(unsigned delay)
{
	do {
		queue.used->flags = NO_NOTIFY;
		atomic_thread_fence(memory_order_seq_cst);
		device_serve();
		/* The driver has its response and publishes the next request: a delay of a sweep makes both coincide.
		 */
		for (volatile unsigned i = 0; i < delay; i++)
			;
		queue.used->flags = 0;
		atomic_thread_fence(memory_order_seq_cst);
	} while (queue.available->index != (uint16_t)atomic_load_explicit(&seen, memory_order_relaxed));
}

static void *device_run(void *argument)
{
	unsigned polls = 0;

	for (unsigned turn = 0; !atomic_load(&stop); turn++) {
		device_turn(turn % DELAYS);
		atomic_store(&asleep, true);
		while (atomic_load(&rung) == atomic_load(&heard) && !atomic_load(&stop))
			relax(&polls);
		atomic_store(&asleep, false);
		atomic_store(&heard, atomic_load(&rung));
	}
	return argument;
}

/* In this order: a device that got the last notification sleeps again only after it has polled again. */
static bool lost(void)
{
	return atomic_load(&rung) == atomic_load(&heard) && atomic_load(&asleep) &&
	       (uint16_t)atomic_load(&seen) != queue.published;
}

/* One request; whether its notification was lost. The driver then rings again, as a timeout would. */
static bool driver_turn(void)
{
	struct virtqueue_buffer buffer = {(uintptr_t)memory, 16, false};
	struct virtqueue_completion completion;
	bool was_lost = false;
	unsigned polls = 0;

	virtqueue_add(&queue, &buffer, 1, memory);
	virtqueue_publish(&queue);
	virtqueue_kick(&queue);
	while (virtqueue_pop_used(&queue, &completion) != VIRTQUEUE_COMPLETED) {
		if (was_lost || !lost()) {
			relax(&polls);
			continue;
		}
		was_lost = true;
		virtqueue_rekick(&queue);
	}
	return was_lost;
}

/* Requests until the time is over or, if that is enough, the first loss; returns how many were lost. */
static unsigned race(uint64_t limit_ns, bool first_is_enough, unsigned *rounds)
{
	uint64_t start = arch_ticks();
	unsigned losses = 0;

	do
		for (unsigned i = 0; i < ROUNDS_A_CLOCK; i++, ++*rounds)
			losses += driver_turn();
	while (arch_ticks() - start < limit_ns && !(first_is_enough && losses));
	return losses;
}

int main(int count, char **words)
{
	uint64_t start = arch_ticks(), counted_ns = count > 1 ? strtoull(words[1], NULL, 10) * 1000000 : 0;
	uint64_t limit_ns;
	unsigned losses, rounds = 0;
	pthread_t device;
	bool ok;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("ok 1 - the kick race # SKIP needs two CPUs\n1..1\n0 passed, 0 failed\n");
		return 0;
	}
	virtqueue_init(&queue, SIZE, memory, false, ring, NULL);
	if (pthread_create(&device, NULL, device_run, NULL))
		return 1;
	limit_ns = counted_ns ? counted_ns : (EXPECT_LOSS ? 10 : RACE_S) * SECOND_NS;
	losses = race(limit_ns, EXPECT_LOSS && !counted_ns, &rounds);
	atomic_store(&stop, true);
	pthread_join(device, NULL);
	ok = counted_ns || (EXPECT_LOSS ? losses > 0 : losses == 0);
	printf("# result BARRIER=" OPTION_TEXT(BARRIER) ": %u notifications lost in %u requests, %.1f s\n", losses,
	       rounds, (double)(arch_ticks() - start) / 1e9);
	printf("%sok 1 - %s\n1..1\n", ok ? "" : "not ",
	       EXPECT_LOSS ? "without the fence at C a notification is lost" : "with the fence at C none is");
	printf("%d passed, %d failed\n", ok, !ok);
	return !ok;
}
