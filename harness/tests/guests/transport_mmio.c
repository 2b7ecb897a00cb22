/* virtio-mmio, version 2 (VIRTIO 1.2 section 4.2.2). */
#include "guest.h"
#include "transport.h"

#define MAGIC 0x000
#define VERSION 0x004
#define DEVICE_ID 0x008
#define DRIVER_FEATURES 0x020
#define DRIVER_FEATURES_SELECT 0x024
#define QUEUE_SELECT 0x030
#define QUEUE_SIZE 0x038
#define QUEUE_READY 0x044
#define QUEUE_NOTIFY 0x050
#define INTERRUPT_STATUS 0x060
#define STATUS 0x070
#define QUEUE_DESCRIPTORS 0x080
#define QUEUE_AVAILABLE 0x090
#define QUEUE_USED 0x0a0
#define GPU_ID 16

static volatile uint8_t *registers;

static uint32_t get(uint32_t at)
{
	return *(volatile uint32_t *)(volatile void *)(registers + at);
}

static void put(uint32_t at, uint32_t value)
{
	*(volatile uint32_t *)(volatile void *)(registers + at) = value;
}

bool transport_find(void)
{
	for (uint32_t slot = 0; slot < MMIO_SLOTS; slot++) {
		registers = (volatile uint8_t *)(uintptr_t)(MMIO_BASE + slot * MMIO_STEP);
		if (get(MAGIC) != 0x74726976 || get(VERSION) != 2 || get(DEVICE_ID) != GPU_ID)
			continue;
		put(STATUS, 0);
		put(STATUS, 1 | 2);
		put(DRIVER_FEATURES_SELECT, 1);
		put(DRIVER_FEATURES, 1);
		put(DRIVER_FEATURES_SELECT, 0);
		put(DRIVER_FEATURES, 0);
		put(STATUS, 1 | 2 | 8);
		return get(STATUS) & 8;
	}
	return false;
}

static void put_address(uint32_t at, const void *address)
{
	put(at, (uint32_t)(uintptr_t)address);
	put(at + 4, (uint32_t)((uint64_t)(uintptr_t)address >> 32));
}

void transport_queue(uint16_t queue, uint16_t size, void *descriptors, void *available, void *used)
{
	put(QUEUE_SELECT, queue);
	put(QUEUE_SIZE, size);
	put_address(QUEUE_DESCRIPTORS, descriptors);
	put_address(QUEUE_AVAILABLE, available);
	put_address(QUEUE_USED, used);
	put(QUEUE_READY, 1);
}

void transport_go(void)
{
	put(STATUS, 1 | 2 | 4 | 8);
}

void transport_notify(uint16_t queue)
{
	put(QUEUE_NOTIFY, queue);
}

uint32_t transport_peek(void)
{
	return get(INTERRUPT_STATUS);
}
