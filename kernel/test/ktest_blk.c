/* drivers/virtio/blk: against a modelled disk in memory, and against the real one. */
#include "test/ktest.h"

#include "base/heap.h"
#include "base/string.h"
#include "drivers/virtio/blk.h"
#include "options.h"
#include "test/ringdevice.h"

#define RING 32
#define SECTORS 64u
#define SHORT_NS 2000000ull

enum manner {
	HONEST,
	RESPONDS_IOERR,
	RESPONDS_NOTHING, /* used, but no status written */
	RESPONDS_SHORT,
	BACKWARDS, /* completes the newest request first */
	SILENT,
};

static struct ringdevice device;
static struct blk blk;
static enum manner manner;
static uint8_t disk[SECTORS * BLK_SECTOR], bytes[4 * BLK_SECTOR], back[4 * BLK_SECTOR];
static unsigned flushes, strays;

static uint8_t execute(const struct ringdevice_chain *chain)
{
	const struct blk_request *request = (const struct blk_request *)(uintptr_t)chain->pieces[0].address;
	uint64_t at = request->header.sector * BLK_SECTOR;
	void *memory = (void *)(uintptr_t)chain->pieces[1].address;
	uint32_t length = chain->count == 3 ? chain->pieces[1].length : 0;

	if (chain->pieces[0].length != 16 || at + length > sizeof(disk)) {
		strays++;
		return 1;
	}
	if (request->header.type == BLK_READ)
		memcpy(memory, disk + at, length);
	else if (request->header.type == BLK_WRITE)
		memcpy(disk + at, memory, length);
	else if (request->header.type == BLK_FLUSH)
		flushes++;
	return manner == RESPONDS_IOERR;
}

static void respond(struct ringdevice *ring, const struct ringdevice_chain *chain)
{
	const struct virtqueue_descriptor *last = &chain->pieces[chain->count - 1];
	uint8_t status = execute(chain);

	if (manner != RESPONDS_NOTHING)
		*(uint8_t *)(uintptr_t)last->address = status;
	ringdevice_complete(ring, chain->head, manner == RESPONDS_SHORT ? 0 : ringdevice_writable(chain));
}

static void serve(struct ringdevice *ring)
{
	struct ringdevice_chain chain;

	if (manner == BACKWARDS || manner == SILENT)
		return;
	while (ringdevice_take(ring, &chain))
		respond(ring, &chain);
}

/* BACKWARDS: everything available, the newest first. */
static void serve_backwards(void)
{
	static struct ringdevice_chain chains[BLK_IN_FLIGHT_MAX];
	unsigned count = 0;

	while (count < BLK_IN_FLIGHT_MAX && ringdevice_take(&device, &chains[count]))
		count++;
	while (count--)
		respond(&device, &chains[count]);
}

static void start(enum manner how)
{
	memset(&blk, 0, sizeof(blk));
	blk.transport.name = "virtio-blk";
	blk.sectors = SECTORS;
	blk.flushes = true;
	blk.queue.transport = &blk.transport;
	blk.deadline_ns = SHORT_NS;
	blk.requests = heap_alloc(sizeof(struct blk_request) * BLK_IN_FLIGHT_MAX, 16);
	ringdevice_init(&device, &blk.queue.queue, RING, false);
	device.on_notify = serve;
	manner = how;
}

static int one(enum blk_operation operation, uint64_t sector, void *memory, uint32_t length)
{
	int error = blk_submit(&blk, operation, sector, memory, length);

	return error ? error : blk_complete(&blk);
}

static void fill(uint8_t seed)
{
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 + seed);
}

static void transfers(void)
{
	start(HONEST);
	fill(1);
	ktest_check(!one(BLK_WRITE, 8, bytes, sizeof(bytes)) && !memcmp(disk + 8 * BLK_SECTOR, bytes, sizeof(bytes)),
		    "what is written arrives at its sector");
	ktest_check(!one(BLK_READ, 8, back, sizeof(back)) && !memcmp(back, bytes, sizeof(back)), "and is read back");
	ktest_check(!one(BLK_FLUSH, 0, NULL, 0) && flushes == 1, "a flush is sent");
	blk.flushes = false;
	ktest_check(!one(BLK_FLUSH, 0, NULL, 0) && flushes == 1, "not to a disk that does not offer it");
	ktest_check(!one(BLK_WRITE, SECTORS - 1, bytes, BLK_SECTOR) && !strays, "the last sector can be written");
	ktest_check(one(BLK_WRITE, SECTORS - 1, bytes, 2 * BLK_SECTOR) == ERROR_INVALID &&
			    one(BLK_READ, SECTORS, back, BLK_SECTOR) == ERROR_INVALID &&
			    one(BLK_READ, ~0ull, back, BLK_SECTOR) == ERROR_INVALID,
		    "nothing beyond it");
	ktest_check(one(BLK_READ, 0, back, 0) == ERROR_INVALID && one(BLK_READ, 0, back, 100) == ERROR_INVALID &&
			    one(BLK_READ, 0, back, 700) == ERROR_INVALID,
		    "nothing but whole sectors");
	blk.read_only = true;
	ktest_check(one(BLK_WRITE, 0, bytes, BLK_SECTOR) == ERROR_INVALID && !one(BLK_READ, 0, back, BLK_SECTOR),
		    "a disk that is read only can be read only");
	ktest_check(blk.queue.queue.free_count == RING && !blk.in_flight && !device.faulty_driver,
		    "no descriptor stays behind");
}

static void in_flight(void)
{
	unsigned count = 0;

	start(BACKWARDS);
	fill(7);
	while (!blk_submit(&blk, BLK_WRITE, count, bytes + count % 4 * BLK_SECTOR, BLK_SECTOR))
		count++;
	ktest_check(count == BLK_IN_FLIGHT_MAX, "as many requests as promised can be in flight");
	ktest_check(blk_submit(&blk, BLK_READ, 0, back, BLK_SECTOR) == ERROR_NOSPACE, "one more is refused");
	serve_backwards();
	ktest_check(!blk_complete(&blk) && !blk.in_flight && blk.queue.queue.free_count == RING,
		    "all complete, in whatever order the device completes them");
	ktest_check(!memcmp(disk, bytes, sizeof(bytes)), "each one's data is its own");
}

static void errors(void)
{
	start(RESPONDS_IOERR);
	ktest_check(one(BLK_READ, 0, back, BLK_SECTOR) == ERROR_RESPONSE, "an error status is an error");
	start(RESPONDS_NOTHING);
	ktest_check(one(BLK_READ, 0, back, BLK_SECTOR) == ERROR_RESPONSE, "so is a status that was not written");
	start(RESPONDS_SHORT);
	ktest_check(one(BLK_READ, 0, back, BLK_SECTOR) == ERROR_BROKEN, "so are fewer bytes than were asked for");
	start(SILENT);
	ktest_check(one(BLK_READ, 0, back, BLK_SECTOR) == ERROR_TIMEOUT &&
			    blk.queue.queue.counters.count[COUNTER_timeouts] >= 1,
		    "silence ends at the deadline and is counted");
}

static void real(void)
{
	int error;

	if (!transport_present(2)) {
		ktest_skip("the disk of this machine is found", "there is none");
		return;
	}
	error = blk_init(&blk);
	ktest_check(!error && blk.sectors >= 8, "the disk of this machine is found");
	if (error)
		return;
	fill(3);
	ktest_check(!one(BLK_WRITE, 4, bytes, sizeof(bytes)) && !one(BLK_FLUSH, 0, NULL, 0),
		    "it is written and flushed");
	memset(back, 0, sizeof(back));
	ktest_check(!one(BLK_READ, 4, back, sizeof(back)) && !memcmp(back, bytes, sizeof(back)), "and read back");
	transport_fail(&blk.transport);
}

static void run(void)
{
	transfers();
	in_flight();
	errors();
	real();
}

KTEST_SUITE(blk, run);
