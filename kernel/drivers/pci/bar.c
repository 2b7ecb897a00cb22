/* Base address registers: sized, placed where firmware has not, mapped. */
#include "drivers/pci/bar.h"

#include "arch/arch.h"

#define BAR_IO 0x1u
#define BAR_TYPE 0x6u
#define BAR_TYPE_64 0x4u
#define BAR_FLAGS 0xfu

/* The next free bus address where the kernel places BARs itself; 0 until asked. */
static uint64_t window_next;

struct pci_bar pci_bar_decode(struct pci_bar_registers value, struct pci_bar_registers ones, bool has_upper)
{
	bool wide = !(value.low & BAR_IO) && (value.low & BAR_TYPE) == BAR_TYPE_64;
	uint64_t mask = (ones.low & ~BAR_FLAGS) | (wide ? (uint64_t)ones.high << 32 : ~0ull << 32);
	struct pci_bar bar = {.registers = wide && has_upper ? 2 : 1};

	if (value.low & BAR_IO || !(ones.low | (wide ? ones.high : 0)) || (wide && !has_upper))
		return bar;
	bar.size = ~mask + 1;
	/* The bits that are writable must be the upper ones, all of them. */
	if (!bar.size || bar.size & (bar.size - 1)) {
		bar.size = 0;
		return bar;
	}
	bar.address = (value.low & ~BAR_FLAGS) | (wide ? (uint64_t)value.high << 32 : 0);
	return bar;
}

uint64_t pci_bar_place(struct pci_bar_window window, uint64_t *next, uint64_t size)
{
	uint64_t at = *next > window.start ? *next : window.start;

	if (size > window.length)
		return 0;
	at = (at + size - 1) & ~(size - 1);
	if (at < window.start || at - window.start > window.length - size)
		return 0;
	*next = at + size;
	return at;
}

static struct pci_bar_registers bar_read(const struct pci_device *device, unsigned offset, bool has_upper)
{
	return (struct pci_bar_registers){pci_read32(device, offset), has_upper ? pci_read32(device, offset + 4) : 0};
}

static void bar_write(const struct pci_device *device, unsigned offset, unsigned registers, uint64_t value)
{
	pci_write32(device, offset, (uint32_t)value);
	if (registers == 2)
		pci_write32(device, offset + 4, (uint32_t)(value >> 32));
}

/* Writes ones and reads back which bits stick (PCI Local Bus 3.0 §6.2.5.1); returns how many registers it has. */
static unsigned bar_probe(struct pci_device *device, unsigned number)
{
	unsigned offset = PCI_CONFIG_BAR + 4 * number;
	bool has_upper = number + 1 < PCI_BARS;
	struct pci_bar_registers value = bar_read(device, offset, has_upper), ones;
	struct arch_pci_window window = arch_pci_window();
	unsigned registers = pci_bar_decode(value, value, has_upper).registers;
	struct pci_bar bar;

	bar_write(device, offset, registers, ~0ull);
	ones = bar_read(device, offset, has_upper);
	bar_write(device, offset, registers, value.low | (uint64_t)value.high << 32);
	bar = pci_bar_decode(value, ones, has_upper);
	if (bar.size && !bar.address && window.length) {
		bar.address =
			pci_bar_place((struct pci_bar_window){window.start, window.length}, &window_next, bar.size);
		if (bar.registers == 1 && bar.address > UINT32_MAX)
			bar.address = 0;
		bar_write(device, offset, bar.registers, bar.address | (value.low & BAR_FLAGS));
	}
	device->bar_address[number] = bar.address;
	device->bar_size[number] = bar.size;
	return bar.registers;
}

void pci_bar_set_up(struct pci_device *device)
{
	for (unsigned number = 0; number < PCI_BARS;)
		number += bar_probe(device, number);
}

volatile void *pci_bar_map(const struct pci_device *device, unsigned bar, uint64_t offset, uint64_t length)
{
	if (bar >= PCI_BARS || !device->bar_address[bar] || offset > device->bar_size[bar] ||
	    length > device->bar_size[bar] - offset)
		return NULL;
	return arch_map_device(device->bar_address[bar] + offset, length);
}
