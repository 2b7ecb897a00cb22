#include "drivers/virtio/blk.h"

#include "base/heap.h"
#include "base/print.h"
#include "base/string.h"
#include "fault/fault.h"

#define DEVICE_TYPE 2 /* §5 */
#define QUEUE_REQUESTS 0
#define QUEUE_SIZE 32 /* three descriptors a request */
#define REQUEST_NS 1000000000ull

/* §5.2.3 */
#define F_READ_ONLY (1ull << 5)
#define F_FLUSH (1ull << 9)

#define CONFIG_CAPACITY 0 /* §5.2.4 */
#define STATUS_OK 0       /* §5.2.6 */
#define STATUS_NONE 0xff  /* which no device writes */

static int blk_error(int error, const char *what, const struct blk_request *request, uint32_t value)
{
	print("virtio-blk: %s, type %u sector %lu: %u\n", what, request->header.type, request->header.sector, value);
	return error;
}

int blk_init(struct blk *blk)
{
	memset(blk, 0, sizeof(*blk));
	blk->deadline_ns = REQUEST_NS;
	if (!transport_present(DEVICE_TYPE))
		return ERROR_NODEV;
	if (transport_probe(&blk->transport, "virtio-blk", DEVICE_TYPE, 0, F_READ_ONLY | F_FLUSH) ||
	    transport_config_read64(&blk->transport, CONFIG_CAPACITY, &blk->sectors) ||
	    transport_queue_init(&blk->transport, &blk->queue, QUEUE_REQUESTS, QUEUE_SIZE))
		return ERROR_BROKEN;
	blk->read_only = blk->transport.features & F_READ_ONLY;
	blk->flushes = blk->transport.features & F_FLUSH;
	blk->requests = heap_alloc(sizeof(struct blk_request) * BLK_IN_FLIGHT_MAX, 16);
	if (!blk->requests) {
		print("virtio-blk: no memory for requests\n");
		transport_fail(&blk->transport);
		return ERROR_NOMEM;
	}
	transport_ready(&blk->transport);
	print("virtio-blk: %lu sectors, driver probe succeeded\n", blk->sectors);
	return 0;
}

static bool request_possible(const struct blk *blk, const struct blk_request *request)
{
	uint64_t sectors = request->length / BLK_SECTOR;

	if (request->header.type == BLK_FLUSH)
		return !request->length && !request->header.sector;
	if (request->header.type == BLK_WRITE && blk->read_only)
		return false;
	return sectors && request->length % BLK_SECTOR == 0 && sectors <= blk->sectors &&
	       request->header.sector <= blk->sectors - sectors;
}

static struct blk_request *request_free(struct blk *blk)
{
	for (unsigned i = 0; i < BLK_IN_FLIGHT_MAX; i++)
		if (!blk->requests[i].busy)
			return &blk->requests[i];
	return NULL;
}

/* §5.2.6: header, data if any, status; the device writes the status, and the data of a read. */
static int request_add(struct blk *blk, struct blk_request *request)
{
	struct virtqueue_buffer buffers[3] = {{(uintptr_t)&request->header, sizeof(request->header), false}};
	unsigned count = 1;

	if (request->length)
		buffers[count++] = (struct virtqueue_buffer){(uintptr_t)request->bytes, request->length,
							     request->header.type == BLK_READ};
	buffers[count++] = (struct virtqueue_buffer){(uintptr_t)&request->status, 1, true};
	if (virtqueue_add(&blk->queue.queue, buffers, count, request))
		return blk_error(ERROR_BROKEN, "no descriptors left", request, count);
	return 0;
}

int blk_submit(struct blk *blk, enum blk_operation operation, uint64_t sector, void *bytes, uint32_t length)
{
	struct blk_request *request = request_free(blk);
	int error;

	if (!request)
		return ERROR_NOSPACE;
	*request = (struct blk_request){{operation, 0, sector}, STATUS_NONE, true, bytes, length};
	if (!request_possible(blk, request)) {
		request->busy = false;
		return blk_error(ERROR_INVALID, "request impossible", request, length);
	}
	/* Without the feature, what was written is stable already (§5.2.6.2). */
	if (operation == BLK_FLUSH && !blk->flushes) {
		request->busy = false;
		return 0;
	}
	error = fault_hides_block() ? 0 : request_add(blk, request);
	if (error) {
		request->busy = false;
		return error;
	}
	blk->in_flight++;
	virtqueue_publish(&blk->queue.queue);
	virtqueue_kick(&blk->queue.queue);
	return 0;
}

/* What the device wrote besides the status. */
static uint32_t response_length(const struct blk_request *request)
{
	return request->header.type == BLK_READ ? request->length + 1 : 1;
}

static int request_finish(struct blk_request *request, uint32_t length)
{
	request->busy = false;
	if (request->status != STATUS_OK)
		return blk_error(ERROR_RESPONSE, "error status", request, request->status);
	if (length != response_length(request))
		return blk_error(ERROR_BROKEN, "response of an impossible length", request, length);
	if (request->header.type == BLK_READ && fault_spoils_block())
		request->bytes[request->length / 2] ^= 1;
	return 0;
}

int blk_complete(struct blk *blk)
{
	int first = 0;

	while (blk->in_flight) {
		struct virtqueue_completion completion;
		int error = transport_wait(&blk->queue, &completion, blk->deadline_ns, "request");

		if (error) {
			transport_fail(&blk->transport);
			blk->in_flight = 0;
			return error == ERROR_TIMEOUT ? ERROR_TIMEOUT : ERROR_BROKEN;
		}
		blk->in_flight--;
		error = request_finish(completion.token, completion.length);
		if (!first)
			first = error;
	}
	return first;
}
