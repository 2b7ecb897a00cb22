/*
 * What a device tree says about buses: registers, PCI windows and PCI interrupt pins.
 *
 * Called like fdt.h, with a tree that fdt_open accepted; fails with its FDT_E… values.
 */
#ifndef FIRMWARE_FDT_BUS_H
#define FIRMWARE_FDT_BUS_H

#include "firmware/fdt.h"

struct fdt_region {
	uint64_t start, length;
};

/* Entry `index` of "reg", by the parent's cell counts. Buses on the way must map addresses one to one. */
int fdt_reg(const struct fdt *fdt, int node, unsigned index, struct fdt_region *region);

/* One entry of a PCI host's "ranges" (IEEE 1275 PCI binding §2.2.1.1); space is 1 I/O, 2 32-bit, 3 64-bit memory. */
struct fdt_pci_range {
	uint32_t space;
	uint64_t bus, cpu, length;
};
int fdt_pci_range(const struct fdt *fdt, int host, unsigned index, struct fdt_pci_range *range);

/* The first cells of the interrupt that a PCI pin (1 = INTA) of a slot of the host's first bus raises. */
struct fdt_interrupt {
	uint32_t controller; /* phandle */
	uint32_t cells[3];
	uint32_t count;
};
int fdt_pci_interrupt(const struct fdt *fdt, int host, unsigned slot, unsigned pin, struct fdt_interrupt *interrupt);

#endif
