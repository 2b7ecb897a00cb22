#include "run/blkload.h"

#include "arch/arch.h"
#include "base/heap.h"
#include "base/print.h"
#include "drivers/virtio/blk.h"
#include "sched/sched.h"

#define BLOCK_BYTES 16384u
#define BLOCK_WORDS (BLOCK_BYTES / sizeof(uint64_t))
#define BLOCK_SECTORS (BLOCK_BYTES / BLK_SECTOR)
#define BATCH_BLOCKS 4u /* in flight together */
#define BLOCKS_MAX 256u
#define FLUSH_BATCHES 16u
#define LATE_NS 100000000ull /* beyond this, lost time is not made up for */
#define STOP_NS 5000000000ull

/* Each block says which one it is and how often it was written, so that an old or misplaced one is known as such. */
enum block_word {
	WORD_BLOCK,
	WORD_GENERATION,
	WORD_CONTENT,
	WORD_CHECKSUM = BLOCK_WORDS - 1,
};

static struct {
	struct blk blk;
	uint64_t (*blocks)[BLOCK_WORDS]; /* BATCH_BLOCKS of them */
	uint64_t block_count;            /* of the disk, as far as it is used */
	uint64_t ns_per_batch;
	uint64_t requests, bytes;
	/* Written by the task, read by the boot CPU. */
	bool ready, failed, ended;
	/* The other way round. */
	bool stop;
} load;

static bool flag(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void flag_set(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

/* FNV-1a over words: a change of any one word changes it. */
static uint64_t block_checksum(const uint64_t *words)
{
	uint64_t sum = 0xcbf29ce484222325ull;

	for (unsigned i = 0; i < WORD_CHECKSUM; i++)
		sum = (sum ^ words[i]) * 0x100000001b3ull;
	return sum;
}

static void block_fill(uint64_t *words, uint64_t block, uint64_t generation)
{
	uint64_t state = block << 32 ^ generation;

	words[WORD_BLOCK] = block;
	words[WORD_GENERATION] = generation;
	for (unsigned i = WORD_CONTENT; i < WORD_CHECKSUM; i++)
		words[i] = state = state * 6364136223846793005ull + 1442695040888963407ull;
	words[WORD_CHECKSUM] = block_checksum(words);
}

static bool block_check(const uint64_t *words, uint64_t block, uint64_t generation)
{
	if (words[WORD_BLOCK] == block && words[WORD_GENERATION] == generation &&
	    words[WORD_CHECKSUM] == block_checksum(words))
		return true;
	print("virtio-blk: data corrupt, block %lu generation %lu, read as block %lu generation %lu\n", block,
	      generation, words[WORD_BLOCK], words[WORD_GENERATION]);
	return false;
}

/* Reads or writes the whole batch, which begins at this block. */
static bool batch_transfer(enum blk_operation operation, uint64_t first)
{
	for (uint64_t i = 0; i < BATCH_BLOCKS; i++) {
		if (blk_submit(&load.blk, operation, (first + i) * BLOCK_SECTORS, load.blocks[i], BLOCK_BYTES))
			return false;
		load.requests++;
		load.bytes += BLOCK_BYTES;
	}
	return !blk_complete(&load.blk);
}

static bool batch_flush(void)
{
	load.requests++;
	return !blk_submit(&load.blk, BLK_FLUSH, 0, NULL, 0) && !blk_complete(&load.blk);
}

/* Writes one batch, wipes memory, reads it back. */
static bool batch_run(uint64_t number)
{
	uint64_t first = number * BATCH_BLOCKS % load.block_count;

	for (uint64_t i = 0; i < BATCH_BLOCKS; i++)
		block_fill(load.blocks[i], first + i, number);
	if (!batch_transfer(BLK_WRITE, first))
		return false;
	if (number % FLUSH_BATCHES == FLUSH_BATCHES - 1 && !batch_flush())
		return false;
	for (uint64_t i = 0; i < BATCH_BLOCKS; i++)
		load.blocks[i][WORD_CHECKSUM] = load.blocks[i][WORD_BLOCK] = 0;
	if (!batch_transfer(BLK_READ, first))
		return false;
	for (uint64_t i = 0; i < BATCH_BLOCKS; i++)
		if (!block_check(load.blocks[i], first + i, number))
			return false;
	return true;
}

/* On its own CPU, where its interrupts are to arrive. */
static bool load_init(void)
{
	load.blocks = heap_alloc(BATCH_BLOCKS * sizeof(*load.blocks), 4096);
	if (!load.blocks) {
		print("virtio-blk: no memory for blocks\n");
		return false;
	}
	if (blk_init(&load.blk)) {
		print("virtio-blk: blk= needs a disk\n");
		return false;
	}
	load.block_count = load.blk.sectors / BLOCK_SECTORS / BATCH_BLOCKS * BATCH_BLOCKS;
	if (load.block_count > BLOCKS_MAX)
		load.block_count = BLOCKS_MAX;
	if (!load.block_count)
		print("virtio-blk: a disk of %lu sectors is too small\n", load.blk.sectors);
	return load.block_count;
}

static void load_task(void *argument)
{
	uint64_t due, number = 0;

	(void)argument;
	if (!load_init())
		flag_set(&load.failed);
	flag_set(&load.ready);
	due = arch_ticks_to_ns(arch_ticks());
	while (!flag(&load.stop) && !flag(&load.failed)) {
		uint64_t now;

		if (!batch_run(number++))
			flag_set(&load.failed);
		due += load.ns_per_batch;
		now = arch_ticks_to_ns(arch_ticks());
		if (now > due + LATE_NS)
			due = now;
		if (now < due)
			sched_sleep_ns(due - now);
	}
	flag_set(&load.ended);
}

/* Gives way to the task until it has set the flag. */
static bool wait_for(const bool *flag_of_task)
{
	uint64_t start = arch_ticks();

	while (!flag(flag_of_task)) {
		if (arch_ticks_to_ns(arch_ticks() - start) > STOP_NS) {
			print("virtio-blk: its task does not run\n");
			return false;
		}
		sched_yield();
	}
	return true;
}

/*
 * While a device starts, QEMU changes its map of memory; in 7.2 an access to another device's registers on another
 * CPU may meanwhile reach the wrong one. This CPU therefore allows no interrupt and arms no timer until the disk is
 * there.
 */
static bool wait_started(void)
{
	bool enabled = arch_irq_disable();
	uint64_t start = arch_ticks();
	bool started;

	do {
		arch_relax();
		started = flag(&load.ready);
	} while (!started && arch_ticks_to_ns(arch_ticks() - start) < STOP_NS);
	arch_irq_restore(enabled);
	if (!started)
		print("virtio-blk: its task does not run\n");
	return started;
}

bool blkload_start(unsigned cpus, uint32_t mib_per_s)
{
	load.ns_per_batch = 2ull * BATCH_BLOCKS * BLOCK_BYTES * 1000000000ull / ((uint64_t)mib_per_s << 20);
	if (!sched_spawn(cpus > 1 ? 1 : 0, "blkload", load_task, NULL)) {
		print("virtio-blk: no memory for a task\n");
		return false;
	}
	/* No other CPU uses the heap while the task sets up. */
	return (cpus > 1 ? wait_started() : wait_for(&load.ready)) && !flag(&load.failed);
}

bool blkload_stop(struct record_summary *summary)
{
	const struct virtqueue_counters *counters = &load.blk.queue.queue.counters;
	bool ended;

	flag_set(&load.stop);
	ended = wait_for(&load.ended);
	summary->blk_requests = load.requests;
	summary->blk_bytes = load.bytes;
	summary->blk_timeouts = counters->count[COUNTER_timeouts];
	summary->blk_rekicks = counters->count[COUNTER_rekicks];
	return ended && !flag(&load.failed);
}
