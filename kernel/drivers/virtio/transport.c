#include "drivers/virtio/transport.h"

#include "arch/arch.h"
#include "base/heap.h"
#include "base/print.h"
#include "base/string.h"
#include "drivers/pci/bar.h"
#include "drivers/virtio/ordering/points.h"
#include "drivers/virtio/transport_config.h"
#include "drivers/virtio/wait.h"
#include "fault/fault.h"
#include "options.h"

/* §4.1.2, §4.1.2.1: a type's device number, and the old one of networks (1) and disks (2). */
#define VENDOR 0x1af4
#define DEVICE_MODERN 0x1040
#define DEVICE_TRANSITIONAL 0x1000
#define TYPE_TRANSITIONAL_MAX 2

/* §2.1 */
#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FEATURES_OK 8
#define STATUS_FAILED 128

/* §4.1.4: cfg_type, and offsets into struct virtio_pci_cap. */
#define CAPABILITY_COMMON 1
#define CAPABILITY_NOTIFY 2
#define CAPABILITY_ISR 3
#define CAPABILITY_DEVICE 4
#define CAPABILITY_LENGTH 2
#define CAPABILITY_TYPE 3
#define CAPABILITY_BAR 4
#define CAPABILITY_OFFSET 8
#define CAPABILITY_SIZE 12
#define CAPABILITY_MULTIPLIER 16

#define ISR_QUEUE 1 /* §4.1.4.5 */
#define ISR_CONFIG 2
#define NO_VECTOR 0xffff /* §4.1.5.1.2 */
#define RESET_NS 100000000ull
#define QUEUE_ALIGNMENT 4096
/*
 * A device changes its configuration when its host does, for example with a disk's new size. That takes less than this.
 */
#define CONFIG_NS 100000000ull

static int transport_error(struct transport *transport, int error, const char *what)
{
	print("%s: %s\n", transport->name, what);
	transport_fail(transport);
	return error;
}

/* `alignment`: of the structure's offset, which its registers need (§4.1.4). */
static volatile void *capability_map(struct transport *transport, unsigned at, uint32_t needed, uint32_t alignment,
				     uint32_t *length)
{
	uint8_t bar = pci_read8(&transport->pci, at + CAPABILITY_BAR);
	uint32_t offset = pci_read32(&transport->pci, at + CAPABILITY_OFFSET);

	*length = pci_read32(&transport->pci, at + CAPABILITY_SIZE);
	return *length < needed || offset % alignment ? NULL : pci_bar_map(&transport->pci, bar, offset, *length);
}

static uint8_t capability_length(const struct transport *transport, unsigned at)
{
	return pci_read8(&transport->pci, at + CAPABILITY_LENGTH);
}

static void capability_take(struct transport *transport, unsigned at)
{
	uint32_t length;

	switch (pci_read8(&transport->pci, at + CAPABILITY_TYPE)) {
	case CAPABILITY_COMMON:
		if (!transport->common)
			transport->common = capability_map(transport, at, sizeof(struct transport_common), 4, &length);
		break;
	case CAPABILITY_NOTIFY:
		/* A field of its own stands behind the others (§4.1.4.4). */
		if (transport->notify_registers || capability_length(transport, at) < CAPABILITY_MULTIPLIER + 4)
			break;
		transport->notify_registers = capability_map(transport, at, 2, 2, &length);
		transport->notify_length = length;
		transport->notify_multiplier = pci_read32(&transport->pci, at + CAPABILITY_MULTIPLIER);
		break;
	case CAPABILITY_ISR:
		if (!transport->isr)
			transport->isr = capability_map(transport, at, 1, 1, &length);
		break;
	case CAPABILITY_DEVICE:
		if (transport->config)
			break;
		transport->config = capability_map(transport, at, 1, 4, &length);
		transport->config_length = length;
		break;
	default:
		break;
	}
}

static int capabilities_read(struct transport *transport)
{
	struct pci_capabilities list = pci_capabilities_of(&transport->pci);
	int at = pci_capability_find(list, PCI_CAPABILITY_VENDOR, 0);

	for (; at > 0; at = pci_capability_find(list, PCI_CAPABILITY_VENDOR, (unsigned)at))
		if (capability_length(transport, (unsigned)at) >= CAPABILITY_MULTIPLIER)
			capability_take(transport, (unsigned)at);
	if (at == ERROR_INVALID || !transport->common || !transport->notify_registers || !transport->isr)
		return ERROR_INVALID;
	return 0;
}

static uint64_t features_offered(volatile struct transport_common *common)
{
	uint64_t features;

	common->device_feature_select = 0;
	features = common->device_feature;
	common->device_feature_select = 1;
	return features | (uint64_t)common->device_feature << 32;
}

static bool features_accept(volatile struct transport_common *common, uint64_t features)
{
	common->driver_feature_select = 0;
	common->driver_feature = (uint32_t)features;
	common->driver_feature_select = 1;
	common->driver_feature = (uint32_t)(features >> 32);
	common->device_status = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK;
	return common->device_status & STATUS_FEATURES_OK;
}

static bool transport_reset(struct transport *transport)
{
	uint64_t start = arch_ticks();

	transport->common->device_status = 0;
	/* §4.1.4.3.2: reset is complete when the status reads back as 0. */
	while (transport->common->device_status) {
		if (arch_ticks_to_ns(arch_ticks() - start) > RESET_NS)
			return false;
		arch_relax();
	}
	return true;
}

/* By its own number, or by the one under which QEMU offers disks and networks to old drivers as well. */
static int device_find(unsigned type, struct pci_device *device)
{
	if (!pci_find(VENDOR, (uint16_t)(DEVICE_MODERN + type), 0, device))
		return 0;
	return type <= TYPE_TRANSITIONAL_MAX ? pci_find(VENDOR, (uint16_t)(DEVICE_TRANSITIONAL + type - 1), 0, device)
					     : ERROR_NODEV;
}

bool transport_present(unsigned type)
{
	struct pci_device device;

	return !device_find(type, &device);
}

int transport_probe(struct transport *transport, const char *name, unsigned type, uint64_t needed, uint64_t wanted)
{
	uint64_t offered;

	*transport = (struct transport){.name = name};
	if (device_find(type, &transport->pci))
		return transport_error(transport, ERROR_NODEV, "no such device on the PCI bus");
	if (capabilities_read(transport))
		return transport_error(transport, ERROR_INVALID, "its PCI capabilities are not a virtio device's");
	if (!transport_reset(transport))
		return transport_error(transport, ERROR_INVALID, "reset does not end");
	transport->common->device_status = STATUS_ACKNOWLEDGE;
	transport->common->device_status = STATUS_ACKNOWLEDGE | STATUS_DRIVER;
	needed |= TRANSPORT_F_VERSION_1;
	if (OPTION(EVENT_IDX) == OPTION_EVENT_IDX_on)
		needed |= TRANSPORT_F_EVENT_IDX;
	offered = features_offered(transport->common);
	if ((offered & needed) != needed)
		return transport_error(transport, ERROR_FEATURES, "a feature that is needed is not offered");
	transport->features = offered & (needed | wanted);
	if (!features_accept(transport->common, transport->features))
		return transport_error(transport, ERROR_FEATURES, "the device refused the features chosen");
	return 0;
}

static void queue_notify(void *context)
{
	struct transport_queue *queue = context;

	point_notify();
	*queue->notify_register = queue->number;
}

static void queue_interrupt(void *context)
{
	struct transport_queue *queue = context;

	/*
	 * Reading it acknowledges a pin, which other devices may share: 0 is another device's interrupt. With MSI-X it
	 * is not needed and costs an exit (§4.1.4.5).
	 */
	if (queue->pin) {
		uint8_t isr = *queue->transport->isr;

		if (OPTION(MODES) == OPTION_MODES_on && isr & ISR_CONFIG)
			transport_config_changed = true;
		if (!(isr & ISR_QUEUE))
			return;
	}
	queue->interrupts++;
}

static int queue_attach_interrupt(struct transport *transport, struct transport_queue *queue)
{
	enum pci_irq kind;

	if (OPTION(COMPLETION) != OPTION_COMPLETION_irq)
		return 0;
	if (pci_irq_attach(&transport->pci, queue->number, queue_interrupt, queue, &kind))
		return transport_error(transport, ERROR_IRQ, "no interrupt could be attached");
	queue->pin = kind == PCI_IRQ_PIN;
	if (queue->pin)
		return 0;
	transport->common->queue_msix_vector = queue->number;
	if (transport->common->queue_msix_vector != queue->number)
		return transport_error(transport, ERROR_IRQ, "the device refused the interrupt vector");
	return 0;
}

static void write_address(volatile uint32_t halves[2], uintptr_t address)
{
	halves[0] = (uint32_t)address;
	halves[1] = (uint32_t)((uint64_t)address >> 32);
}

int transport_queue_init(struct transport *transport, struct transport_queue *queue, uint16_t number, uint16_t size_max)
{
	volatile struct transport_common *common = transport->common;
	uint64_t notify_offset;
	uint16_t size;
	void *memory;

	memset(queue, 0, sizeof(*queue));
	queue->transport = transport;
	queue->number = number;
	common->queue_select = number;
	size = common->queue_size;
	if (number >= common->num_queues || !size || size & (size - 1))
		return transport_error(transport, ERROR_INVALID, "a queue has an impossible size");
	if (size > size_max)
		size = size_max;
	/* QEMU 10 offers 1,024 for a GPU's first queue. */
	if (size > VIRTQUEUE_SIZE_MAX)
		size = VIRTQUEUE_SIZE_MAX;
	notify_offset = (uint64_t)common->queue_notify_off * transport->notify_multiplier;
	/* An odd multiplier would put a register of 16 bits at an odd address (§4.1.4.4). */
	if (notify_offset % 2 || notify_offset + 2 > transport->notify_length)
		return transport_error(transport, ERROR_INVALID, "a queue's notify register lies outside of its BAR");
	queue->notify_register = (volatile uint16_t *)(transport->notify_registers + notify_offset);
	memory = heap_alloc(virtqueue_layout(size).bytes, QUEUE_ALIGNMENT);
	if (!memory)
		return transport_error(transport, ERROR_NOMEM, "no memory for a queue");
	if (virtqueue_init(&queue->queue, size, memory, transport->features & TRANSPORT_F_EVENT_IDX, queue_notify,
			   queue))
		return transport_error(transport, ERROR_INVALID, "a queue has an impossible size");
	common->queue_size = size;
	write_address(common->queue_descriptors, (uintptr_t)queue->queue.descriptors);
	write_address(common->queue_driver, (uintptr_t)queue->queue.available);
	write_address(common->queue_device, (uintptr_t)queue->queue.used);
	common->config_msix_vector = NO_VECTOR;
	common->queue_msix_vector = NO_VECTOR;
	if (queue_attach_interrupt(transport, queue))
		return ERROR_IRQ;
	/* The ring's contents must be visible before the device may read them. */
	point_notify();
	common->queue_enable = 1;
	return 0;
}

int transport_config_read64(struct transport *transport, uint32_t offset, uint64_t *value)
{
	uint64_t start = arch_ticks();
	volatile uint32_t *words;

	if (!transport->config || offset > transport->config_length || transport->config_length - offset < 8)
		return transport_error(transport, ERROR_INVALID, "its configuration is too short");
	words = (volatile uint32_t *)(transport->config + offset);
	do {
		uint8_t generation = transport->common->config_generation;

		*value = words[0] | (uint64_t)words[1] << 32;
		if (transport->common->config_generation == generation && !fault_changes_config())
			return 0;
	} while (arch_ticks_to_ns(arch_ticks() - start) < CONFIG_NS);
	return transport_error(transport, ERROR_INVALID, "its configuration keeps changing");
}

int transport_wait(struct transport_queue *queue, struct virtqueue_completion *completion, uint64_t deadline_ns,
		   const char *what)
{
	uint64_t start = arch_ticks();
	bool late;

	for (;;) {
		int error = virtqueue_wait(&queue->queue, completion, deadline_ns);

		if (error == ERROR_BROKEN)
			print("%s: the device broke the ring of queue %u\n", queue->transport->name, queue->number);
		if (error != ERROR_TIMEOUT)
			return error;
		print("%s: %s timeout, queue %u\n", queue->transport->name, what, queue->number);
		late = arch_ticks_to_ns(arch_ticks() - start) >= deadline_ns;
		if (late || OPTION(WAIT) == OPTION_WAIT_deadline)
			return error;
		virtqueue_rekick(&queue->queue);
	}
}

void transport_ready(struct transport *transport)
{
	point_notify();
	transport->common->device_status = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK;
}

void transport_fail(struct transport *transport)
{
	if (!transport->common)
		return;
	transport->common->device_status = STATUS_FAILED;
	transport_reset(transport);
}
