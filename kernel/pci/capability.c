/* The capability list of configuration space, without the bus: also built natively. */
#include "pci/pci.h"

#define CAPABILITIES_MAX 48 /* 192 bytes behind the header, at least 4 each */
#define CONFIG_HEADER_END 0x40

int pci_capability_find(struct pci_capabilities list, uint8_t kind, unsigned previous)
{
	unsigned at = list.read8(list.context, previous ? previous + 1 : PCI_CONFIG_CAPABILITIES) & 0xfcu;

	for (unsigned count = 0; at; count++) {
		if (count == CAPABILITIES_MAX || at < CONFIG_HEADER_END)
			return PCI_EINVALID;
		if (list.read8(list.context, at) == kind)
			return (int)at;
		at = list.read8(list.context, at + 1) & 0xfcu;
	}
	return PCI_ENODEV;
}
