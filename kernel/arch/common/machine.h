/*
 * What the device tree says of the machine, for the architectures that boot with one.
 *
 * machine_read fills `machine` on the boot CPU; afterwards it is only read. The kernel panics, with a name, where the
 * tree lacks something that it needs.
 */
#ifndef ARCH_COMMON_MACHINE_H
#define ARCH_COMMON_MACHINE_H

#include "arch/arch.h"
#include "firmware/fdt.h"
#include "firmware/fdt_bus.h"

struct machine {
	struct fdt fdt;
	struct fdt_region tree;   /* where the blob lies */
	struct fdt_region memory; /* the bank of RAM that holds the kernel */
	unsigned cpus;
	uint64_t cpu_ids[ARCH_CPUS_MAX]; /* hardware numbers; the boot CPU's comes first */
	int pci;                         /* node of the PCI host; negative: there is none, and what follows is zero */
	struct fdt_region ecam, window;
	char command_line[1024];
};

extern struct machine machine;

/* The blob's address, and the hardware number of the CPU that runs. */
void machine_read(uint64_t blob, uint64_t boot_id);
/* Registers of the first device with this "compatible" string; its node, or negative. */
int machine_device(const char *compatible, struct fdt_region *registers);
/* The same for the console: what /chosen names, if it is compatible. */
int machine_console(const char *compatible, struct fdt_region *registers);
/* The RAM above the kernel and beside the tree, whole pages. */
void machine_free_memory(uintptr_t kernel_end, struct arch_boot *boot);

#endif
