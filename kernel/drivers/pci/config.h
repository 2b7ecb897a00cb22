/* A PCI device and its configuration space. Any width is read and written as part of 32 bits. One CPU at a time. */
#ifndef DRIVERS_PCI_CONFIG_H
#define DRIVERS_PCI_CONFIG_H

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

uint8_t pci_read8(const struct pci_device *device, unsigned offset);
uint16_t pci_read16(const struct pci_device *device, unsigned offset);
uint32_t pci_read32(const struct pci_device *device, unsigned offset);
void pci_write16(const struct pci_device *device, unsigned offset, uint16_t value);
void pci_write32(const struct pci_device *device, unsigned offset, uint32_t value);

#endif
