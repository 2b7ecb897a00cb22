/* drivers/virtio/virtqueue: the driver's side of the ring against a modelled device, an honest one and a hostile one.
 */
#include "test/ktest.h"

#include "drivers/virtio/ordering/points.h"
#include "options.h"
#include "test/ringdevice.h"

#define SIZE 8u
#define WRAP_ROUNDS 70000u
#define USED_NO_NOTIFY 1
#define AVAILABLE_NO_INTERRUPT 1

static struct ringdevice device;
static uint8_t bytes[256];
static int tokens[RINGDEVICE_SIZE_MAX];

/* A chain of one piece to read and one of `writable` bytes to write. */
static int add_pair(uint32_t writable, void *token)
{
	struct virtqueue_buffer buffers[] = {
		{(uintptr_t)bytes, 24, false},
		{(uintptr_t)bytes + 32, writable, true},
	};

	return virtqueue_add(device.queue, buffers, 2, token);
}

static bool layout_matches(uint16_t size)
{
	struct virtqueue_layout layout = virtqueue_layout(size);

	return layout.available == 16u * size && layout.used >= layout.available + 6 + 2u * size &&
	       layout.used % 4 == 0 && layout.used < layout.available + 6 + 2u * size + 4 &&
	       layout.bytes == layout.used + 6 + 8u * size;
}

static void layouts(void)
{
	bool all = true;

	for (uint16_t size = 2; size <= VIRTQUEUE_SIZE_MAX; size = (uint16_t)(size * 2))
		all = all && layout_matches(size);
	ktest_check(all, "the three areas lie as §2.7 requires, for every size");
	ktest_check(virtqueue_init(&device.own, 0, device.memory, false, NULL, NULL) == ERROR_INVALID &&
			    virtqueue_init(&device.own, 12, device.memory, false, NULL, NULL) == ERROR_INVALID &&
			    virtqueue_init(&device.own, 512, device.memory, false, NULL, NULL) == ERROR_INVALID &&
			    virtqueue_init(&device.own, 8, NULL, false, NULL, NULL) == ERROR_INVALID,
		    "sizes that are too large or not a power of two are refused, and so is missing memory");
}

static void chains(void)
{
	struct virtqueue_buffer buffers[] = {{0x1000, 10, false}, {0x2000, 20, false}, {0x3000, 30, true}};
	struct ringdevice_chain chain;

	ringdevice_init(&device, NULL, SIZE, false);
	ktest_check(!virtqueue_add(device.queue, buffers, 3, tokens), "a chain of three is accepted");
	ktest_check(!ringdevice_take(&device, &chain), "the device sees nothing before the publish");
	virtqueue_publish(device.queue);
	ktest_check(ringdevice_take(&device, &chain) && chain.count == 3 && !device.faulty_driver,
		    "after the publish the device reads a chain of three that ends");
	ktest_check(chain.pieces[0].address == 0x1000 && chain.pieces[0].length == 10 &&
			    chain.pieces[1].address == 0x2000 && chain.pieces[1].length == 20 &&
			    chain.pieces[2].address == 0x3000 && chain.pieces[2].length == 30,
		    "addresses and lengths arrive in order");
	ktest_check(ringdevice_writable(&chain) == 30, "only the last piece is the device's to write");
	ktest_check(!ringdevice_take(&device, &chain), "one publish shows one chain");
}

static void order(void)
{
	struct virtqueue_completion first = {0}, second = {0};
	struct ringdevice_chain a, b;

	ringdevice_init(&device, NULL, SIZE, false);
	add_pair(8, &tokens[0]);
	add_pair(16, &tokens[1]);
	virtqueue_publish(device.queue);
	ringdevice_take(&device, &a);
	ringdevice_take(&device, &b);
	ktest_check(virtqueue_pop_used(device.queue, &first) == VIRTQUEUE_NOTHING,
		    "nothing is popped before the device responds");
	ringdevice_complete(&device, b.head, 16);
	ringdevice_complete(&device, a.head, 3);
	ktest_check(virtqueue_pop_used(device.queue, &first) == VIRTQUEUE_COMPLETED &&
			    virtqueue_pop_used(device.queue, &second) == VIRTQUEUE_COMPLETED,
		    "two completions are popped");
	ktest_check(first.token == &tokens[1] && first.length == 16 && second.token == &tokens[0] && second.length == 3,
		    "completions out of order carry their own tokens and lengths");
	ktest_check(virtqueue_pop_used(device.queue, &first) == VIRTQUEUE_NOTHING, "a third is not there");
}

/* Runs single chains through the ring; whether each one came back, and the device never saw a broken chain. */
static bool cycles(unsigned rounds, bool event_index)
{
	struct virtqueue_completion completion;

	ringdevice_init(&device, NULL, 4, event_index);
	for (unsigned round = 0; round < rounds; round++) {
		if (add_pair(8, &tokens[round % 7]))
			return false;
		virtqueue_publish(device.queue);
		/* The device always asks to be notified of the next one. */
		*ringdevice_avail_event(&device) = (uint16_t)(device.queue->published - 1);
		if (!virtqueue_kick(device.queue) || ringdevice_complete_all(&device) != 1 ||
		    virtqueue_pop_used(device.queue, &completion) != VIRTQUEUE_COMPLETED ||
		    completion.token != &tokens[round % 7] || completion.length != 8)
			return false;
	}
	return !device.faulty_driver && device.notified == (uint16_t)rounds &&
	       device.queue->counters.count[COUNTER_completions] == rounds;
}

static void wrap(void)
{
	ktest_check(cycles(WRAP_ROUNDS, false), "70,000 chains through a ring of four: indices wrap at 2^16 unnoticed");
	ktest_check(device.queue->used->index == (uint16_t)WRAP_ROUNDS && device.queue->popped == (uint16_t)WRAP_ROUNDS,
		    "all indices have wrapped and agree");
	ktest_check(cycles(WRAP_ROUNDS, true), "the same with EVENT_IDX");
}

static void exhaustion(void)
{
	struct virtqueue_buffer many[SIZE + 1] = {{0}};
	struct virtqueue_completion completion;
	unsigned added = 0, popped = 0;

	ringdevice_init(&device, NULL, SIZE, false);
	while (!add_pair(8, &tokens[added]))
		added++;
	ktest_check(added == SIZE / 2 && device.queue->free_count == 0, "chains of two fit until descriptors run out");
	ktest_check(add_pair(8, tokens) == ERROR_NOSPACE, "one more is refused");
	ktest_check(virtqueue_add(device.queue, many, SIZE + 1, tokens) == ERROR_INVALID &&
			    virtqueue_add(device.queue, many, 0, tokens) == ERROR_INVALID,
		    "a chain longer than the ring, or of nothing, is refused");
	virtqueue_publish(device.queue);
	ktest_check(ringdevice_complete_all(&device) == SIZE / 2, "the refused ones left no trace in the ring");
	while (virtqueue_pop_used(device.queue, &completion) == VIRTQUEUE_COMPLETED)
		popped++;
	ktest_check(popped == SIZE / 2 && device.queue->free_count == SIZE, "completion gives every descriptor back");
	for (unsigned i = 0; i < SIZE; i++)
		many[i] = (struct virtqueue_buffer){i, 1, false};
	ktest_check(!virtqueue_add(device.queue, many, SIZE, tokens), "one chain can then have all of them");
}

/* Chains of changing length in changing order; whether every token came back once and all descriptors at the end. */
static bool shuffle(void)
{
	uint32_t heads[SIZE], random = 1;
	unsigned waiting = 0, outstanding = 0;
	struct virtqueue_buffer buffers[3] = {{0x10, 1, false}, {0x20, 1, false}, {0x30, 1, true}};
	struct virtqueue_completion completion;
	struct ringdevice_chain chain;

	ringdevice_init(&device, NULL, SIZE, false);
	for (unsigned round = 0; round < 20000; round++) {
		random = random * 1664525 + 1013904223;
		if (random >> 31) {
			if (!virtqueue_add(device.queue, buffers, 1 + random / 65536 % 3, &tokens[0]))
				outstanding++;
			virtqueue_publish(device.queue);
			while (ringdevice_take(&device, &chain))
				heads[waiting++] = chain.head;
		} else if (waiting) {
			unsigned pick = random / 65536 % waiting;

			ringdevice_complete(&device, heads[pick], 0);
			heads[pick] = heads[--waiting];
			if (virtqueue_pop_used(device.queue, &completion) != VIRTQUEUE_COMPLETED)
				return false;
			outstanding--;
		}
		if (device.faulty_driver || outstanding != waiting)
			return false;
	}
	for (; waiting; waiting--) {
		ringdevice_complete(&device, heads[waiting - 1], 0);
		if (virtqueue_pop_used(device.queue, &completion) != VIRTQUEUE_COMPLETED)
			return false;
	}
	return device.queue->free_count == SIZE;
}

/* A ring with one chain of two pieces in flight, head in *head. */
static void one_in_flight(uint16_t *head)
{
	struct ringdevice_chain chain;

	ringdevice_init(&device, NULL, SIZE, false);
	add_pair(8, tokens);
	virtqueue_publish(device.queue);
	ringdevice_take(&device, &chain);
	*head = chain.head;
}

static bool refuses(uint32_t id, uint32_t length)
{
	struct virtqueue_completion completion = {0};

	ringdevice_complete(&device, id, length);
	return virtqueue_pop_used(device.queue, &completion) == VIRTQUEUE_BROKEN && !completion.token &&
	       virtqueue_pop_used(device.queue, &completion) == VIRTQUEUE_BROKEN && add_pair(8, tokens) == ERROR_BROKEN;
}

static void hostile(void)
{
	struct virtqueue_completion completion;
	uint16_t head;

	one_in_flight(&head);
	ktest_check(refuses(SIZE, 0), "an id as large as the ring breaks the queue, for good");
	one_in_flight(&head);
	ktest_check(refuses(0xffffffff, 0), "the largest id breaks the queue");
	one_in_flight(&head);
	add_pair(8, tokens);
	ktest_check(refuses((uint32_t)head + 2, 8), "the id of a chain that was not published breaks the queue");
	one_in_flight(&head);
	ktest_check(refuses(head + 65536u, 8), "an id whose low half is right breaks the queue");
	one_in_flight(&head);
	ktest_check(refuses((head + 1u) % SIZE, 8), "the id of a descriptor inside a chain breaks the queue");
	one_in_flight(&head);
	ktest_check(refuses(head, 9), "more bytes than the chain can take break the queue");
	one_in_flight(&head);
	ktest_check(refuses(head, 0xffffffff), "the largest length breaks the queue");
	one_in_flight(&head);
	device.queue->used->index = 2;
	ktest_check(virtqueue_pop_used(device.queue, &completion) == VIRTQUEUE_BROKEN,
		    "a used index beyond what was made available breaks the queue");
	one_in_flight(&head);
	device.queue->used->index = 0xffff;
	ktest_check(virtqueue_pop_used(device.queue, &completion) == VIRTQUEUE_BROKEN,
		    "a used index that went back breaks the queue");
	one_in_flight(&head);
	add_pair(8, tokens);
	virtqueue_publish(device.queue);
	ringdevice_complete(&device, head, 8);
	ringdevice_complete(&device, head, 8);
	ktest_check(virtqueue_pop_used(device.queue, &completion) == VIRTQUEUE_COMPLETED,
		    "an id used twice is popped once");
	ktest_check(virtqueue_pop_used(device.queue, &completion) == VIRTQUEUE_BROKEN, "and breaks the queue then");
}

static void hostile_descriptors(void)
{
	struct virtqueue_completion completion;
	uint16_t head;

	one_in_flight(&head);
	for (unsigned i = 0; i < SIZE; i++) {
		device.queue->descriptors[i].next = 0xffff;
		device.queue->descriptors[i].flags = 0xffff;
	}
	ringdevice_complete(&device, head, 8);
	ktest_check(virtqueue_pop_used(device.queue, &completion) == VIRTQUEUE_COMPLETED &&
			    device.queue->free_count == SIZE,
		    "a descriptor table that was scribbled over cannot mislead the free list");
	device.queue->available->ring[0] = 0xffff;
	ktest_check(!add_pair(8, tokens) && device.queue->free_count == SIZE - 2, "and the ring goes on");
}

static void notification_flags(void)
{
	ringdevice_init(&device, NULL, SIZE, false);
	ktest_check(!virtqueue_kick(device.queue) && !device.notified, "nothing published, nothing to tell");
	add_pair(8, tokens);
	add_pair(8, tokens);
	virtqueue_publish(device.queue);
	ktest_check(virtqueue_kick(device.queue) && device.notified == 1, "two chains are told with one notify");
	ktest_check(!virtqueue_kick(device.queue) && device.notified == 1, "and are not told twice");
	device.queue->used->flags = USED_NO_NOTIFY;
	add_pair(8, tokens);
	virtqueue_publish(device.queue);
	ktest_check(!virtqueue_kick(device.queue) && device.notified == 1, "a device that asked for quiet has quiet");
	virtqueue_rekick(device.queue);
	ktest_check(device.notified == 2 && device.queue->counters.count[COUNTER_rekicks] == 1,
		    "a re-kick rings whatever it asked");
	ktest_check(device.queue->counters.count[COUNTER_notifies] == 2 &&
			    device.queue->counters.count[COUNTER_timeouts] == 0,
		    "notifies are counted, timeouts are not invented");
}

/* Whether publishing `count` chains from index `from` notifies a device that asked for `event`. */
static bool rings(uint16_t from, unsigned count, uint16_t event)
{
	ringdevice_init(&device, NULL, SIZE, true);
	device.queue->added = device.queue->published = device.queue->kicked = from;
	*ringdevice_avail_event(&device) = event;
	for (unsigned i = 0; i < count; i++)
		add_pair(8, tokens);
	virtqueue_publish(device.queue);
	return virtqueue_kick(device.queue);
}

static void notification_events(void)
{
	ktest_check(rings(0, 1, 0), "avail_event is the entry just added: the device is told");
	ktest_check(!rings(1, 1, 0), "avail_event lies before it: the device is not told again");
	ktest_check(!rings(0, 1, 1), "avail_event lies behind it: not yet");
	ktest_check(rings(0, 2, 1) && rings(0, 2, 0) && rings(0, 3, 1), "any entry of a batch counts");
	ktest_check(rings(0xffff, 1, 0xffff) && rings(0xfffe, 3, 0) && rings(0xfffe, 3, 0xfffe),
		    "the same across the wrap at 2^16");
	ktest_check(!rings(0xfffe, 3, 1) && !rings(0xfffe, 3, 0xfffd), "and just outside of it");
}

static void interrupts(void)
{
	uint16_t head;

	one_in_flight(&head);
	ktest_check(device.queue->available->flags == AVAILABLE_NO_INTERRUPT, "a polled queue asks for no interrupts");
	ktest_check(!virtqueue_rearm(device.queue) && device.queue->available->flags == 0,
		    "re-arming asks for them and finds nothing new");
	ringdevice_complete(&device, head, 8);
	ktest_check(virtqueue_rearm(device.queue),
		    "a completion that came before the re-arming is found by the re-check");
	virtqueue_disarm(device.queue);
	ktest_check(device.queue->available->flags == AVAILABLE_NO_INTERRUPT, "disarming takes it back");
	ringdevice_init(&device, NULL, SIZE, true);
	device.queue->popped = 0xfffe;
	device.queue->used->index = 0xfffe;
	ktest_check(!virtqueue_rearm(device.queue) && *ringdevice_used_event(&device) == 0xfffe,
		    "with EVENT_IDX re-arming names the next element");
	virtqueue_disarm(device.queue);
	ktest_check(*ringdevice_used_event(&device) == 0x7ffe && device.queue->available->flags == 0,
		    "and disarming an element half the range away");
}

static void run(void)
{
	layouts();
	chains();
	order();
	wrap();
	exhaustion();
	ktest_check(shuffle(), "20,000 steps of chains in changing order lose and double no descriptor");
	hostile();
	hostile_descriptors();
	notification_flags();
	notification_events();
	interrupts();
}

KTEST_SUITE(virtqueue, run);
