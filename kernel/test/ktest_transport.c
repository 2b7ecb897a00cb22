/* drivers/virtio/transport: probing, negotiation and queues on this machine's virtio-gpu; skipped where there is none.
 */
#include "test/ktest.h"

#include "base/string.h"
#include "drivers/virtio/transport.h"
#include "options.h"

#define TYPE_GPU 16
#define TYPE_NONE 63

static struct transport transport;
static struct transport_queue queue;

static int probe(uint64_t needed, uint64_t wanted)
{
	return transport_probe(&transport, "test", TYPE_GPU, needed, wanted);
}

static void negotiation(void)
{
	ktest_check(!probe(0, 0) && transport.features & TRANSPORT_F_VERSION_1, "VERSION_1 is always negotiated");
	ktest_check((transport.features & TRANSPORT_F_EVENT_IDX) ? OPTION(EVENT_IDX) == OPTION_EVENT_IDX_on
								 : (OPTION(EVENT_IDX) == OPTION_EVENT_IDX_off),
		    "EVENT_IDX exactly when the switch asks for it");
	ktest_check(transport.common->device_status == 11, "status is ACKNOWLEDGE, DRIVER and FEATURES_OK");
	ktest_check(!probe(0, 1ull << 60) && !(transport.features & 1ull << 60),
		    "a feature that is wanted and not offered is done without");
	ktest_check(probe(1ull << 60, 0) == ERROR_FEATURES && transport.common->device_status == 0,
		    "one that is needed and not offered fails, and the device is reset");
	ktest_check(!probe(0, 0), "and can be probed again");
}

static void queues(void)
{
	ktest_check(transport_queue_init(&transport, &queue, transport.common->num_queues, 8) == ERROR_INVALID,
		    "a queue beyond the last is refused");
	ktest_check(!probe(0, 0) && !transport_queue_init(&transport, &queue, 0, 8) && queue.queue.size == 8,
		    "a queue can be smaller than the device allows");
	ktest_check(!probe(0, 0) && !transport_queue_init(&transport, &queue, 0, 32768) &&
			    queue.queue.size == transport.common->queue_size && queue.queue.size <= VIRTQUEUE_SIZE_MAX,
		    "and never larger");
	transport_ready(&transport);
	ktest_check(transport.common->device_status == 15, "DRIVER_OK ends the set-up");
}

static void configuration(void)
{
	uint64_t value = 0;

	ktest_check(!probe(0, 0) && !transport_config_read64(&transport, 0, &value), "configuration can be read");
	ktest_check(transport_config_read64(&transport, transport.config_length - 7, &value) == ERROR_INVALID &&
			    !probe(0, 0) && transport_config_read64(&transport, UINT32_MAX, &value) == ERROR_INVALID,
		    "not beyond its end");
	ktest_check(transport.common->device_status == 0, "who tries finds the device reset");
}

static void run(void)
{
	uint64_t value = 0;

	ktest_check(transport_probe(&transport, "test", TYPE_NONE, 0, 0) == ERROR_NODEV && !transport.common,
		    "a device that is not there is not found");
	ktest_check(transport_config_read64(&transport, 8, &value) == ERROR_INVALID,
		    "its configuration cannot be read");
	if (!transport_present(TYPE_GPU)) {
		ktest_skip("feature negotiation", "this machine has no virtio-gpu");
		return;
	}
	negotiation();
	queues();
	configuration();
	transport_fail(&transport);
}

KTEST_SUITE(transport, run);
