#include "drivers/pci/pci.h"

#include "arch/arch.h"
#include "drivers/pci/bar.h"

#define PCI_BUSES 256
#define PCI_SLOTS 32
#define PCI_FUNCTIONS 8
#define CONFIG_HEADER_TYPE 0x0c /* its third byte */
#define CONFIG_BUS_NUMBERS 0x18
#define HEADER_MULTIFUNCTION 0x80u
#define HEADER_TYPE 0x7fu
#define HEADER_BRIDGE 0x01u
#define COMMAND_IO 0x1u
#define COMMAND_MEMORY 0x2u
#define COMMAND_MASTER 0x4u
#define COMMAND_NO_INTX 0x400u
#define MSIX_ENABLE 0x8000u
#define MSIX_MASK_ALL 0x4000u
#define MSIX_ENTRIES 0x7ffu
#define MSIX_ENTRY_SIZE 16u
#define MSIX_BAR 7u

/* What a scan searches for, and how far it is. */
struct pci_scan {
	uint16_t vendor, id;
	unsigned index; /* matches still to pass over */
	struct pci_device *device;
	uint8_t visited[PCI_BUSES / 8]; /* bridges that lead back must not make the scan endless */
};

/* Status bits are cleared by writing ones: the command register is written with zeros beside it. */
static void command_write(const struct pci_device *device, uint16_t command)
{
	pci_write32(device, PCI_CONFIG_COMMAND, command);
}

static uint8_t device_read8(const void *context, unsigned offset)
{
	return pci_read8(context, offset);
}

struct pci_capabilities pci_capabilities_of(const struct pci_device *device)
{
	return (struct pci_capabilities){device_read8, device};
}

static void device_set_up(struct pci_device *device)
{
	uint16_t command = pci_read16(device, PCI_CONFIG_COMMAND);

	/* Decoding is off while BARs hold probe values. */
	command_write(device, (uint16_t)(command & ~(COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER)));
	pci_bar_set_up(device);
	device->pin = pci_read8(device, PCI_CONFIG_INTERRUPT + 1);
	command_write(device, (uint16_t)(command | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_INTX));
}

/* Reads one function; true when it is the one. A bridge's bus is noted in *behind, 0 for none. */
static bool function_matches(struct pci_scan *scan, uint8_t bus, uint8_t slot, uint8_t function, uint8_t *behind)
{
	struct pci_device device = {.bus = bus, .device = slot, .function = function};
	uint32_t id = pci_read32(&device, PCI_CONFIG_ID);

	*behind = 0;
	if ((id & 0xffff) == 0xffff)
		return false;
	if ((pci_read8(&device, CONFIG_HEADER_TYPE + 2) & HEADER_TYPE) == HEADER_BRIDGE) {
		*behind = pci_read8(&device, CONFIG_BUS_NUMBERS + 1);
		return false;
	}
	if ((id & 0xffff) != scan->vendor || id >> 16 != scan->id || scan->index--)
		return false;
	device.vendor = scan->vendor;
	device.id = scan->id;
	*scan->device = device;
	return true;
}

static uint8_t slot_functions(uint8_t bus, uint8_t slot)
{
	struct pci_device device = {.bus = bus, .device = slot};

	return pci_read8(&device, CONFIG_HEADER_TYPE + 2) & HEADER_MULTIFUNCTION ? PCI_FUNCTIONS : 1;
}

/* One bus; the buses behind its bridges are marked in `found`. */
static bool bus_scan(struct pci_scan *scan, uint8_t bus, uint8_t found[PCI_BUSES / 8])
{
	uint8_t behind, functions;

	for (uint8_t slot = 0; slot < PCI_SLOTS; slot++) {
		if ((arch_pci_read32(bus, slot, 0, PCI_CONFIG_ID) & 0xffff) == 0xffff)
			continue;
		functions = slot_functions(bus, slot);
		for (uint8_t function = 0; function < functions; function++) {
			if (function_matches(scan, bus, slot, function, &behind))
				return true;
			if (behind)
				found[behind / 8] |= (uint8_t)(1u << behind % 8);
		}
	}
	return false;
}

int pci_find(uint16_t vendor, uint16_t id, unsigned index, struct pci_device *device)
{
	uint8_t buses[PCI_BUSES / 8] = {1};
	struct pci_scan scan = {.vendor = vendor, .id = id, .index = index, .device = device};
	bool more = true;

	while (more) {
		more = false;
		for (unsigned bus = 0; bus < PCI_BUSES; bus++) {
			uint8_t bit = (uint8_t)(1u << bus % 8);

			if (!(buses[bus / 8] & bit) || scan.visited[bus / 8] & bit)
				continue;
			scan.visited[bus / 8] |= bit;
			more = true;
			if (bus_scan(&scan, (uint8_t)bus, buses)) {
				device_set_up(device);
				return 0;
			}
		}
	}
	return ERROR_NODEV;
}

/* Programs one entry of the MSI-X table (PCI Local Bus 3.0 §6.8.2). */
static int msix_attach(const struct pci_device *device, unsigned entry, const struct arch_msi *msi)
{
	int at = pci_capability_find(pci_capabilities_of(device), PCI_CAPABILITY_MSIX, 0);
	volatile uint32_t *table;
	uint16_t control;
	uint32_t table_offset;

	if (at < 0)
		return at;
	control = pci_read16(device, (unsigned)at + 2);
	if (entry > (control & MSIX_ENTRIES))
		return ERROR_NOSPACE;
	table_offset = pci_read32(device, (unsigned)at + 4);
	table = pci_bar_map(device, table_offset & MSIX_BAR,
			    (table_offset & ~MSIX_BAR) + (uint64_t)entry * MSIX_ENTRY_SIZE, MSIX_ENTRY_SIZE);
	if (!table)
		return ERROR_INVALID;
	pci_write16(device, (unsigned)at + 2, (uint16_t)(control | MSIX_MASK_ALL | MSIX_ENABLE));
	table[0] = (uint32_t)msi->address;
	table[1] = (uint32_t)(msi->address >> 32);
	table[2] = msi->value;
	table[3] = 0;
	pci_write16(device, (unsigned)at + 2, (uint16_t)((control & ~MSIX_MASK_ALL) | MSIX_ENABLE));
	return 0;
}

int pci_irq_attach(const struct pci_device *device, unsigned entry, void (*handler)(void *), void *argument,
		   enum pci_irq *kind)
{
	struct arch_msi msi;

	*kind = PCI_IRQ_MSIX;
	if (!arch_msi_attach(handler, argument, &msi))
		return msix_attach(device, entry, &msi);
	*kind = PCI_IRQ_PIN;
	/* A bridge rotates the pins of devices behind it, and this map only knows the pins of bus 0. */
	if (!device->pin || device->bus || arch_intx_attach(device->device, device->pin, handler, argument))
		return ERROR_NODEV;
	command_write(device, (uint16_t)(pci_read16(device, PCI_CONFIG_COMMAND) & ~COMMAND_NO_INTX));
	return 0;
}
