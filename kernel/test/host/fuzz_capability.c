/* PCI capability lists: 256 bytes that say anything; a walk ends, and finds only what is there. */
#include "drivers/pci/pci.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static uint8_t read8(const void *context, unsigned offset)
{
	if (offset >= 256)
		abort();
	return ((const uint8_t *)context)[offset];
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	uint8_t config[256] = {0};
	struct pci_capabilities list = {read8, config};
	unsigned found = 0;

	memcpy(config, bytes, length < sizeof(config) ? length : sizeof(config));
	for (int at = pci_capability_find(list, PCI_CAPABILITY_VENDOR, 0); at > 0; found++) {
		if (at < 0x40 || at > 0xfc || config[at] != PCI_CAPABILITY_VENDOR || found > 48)
			abort();
		at = pci_capability_find(list, PCI_CAPABILITY_VENDOR, (unsigned)at);
	}
	return 0;
}
