/*
 * PCI devices: found by scanning, with their capabilities, BARs and interrupts. One CPU at a time.
 *
 * Values that a device reports are checked: capability lists are bounded, BARs must be memory and large enough.
 * Failure: NULL or a negative enum error.
 */
#ifndef DRIVERS_PCI_PCI_H
#define DRIVERS_PCI_PCI_H

#include "base/errors.h"
#include "drivers/pci/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The index-th device (from 0) with this vendor and id; also sizes its BARs, places them where firmware did not,
 * and enables memory access and bus mastering. */
int pci_find(uint16_t vendor, uint16_t id, unsigned index, struct pci_device *device);

/*
 * Walks the capability list: the first capability of this kind after `previous` (0: from the start), its offset, or
 * ERROR_NODEV at the end, ERROR_INVALID on a list that is malformed or does not end, so that a caller who passes each
 * result as the next `previous` comes to an end. read8 stands for the device, so that hostile lists can be tried
 * natively.
 */
struct pci_capabilities {
	uint8_t (*read8)(const void *context, unsigned offset);
	const void *context;
};
int pci_capability_find(struct pci_capabilities list, uint8_t kind, unsigned previous);
struct pci_capabilities pci_capabilities_of(const struct pci_device *device);

/*
 * An interrupt to the calling CPU: MSI-X entry `entry` where the architecture has message interrupts, else the pin;
 * *kind says which. 0 or an error.
 */
enum pci_irq {
	PCI_IRQ_MSIX,
	PCI_IRQ_PIN,
};
int pci_irq_attach(const struct pci_device *device, unsigned entry, void (*handler)(void *), void *argument,
		   enum pci_irq *kind);

#endif
