/*
 * virtio-blk (VIRTIO 1.2 §5.2): reads, writes and flushes of a disk, several in flight at once.
 *
 * Context: one CPU at a time, any CPU; interrupts in any state. A failure is printed on one line and returned as a
 * negative enum error; after ERROR_TIMEOUT or ERROR_BROKEN the device was reset and must not be used again.
 */
#ifndef DRIVERS_VIRTIO_BLK_H
#define DRIVERS_VIRTIO_BLK_H

#include "base/errors.h"
#include "drivers/virtio/transport.h"

#include <stdbool.h>
#include <stdint.h>

#define BLK_SECTOR 512u
#define BLK_IN_FLIGHT_MAX 8u

/* §5.2.6: the type of a request. */
enum blk_operation {
	BLK_READ = 0,
	BLK_WRITE = 1,
	BLK_FLUSH = 4,
};

/* One request, in memory that the device reads and writes. */
struct blk_request {
	struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header;
	volatile uint8_t status;
	bool busy;
	uint8_t *bytes;
	uint32_t length;
};

struct blk {
	struct transport transport;
	struct transport_queue queue;
	struct blk_request *requests; /* BLK_IN_FLIGHT_MAX of them */
	unsigned in_flight;
	uint64_t sectors; /* of the disk, as the device says */
	bool read_only, flushes;
	uint64_t deadline_ns; /* for each response */
};

/* Finds the device; ERROR_NODEV, without a word, when there is none. */
int blk_init(struct blk *blk);
/* Starts one request; bytes stay the device's until it completes. BLK_FLUSH has neither sector nor bytes. */
int blk_submit(struct blk *blk, enum blk_operation operation, uint64_t sector, void *bytes, uint32_t length);
/* Waits for every request in flight; the first error of any. */
int blk_complete(struct blk *blk);

#endif
