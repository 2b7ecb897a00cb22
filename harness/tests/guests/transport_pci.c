/* virtio-pci on a PC, whose firmware has placed the device in memory (VIRTIO 1.2 section 4.1). */
#include "guest.h"
#include "transport.h"

#define GPU_ID 0x10501af4u
#define CAPABILITY_VENDOR 9
#define COMMON_CONFIG 1
#define NOTIFY_CONFIG 2
#define ISR_CONFIG 3

static volatile uint8_t *common, *notify, *isr;
static uint32_t notify_step;

static uint32_t config_read(uint32_t slot, uint32_t at)
{
	uint32_t value;

	__asm__ volatile("outl %0, %w1" : : "a"(0x80000000u | slot << 11 | (at & 0xfc)), "Nd"(0xcf8));
	__asm__ volatile("inl %w1, %0" : "=a"(value) : "Nd"(0xcfc));
	return value >> at % 4 * 8;
}

static void config_write(uint32_t slot, uint32_t at, uint32_t value)
{
	__asm__ volatile("outl %0, %w1" : : "a"(0x80000000u | slot << 11 | (at & 0xfc)), "Nd"(0xcf8));
	__asm__ volatile("outl %0, %w1" : : "a"(value), "Nd"(0xcfc));
}

static void find_structures(uint32_t slot)
{
	for (uint32_t at = config_read(slot, 0x34) & 0xff; at; at = config_read(slot, at + 1) & 0xff) {
		uint32_t kind = config_read(slot, at + 3) & 0xff, bar = config_read(slot, at + 4) & 0xff;
		uint32_t base = config_read(slot, 0x10 + bar * 4) & ~15u, offset = config_read(slot, at + 8);
		volatile uint8_t *place = (volatile uint8_t *)(uintptr_t)(base + offset);

		if ((config_read(slot, at) & 0xff) != CAPABILITY_VENDOR)
			continue;
		if (kind == COMMON_CONFIG)
			common = place;
		if (kind == ISR_CONFIG)
			isr = place;
		if (kind == NOTIFY_CONFIG) {
			notify = place;
			notify_step = config_read(slot, at + 16);
		}
	}
}

static void put8(uint32_t at, uint8_t value)
{
	common[at] = value;
}

static void put16(uint32_t at, uint16_t value)
{
	*(volatile uint16_t *)(volatile void *)(common + at) = value;
}

static void put32(uint32_t at, uint32_t value)
{
	*(volatile uint32_t *)(volatile void *)(common + at) = value;
}

bool transport_find(void)
{
	uint32_t slot = 0;

	while (slot < 32 && config_read(slot, 0) != GPU_ID)
		slot++;
	if (slot == 32)
		return false;
	config_write(slot, 4, 2 | 4); /* memory space, bus master */
	find_structures(slot);
	if (!common || !notify || !isr)
		return false;
	put8(0x14, 0);
	put8(0x14, 1 | 2);
	put32(0x08, 1);
	put32(0x0c, 1);
	put32(0x08, 0);
	put32(0x0c, 0);
	put8(0x14, 1 | 2 | 8);
	return common[0x14] & 8;
}

static void put_address(uint32_t at, const void *address)
{
	put32(at, (uint32_t)(uintptr_t)address);
	put32(at + 4, 0);
}

void transport_queue(uint16_t queue, uint16_t size, void *descriptors, void *available, void *used)
{
	put16(0x16, queue);
	put16(0x18, size);
	put_address(0x20, descriptors);
	put_address(0x28, available);
	put_address(0x30, used);
	put16(0x1c, 1);
}

void transport_go(void)
{
	put8(0x14, 1 | 2 | 4 | 8);
}

void transport_notify(uint16_t queue)
{
	put16(0x16, queue);
	*(volatile uint16_t *)(volatile void *)(notify +
						notify_step * *(volatile uint16_t *)(volatile void *)(common + 0x1e)) =
		queue;
}

uint32_t transport_peek(void)
{
	return *isr;
}
