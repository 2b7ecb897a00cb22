/* The capability list of configuration space, without the bus: also built natively. */
#include "drivers/pci/pci.h"

#define CAPABILITIES_MAX 48 /* 192 bytes behind the header, at least 4 each */
#define CONFIG_HEADER_END 0x40
#define STATUS_CAPABILITIES 0x10

static unsigned capability_next(struct pci_capabilities list, unsigned at)
{
	return list.read8(list.context, at ? at + 1 : PCI_CONFIG_CAPABILITIES) & 0xfcu;
}

/* A list that ends has no loop, so that walking on from any of its capabilities ends too. */
static bool capability_list_ends(struct pci_capabilities list)
{
	unsigned at = 0;

	for (unsigned count = 0; count <= CAPABILITIES_MAX; count++) {
		at = capability_next(list, at);
		if (!at)
			return true;
		if (at < CONFIG_HEADER_END)
			return false;
	}
	return false;
}

int pci_capability_find(struct pci_capabilities list, uint8_t kind, unsigned previous)
{
	if (!(list.read8(list.context, PCI_CONFIG_STATUS) & STATUS_CAPABILITIES))
		return ERROR_NODEV;
	if (!capability_list_ends(list))
		return ERROR_INVALID;
	/* Bounded again: the device may return another list now. */
	for (unsigned count = 0; count < CAPABILITIES_MAX; count++) {
		previous = capability_next(list, previous);
		if (previous < CONFIG_HEADER_END)
			return ERROR_NODEV;
		if (list.read8(list.context, previous) == kind)
			return (int)previous;
	}
	return ERROR_INVALID;
}
