#include "drivers/virtio/input.h"

#include "base/heap.h"
#include "base/print.h"
#include "base/string.h"

#define QUEUE_EVENTS 0 /* §5.8.2 */

/* §5.8.4: the configuration is asked by writing what is wanted; the size says how many bytes of the answer count. */
#define CONFIG_SELECT 0
#define CONFIG_SUBSELECT 1
#define CONFIG_SIZE 2
#define CONFIG_ANSWER 8
#define SELECT_EVENT_BITS 0x11

static int input_error(struct input *input, int error, const char *what, uint32_t value)
{
	print("virtio-input: %s: %u\n", what, value);
	transport_fail(&input->transport);
	return error;
}

/* Whether the device reports events of a type (§5.8.4: the bits of its codes are not empty). */
static bool reports(struct input *input, uint8_t type)
{
	volatile uint8_t *config = input->transport.config;

	if (!config || input->transport.config_length <= CONFIG_ANSWER)
		return false;
	config[CONFIG_SELECT] = SELECT_EVENT_BITS;
	config[CONFIG_SUBSELECT] = type;
	return config[CONFIG_SIZE];
}

static int buffer_add(struct input *input, struct input_event *event)
{
	struct virtqueue_buffer buffer = {(uintptr_t)event, sizeof(*event), true};

	return virtqueue_add(&input->events.queue, &buffer, 1, event);
}

int input_offer(struct input *input)
{
	for (uint16_t i = 0; i < input->events.queue.size; i++) {
		int error = buffer_add(input, &input->buffers[i]);

		if (error)
			return error;
	}
	virtqueue_publish(&input->events.queue);
	return 0;
}

int input_init(struct input *input)
{
	memset(input, 0, sizeof(*input));
	if (!transport_present(INPUT_DEVICE_TYPE))
		return ERROR_NODEV;
	if (transport_probe(&input->transport, "virtio-input", INPUT_DEVICE_TYPE, 0, 0) ||
	    transport_queue_init(&input->transport, &input->events, QUEUE_EVENTS, INPUT_EVENTS_MAX))
		return ERROR_BROKEN;
	if (!reports(input, INPUT_KEY))
		return input_error(input, ERROR_FEATURES, "the device reports no keys, of event type", INPUT_KEY);
	input->buffers = heap_alloc(sizeof(struct input_event) * input->events.queue.size, 16);
	if (!input->buffers || input_offer(input))
		return input_error(input, ERROR_NOMEM, "no memory for events", input->events.queue.size);
	transport_ready(&input->transport);
	/* §3.1.1: the device is told of buffers only once DRIVER_OK is set. */
	virtqueue_kick(&input->events.queue);
	print("virtio-input: keyboard, driver probe succeeded\n");
	return 0;
}

static void event_take(struct input *input, const struct input_event *event)
{
	input->taken++;
	if (event->type != INPUT_KEY || event->value != INPUT_PRESSED)
		return;
	input->presses++;
	input->newest = event->code;
}

int input_read(struct input *input)
{
	struct virtqueue *queue = &input->events.queue;
	struct virtqueue_completion completion;
	enum virtqueue_poll found;

	/* Buffers given back are not published before the end: a device that fills them at once does not hold us up. */
	while ((found = virtqueue_pop_used(queue, &completion)) == VIRTQUEUE_COMPLETED) {
		struct input_event event = *(const volatile struct input_event *)completion.token;

		if (completion.length != sizeof(event))
			return input_error(input, ERROR_BROKEN, "an event of an impossible length", completion.length);
		event_take(input, &event);
		if (buffer_add(input, completion.token))
			return input_error(input, ERROR_BROKEN, "no descriptors left", queue->size);
	}
	if (found == VIRTQUEUE_BROKEN)
		return input_error(input, ERROR_BROKEN, "the device broke the ring of queue", QUEUE_EVENTS);
	virtqueue_publish(queue);
	virtqueue_kick(queue);
	return 0;
}
