/*
 * PCI devices: found by scanning, with their capabilities, BARs and interrupts. One CPU at a time.
 *
 * What a device says of itself is checked: capability lists are bounded, BARs must be memory and large enough.
 * Failure: NULL or a negative enum error.
 */
#ifndef DRIVERS_PCI_PCI_H
#define DRIVERS_PCI_PCI_H

#include "base/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_BARS 6

/* Configuration space offsets and bits (PCI Local Bus 3.0 §6.1). */
#define PCI_CONFIG_ID 0x00
#define PCI_CONFIG_COMMAND 0x04
#define PCI_CONFIG_STATUS 0x06
#define PCI_CONFIG_BAR 0x10
#define PCI_CONFIG_CAPABILITIES 0x34
#define PCI_CONFIG_INTERRUPT 0x3c
#define PCI_CAPABILITY_VENDOR 0x09
#define PCI_CAPABILITY_MSIX 0x11

struct pci_device {
	uint8_t bus, device, function;
	uint8_t pin; /* 1 = INTA, 0 none */
	uint16_t vendor, id;
	/* Address and size of each BAR's memory; size 0 where there is none, or the upper half of a 64-bit one;
	 * address 0 where there was no room for it. */
	uint64_t bar_address[PCI_BARS];
	uint64_t bar_size[PCI_BARS];
};

/* The index-th device (from 0) with this vendor and id; also sizes its BARs, places them where firmware did not,
 * and enables memory access and bus mastering. */
int pci_find(uint16_t vendor, uint16_t id, unsigned index, struct pci_device *device);

uint8_t pci_read8(const struct pci_device *device, unsigned offset);
uint16_t pci_read16(const struct pci_device *device, unsigned offset);
uint32_t pci_read32(const struct pci_device *device, unsigned offset);
void pci_write16(const struct pci_device *device, unsigned offset, uint16_t value);
void pci_write32(const struct pci_device *device, unsigned offset, uint32_t value);

/*
 * Walks the capability list: the first capability of this kind after `previous` (0: from the start), its offset, or
 * ERROR_NODEV at the end, ERROR_INVALID on a list that is malformed or does not end, so that a caller who passes each
 * answer as the next `previous` comes to an end. read8 stands for the device, so that
 * hostile lists can be tried natively.
 */
struct pci_capabilities {
	uint8_t (*read8)(const void *context, unsigned offset);
	const void *context;
};
int pci_capability_find(struct pci_capabilities list, uint8_t kind, unsigned previous);
struct pci_capabilities pci_capabilities_of(const struct pci_device *device);

/* Part of a BAR, mapped uncached; NULL when it lies outside of the BAR or there is none. */
volatile void *pci_bar_map(const struct pci_device *device, unsigned bar, uint64_t offset, uint64_t length);

/*
 * An interrupt to the calling CPU: MSI-X entry `entry` where the architecture has message interrupts, else the pin.
 * Returns 1 for MSI-X, 0 for the pin, or an error.
 */
int pci_irq_attach(const struct pci_device *device, unsigned entry, void (*handler)(void *), void *argument);

#endif
