#include "pci/pci.h"

#include "arch/arch.h"

#define PCI_BUSES 1
#define PCI_DEVICES 32
#define PCI_STATUS_CAPABILITIES 0x10
#define COMMAND_MEMORY 0x2
#define COMMAND_MASTER 0x4
#define COMMAND_NO_INTX 0x400
#define BAR_IO 0x1
#define BAR_64 0x4
#define MSIX_ENABLE 0x8000
#define MSIX_MASK_ALL 0x4000
#define MSIX_ENTRY_SIZE 16

/* The next free bus address where the kernel places BARs itself; 0 until asked. */
static uint64_t window_next;

uint32_t pci_read32(const struct pci_device *device, unsigned offset)
{
	return arch_pci_read32(device->bus, device->device, device->function, offset & ~3u);
}

uint16_t pci_read16(const struct pci_device *device, unsigned offset)
{
	return (uint16_t)(pci_read32(device, offset) >> 8 * (offset & 2));
}

uint8_t pci_read8(const struct pci_device *device, unsigned offset)
{
	return (uint8_t)(pci_read32(device, offset) >> 8 * (offset & 3));
}

void pci_write32(const struct pci_device *device, unsigned offset, uint32_t value)
{
	arch_pci_write32(device->bus, device->device, device->function, offset & ~3u, value);
}

void pci_write16(const struct pci_device *device, unsigned offset, uint16_t value)
{
	unsigned shift = 8 * (offset & 2);
	uint32_t word = pci_read32(device, offset);

	pci_write32(device, offset, (word & ~(0xffffu << shift)) | (uint32_t)value << shift);
}

static uint8_t device_read8(const void *context, unsigned offset)
{
	return pci_read8(context, offset);
}

struct pci_capabilities pci_capabilities_of(const struct pci_device *device)
{
	return (struct pci_capabilities){device_read8, device};
}

/* Gives a BAR an address from the architecture's window; 0 when the window is full or there is none. */
static uint64_t bar_place(uint64_t size)
{
	struct arch_pci_window window = arch_pci_window();
	uint64_t at;

	if (!window.length)
		return 0;
	at = window_next ? window_next : window.start;
	at = (at + size - 1) & ~(size - 1);
	if (at + size > window.start + window.length)
		return 0;
	window_next = at + size;
	return at;
}

/* Sizes one BAR by writing ones (PCI Local Bus 3.0 §6.2.5.1); returns how many registers it takes. */
static unsigned bar_probe(struct pci_device *device, unsigned bar)
{
	unsigned offset = PCI_CONFIG_BAR + 4 * bar;
	uint32_t low = pci_read32(device, offset), high = 0;
	bool wide = !(low & BAR_IO) && (low & 6) == BAR_64 && bar + 1 < PCI_BARS;
	uint64_t mask, size;

	pci_write32(device, offset, UINT32_MAX);
	mask = pci_read32(device, offset);
	pci_write32(device, offset, low);
	if (low & BAR_IO || !mask)
		return 1;
	if (wide) {
		high = pci_read32(device, offset + 4);
		pci_write32(device, offset + 4, UINT32_MAX);
		mask |= (uint64_t)pci_read32(device, offset + 4) << 32;
		pci_write32(device, offset + 4, high);
	} else {
		mask |= ~0ull << 32;
	}
	size = ~(mask & ~0xfull) + 1;
	device->bar_size[bar] = size;
	device->bar_address[bar] = (uint64_t)high << 32 | (low & ~0xfu);
	if (!device->bar_address[bar]) {
		uint64_t at = bar_place(size);

		device->bar_address[bar] = at;
		pci_write32(device, offset, (uint32_t)at | (low & 0xf));
		if (wide)
			pci_write32(device, offset + 4, (uint32_t)(at >> 32));
	}
	return wide ? 2 : 1;
}

static void device_set_up(struct pci_device *device)
{
	uint16_t command = pci_read16(device, PCI_CONFIG_COMMAND);

	/* Decoding is off while BARs hold probe values. */
	pci_write16(device, PCI_CONFIG_COMMAND, (uint16_t)(command & ~(COMMAND_MEMORY | COMMAND_MASTER | 1)));
	for (unsigned bar = 0; bar < PCI_BARS;)
		bar += bar_probe(device, bar);
	device->pin = pci_read8(device, PCI_CONFIG_INTERRUPT + 1);
	pci_write16(device, PCI_CONFIG_COMMAND, (uint16_t)(command | COMMAND_MEMORY | COMMAND_MASTER));
}

int pci_find(uint16_t vendor, uint16_t id, unsigned index, struct pci_device *device)
{
	for (unsigned slot = 0; slot < PCI_BUSES * PCI_DEVICES; slot++) {
		uint32_t word = arch_pci_read32(slot / PCI_DEVICES, slot % PCI_DEVICES, 0, PCI_CONFIG_ID);

		if ((word & 0xffff) != vendor || word >> 16 != id || index--)
			continue;
		*device = (struct pci_device){
			.bus = (uint8_t)(slot / PCI_DEVICES),
			.device = (uint8_t)(slot % PCI_DEVICES),
			.vendor = vendor,
			.id = id,
		};
		device_set_up(device);
		return 0;
	}
	return PCI_ENODEV;
}

volatile void *pci_bar_map(const struct pci_device *device, unsigned bar, uint64_t offset, uint64_t length)
{
	if (bar >= PCI_BARS || !device->bar_address[bar] || offset > device->bar_size[bar] ||
	    length > device->bar_size[bar] - offset)
		return NULL;
	return arch_map_device(device->bar_address[bar] + offset, length);
}

/* Programs one entry of the MSI-X table (PCI Local Bus 3.0 §6.8.2). */
static int msix_attach(const struct pci_device *device, unsigned entry, const struct arch_msi *msi)
{
	int at = pci_capability_find(pci_capabilities_of(device), PCI_CAPABILITY_MSIX, 0);
	volatile uint32_t *table;
	uint16_t control;
	uint32_t place;

	if (at < 0)
		return at;
	control = pci_read16(device, (unsigned)at + 2);
	if (entry > (control & 0x7ffu))
		return PCI_ENOSPACE;
	place = pci_read32(device, (unsigned)at + 4);
	table = pci_bar_map(device, place & 7, (place & ~7u) + entry * MSIX_ENTRY_SIZE, MSIX_ENTRY_SIZE);
	if (!table)
		return PCI_EINVALID;
	table[0] = (uint32_t)msi->address;
	table[1] = (uint32_t)(msi->address >> 32);
	table[2] = msi->value;
	table[3] = 0;
	pci_write16(device, (unsigned)at + 2, (uint16_t)((control & ~MSIX_MASK_ALL) | MSIX_ENABLE));
	return 1;
}

int pci_irq_attach(const struct pci_device *device, unsigned entry, void (*handler)(void *), void *argument)
{
	struct arch_msi msi;

	if (!arch_msi_attach(handler, argument, &msi))
		return msix_attach(device, entry, &msi);
	if (!device->pin || arch_intx_attach(device->device, device->pin, handler, argument))
		return PCI_ENODEV;
	return 0;
}
