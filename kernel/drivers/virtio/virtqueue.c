#include "drivers/virtio/virtqueue.h"

#include "base/string.h"
#include "drivers/virtio/counters.h"
#include "drivers/virtio/ordering/points.h"
#include "fault/fault.h"
#include "options.h"

#define DESCRIPTOR_NEXT 1 /* §2.7.5 */
#define DESCRIPTOR_DEVICE_WRITES 2
#define AVAILABLE_NO_INTERRUPT 1 /* §2.7.6 */
#define USED_NO_NOTIFY 1         /* §2.7.8 */
#define NONE UINT16_MAX

struct virtqueue_layout virtqueue_layout(uint16_t size)
{
	struct virtqueue_layout layout;

	/* §2.7: 16 n, 6 + 2 n and 6 + 8 n bytes, aligned to 16, 2 and 4. */
	layout.available = 16ul * size;
	layout.used = (layout.available + 6 + 2ul * size + 3) & ~3ul;
	layout.bytes = layout.used + 6 + 8ul * size;
	return layout;
}

int virtqueue_init(struct virtqueue *queue, uint16_t size, void *memory, bool event_index,
		   void (*notify)(void *context), void *context)
{
	struct virtqueue_layout layout = virtqueue_layout(size);
	uint8_t *base = memory;

	if (size < 2 || size > VIRTQUEUE_SIZE_MAX || size & (size - 1) || !memory)
		return ERROR_INVALID;
	memset(queue, 0, sizeof(*queue));
	queue->size = size;
	queue->event_index = event_index;
	queue->descriptors = (volatile struct virtqueue_descriptor *)base;
	queue->available = (volatile struct virtqueue_available *)(base + layout.available);
	queue->used = (volatile struct virtqueue_used *)(base + layout.used);
	queue->notify = notify;
	queue->context = context;
	queue->free_count = size;
	for (uint16_t i = 0; i < size; i++)
		queue->next_free[i] = i + 1 < size ? (uint16_t)(i + 1) : NONE;
	virtqueue_disarm(queue);
	return 0;
}

int virtqueue_add(struct virtqueue *queue, const struct virtqueue_buffer *buffers, unsigned count, void *token)
{
	uint16_t head = queue->free_head, at = head;
	uint32_t writable = 0;

	if (queue->broken)
		return ERROR_BROKEN;
	if (!count || count > queue->size)
		return ERROR_INVALID;
	if (count > queue->free_count)
		return ERROR_NOSPACE;
	for (unsigned i = 0; i < count; i++) {
		volatile struct virtqueue_descriptor *descriptor = &queue->descriptors[at];
		uint16_t next = queue->next_free[at];
		bool last = i + 1 == count;

		descriptor->address = buffers[i].address;
		descriptor->length = buffers[i].length;
		descriptor->flags = (uint16_t)((buffers[i].device_writes ? DESCRIPTOR_DEVICE_WRITES : 0) |
					       (last ? 0 : DESCRIPTOR_NEXT));
		descriptor->next = last ? 0 : next;
		if (buffers[i].device_writes)
			writable += buffers[i].length;
		at = next;
	}
	queue->free_head = at;
	queue->free_count = (uint16_t)(queue->free_count - count);
	queue->chain_length[head] = (uint16_t)count;
	queue->chain_writable[head] = writable;
	queue->chain_out[head] = false;
	queue->laid[queue->added & (queue->size - 1)] = head;
	queue->tokens[head] = token;
	queue->available->ring[queue->added & (queue->size - 1)] = head;
	queue->added++;
	return 0;
}

void virtqueue_publish(struct virtqueue *queue)
{
	if (queue->added == queue->published)
		return;
	for (uint16_t at = queue->published; at != queue->added; at++)
		queue->chain_out[queue->laid[at & (queue->size - 1)]] = true;
	point_publish(&queue->available->index, queue->added);
	queue->published = queue->added;
	counters_add(&queue->counters.count[COUNTER_publish_fences], POINT_PUBLISH_FENCES);
	counters_add(&queue->counters.count[COUNTER_hw_fences], POINT_PUBLISH_HW);
}

/* §2.7.10.1: whether `event` lies among the entries from `old` (exclusive) to `new`, modulo 2^16. */
static bool event_crossed(uint16_t event, uint16_t new, uint16_t old)
{
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

static volatile uint16_t *used_event(struct virtqueue *queue)
{
	return &queue->available->ring[queue->size];
}

static volatile uint16_t *avail_event(struct virtqueue *queue)
{
	return (volatile uint16_t *)&queue->used->ring[queue->size];
}

bool virtqueue_kick(struct virtqueue *queue)
{
	uint16_t old = queue->kicked;
	bool wanted;

	if (queue->published == old)
		return false;
	queue->kicked = queue->published;
	point_kick();
	counters_add(&queue->counters.count[COUNTER_kick_fences], POINT_KICK_FENCES);
	counters_add(&queue->counters.count[COUNTER_hw_fences], POINT_KICK_HW);
	if (queue->event_index)
		wanted = event_crossed(*avail_event(queue), queue->published, old);
	else
		wanted = !(queue->used->flags & USED_NO_NOTIFY);
	if (!wanted || fault_drops_kick())
		return false;
	queue->counters.count[COUNTER_notifies]++;
	queue->notify(queue->context);
	return true;
}

void virtqueue_rekick(struct virtqueue *queue)
{
	queue->counters.count[COUNTER_rekicks]++;
	queue->counters.count[COUNTER_notifies]++;
	queue->notify(queue->context);
}

/* Gives the descriptors of a chain back. The driver's own list is walked, never the one in shared memory. */
static void chain_free(struct virtqueue *queue, uint16_t head)
{
	uint16_t last = head;

	for (uint16_t i = 1; i < queue->chain_length[head]; i++)
		last = queue->next_free[last];
	queue->next_free[last] = queue->free_head;
	queue->free_head = head;
	queue->free_count = (uint16_t)(queue->free_count + queue->chain_length[head]);
	queue->chain_length[head] = 0;
}

static enum virtqueue_poll queue_break(struct virtqueue *queue)
{
	queue->broken = true;
	return VIRTQUEUE_BROKEN;
}

enum virtqueue_poll virtqueue_pop_used(struct virtqueue *queue, struct virtqueue_completion *completion)
{
	uint16_t index, outstanding = (uint16_t)(queue->published - queue->popped);
	uint32_t id, length;

	if (queue->broken)
		return VIRTQUEUE_BROKEN;
	index = point_poll(&queue->used->index);
	counters_add(&queue->counters.count[COUNTER_fences], POINT_POLL_FENCES);
	counters_add(&queue->counters.count[COUNTER_hw_fences], POINT_POLL_HW);
	if (index == queue->popped) {
		counters_add(&queue->counters.count[COUNTER_spins], 1);
		return VIRTQUEUE_NOTHING;
	}
	point_progress();
	counters_add(&queue->counters.count[COUNTER_fences], POINT_PROGRESS_FENCES);
	counters_add(&queue->counters.count[COUNTER_hw_fences], POINT_PROGRESS_HW);
	/*
	 * Broken: more completions than chains, an id that is not a head or was not yet shown to the device, more
	 * bytes than the chain has room for.
	 */
	if ((uint16_t)(index - queue->popped) > outstanding)
		return queue_break(queue);
	id = queue->used->ring[queue->popped & (queue->size - 1)].id;
	length = queue->used->ring[queue->popped & (queue->size - 1)].length;
	if (id >= queue->size || !queue->chain_length[id] || !queue->chain_out[id] ||
	    length > queue->chain_writable[id])
		return queue_break(queue);
	completion->token = queue->tokens[id];
	completion->length = length;
	queue->popped++;
	queue->counters.count[COUNTER_completions]++;
	if (!fault_leaks_descriptors())
		chain_free(queue, (uint16_t)id);
	return VIRTQUEUE_COMPLETED;
}

bool virtqueue_rearm(struct virtqueue *queue)
{
	if (queue->event_index)
		*used_event(queue) = queue->popped;
	else
		queue->available->flags = 0;
	point_rearm();
	counters_add(&queue->counters.count[COUNTER_hw_fences], POINT_REARM_HW);
	return queue->used->index != queue->popped;
}

void virtqueue_disarm(struct virtqueue *queue)
{
	/* With EVENT_IDX the device ignores flags; an event half the ring's range away comes after 2^15 completions. */
	if (queue->event_index)
		*used_event(queue) = (uint16_t)(queue->popped + 0x8000);
	else
		queue->available->flags = AVAILABLE_NO_INTERRUPT;
}
