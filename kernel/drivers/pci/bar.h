/* Base address registers: what they say, decoded without the bus, their set-up (by pci.c), and their memory. */
#ifndef DRIVERS_PCI_BAR_H
#define DRIVERS_PCI_BAR_H

#include "drivers/pci/config.h"

/* A BAR's register and the one behind it. */
struct pci_bar_registers {
	uint32_t low, high;
};

struct pci_bar {
	uint64_t address, size; /* size 0: no memory here */
	unsigned registers;     /* 1, or 2 when it is 64 bits wide */
};

/* From its value and what it read as after ones were written; has_upper: another register follows. Pure. */
struct pci_bar pci_bar_decode(struct pci_bar_registers value, struct pci_bar_registers ones, bool has_upper);

struct pci_bar_window {
	uint64_t start, length;
};
/* The next aligned address for size bytes (a power of two) in the window, from *next on; 0 when it is full. Pure. */
uint64_t pci_bar_place(struct pci_bar_window window, uint64_t *next, uint64_t size);

/* Sizes and places all BARs of a device whose decoding is off. */
void pci_bar_set_up(struct pci_device *device);

/* Part of a BAR, mapped uncached; NULL when it lies outside of the BAR or there is none. */
volatile void *pci_bar_map(const struct pci_device *device, unsigned bar, uint64_t offset, uint64_t length);

#endif
