#include "gpu.h"

#include "transport.h"

#define ENTRIES 32
#define SLOTS (ENTRIES / 2)
#define PATIENCE_US 1000000
#define DELAY_US 6000
#define ASKS 4
#define OK_NODATA 0x1100

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

struct queue {
	struct descriptor descriptors[ENTRIES];
	struct {
		uint16_t flags, index, ring[ENTRIES], event;
	} available;
	struct {
		uint16_t flags, index;
		struct {
			uint32_t id, length;
		} ring[ENTRIES];
		uint16_t event;
	} used __attribute__((aligned(16)));
	uint16_t number, added, published;
} __attribute__((aligned(4096)));

/* Requests as VIRTIO 1.2 section 5.7.6 has them: a header of six words, then the command's own. */
struct slot {
	uint32_t request[16];
	uint32_t response[6];
};

struct gpu_counts gpu_counts;
static struct queue queues[2];
static struct slot slots[2][SLOTS];
static const struct guest_habits *guest;
static bool has_habits;

void gpu_begin_habits(void)
{
	has_habits = true;
}

bool gpu_start(const struct guest_habits *habits)
{
	guest = habits;
	if (!transport_find())
		return false;
	for (uint16_t number = 0; number < 2; number++) {
		struct queue *queue = &queues[number];

		queue->number = number;
		queue->available.flags = 1; /* no interrupts: the driver looks for itself */
		transport_queue(number, ENTRIES, queue->descriptors, &queue->available, &queue->used);
	}
	transport_go();
	return true;
}

static volatile uint16_t *used_index(struct queue *queue)
{
	return &queue->used.index;
}

static uint32_t *add(uint16_t number, uint32_t type, uint32_t request_words, bool answered)
{
	struct queue *queue = &queues[number];
	uint16_t turn = (uint16_t)(queue->published + queue->added++);
	uint32_t at = has_habits && guest->wait == WAIT_NEVER ? 0 : turn % SLOTS;
	struct slot *slot = &slots[number][at];

	for (uint32_t i = 0; i < 16; i++)
		slot->request[i] = 0;
	slot->request[0] = type;
	slot->response[0] = 0;
	queue->descriptors[at * 2] =
		(struct descriptor){(uintptr_t)slot->request, request_words * 4, answered, (uint16_t)(at * 2 + 1)};
	queue->descriptors[at * 2 + 1] = (struct descriptor){(uintptr_t)slot->response, sizeof slot->response, 2, 0};
	queue->available.ring[turn % ENTRIES] = (uint16_t)(at * 2);
	return slot->request + 6;
}

static void publish(struct queue *queue)
{
	volatile uint16_t *index = &queue->available.index;

	queue->published = (uint16_t)(queue->published + queue->added);
	queue->added = 0;
	if (!guest->late_publish)
		machine_fence();
	*index = queue->published;
	machine_fence();
	for (uint32_t i = 0; guest->asks && i < ASKS; i++)
		(void)transport_peek();
	transport_notify(queue->number);
}

static bool answered(struct queue *queue)
{
	return *used_index(queue) == queue->published;
}

static bool wait(struct queue *queue)
{
	uint64_t until_us = machine_now_us() + PATIENCE_US;
	enum guest_wait how = has_habits ? guest->wait : WAIT_POLL;

	if (how == WAIT_NEVER)
		return true;
	if (how == WAIT_DELAY) {
		for (uint64_t end_us = machine_now_us() + DELAY_US; machine_now_us() < end_us;)
			;
		return true;
	}
	for (uint32_t turn = 0; !answered(queue); turn++) {
		gpu_counts.turns++;
		if (how == WAIT_FENCED) {
			machine_fence();
			gpu_counts.fences++;
		}
		if (how == WAIT_MMIO)
			(void)transport_peek();
		if (how == WAIT_ITERATIONS && turn > guest->turns)
			return true;
		if (how != WAIT_ITERATIONS && machine_now_us() > until_us)
			return false;
	}
	machine_fence();
	gpu_counts.fences++;
	return true;
}

static void check(struct queue *queue, uint16_t first)
{
	for (uint16_t turn = first; turn != queue->published; turn++) {
		gpu_counts.answers++;
		if (queue->number == CONTROL && slots[CONTROL][turn % SLOTS].response[0] != OK_NODATA)
			give_up("the device refused a command");
	}
}

static void send(struct queue *queue)
{
	uint16_t first = queue->published;

	publish(queue);
	if (!wait(queue))
		give_up("no answer from the device for a second");
	if (!guest->unchecked && !(has_habits && guest->wait == WAIT_NEVER) && answered(queue))
		check(queue, first);
}

void gpu_send(void)
{
	send(&queues[CONTROL]);
}

void gpu_create(uint32_t resource, uint32_t width_px, uint32_t height_px)
{
	uint32_t *words = add(CONTROL, 0x0101, 10, true);

	words[0] = resource;
	words[1] = 2; /* B8G8R8X8 */
	words[2] = width_px;
	words[3] = height_px;
}

void gpu_attach(uint32_t resource, const void *memory, uint32_t bytes)
{
	uint32_t *words = add(CONTROL, 0x0106, 12, true);

	words[0] = resource;
	words[1] = 1;
	words[2] = (uint32_t)(uintptr_t)memory;
	words[3] = (uint32_t)((uint64_t)(uintptr_t)memory >> 32);
	words[4] = bytes;
}

void gpu_scanout(uint32_t head, uint32_t resource, uint32_t width_px, uint32_t height_px)
{
	uint32_t *words = add(CONTROL, 0x0103, 12, true);

	words[2] = width_px;
	words[3] = height_px;
	words[4] = head;
	words[5] = resource;
}

static void put_box(uint32_t *words, struct rectangle box)
{
	words[0] = box.x;
	words[1] = box.y;
	words[2] = box.width;
	words[3] = box.height;
}

void gpu_transfer(uint32_t resource, struct rectangle box, uint32_t width_px)
{
	uint32_t *words = add(CONTROL, 0x0105, 14, true);

	put_box(words, box);
	words[4] = (box.y * width_px + box.x) * 4;
	words[6] = resource;
}

void gpu_flush(uint32_t resource, struct rectangle box)
{
	uint32_t *words = add(CONTROL, 0x0104, 12, true);

	put_box(words, box);
	words[4] = resource;
}

void gpu_cursor(bool picture, uint32_t resource, uint32_t x, uint32_t y)
{
	uint32_t *words = add(CURSOR, picture ? 0x0300 : 0x0301, 14, false);

	words[1] = x;
	words[2] = y;
	words[4] = resource;
	send(&queues[CURSOR]);
}
