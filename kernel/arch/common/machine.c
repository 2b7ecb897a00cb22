#include "arch/common/machine.h"

#include "arch/common/mmio.h"
#include "base/panic.h"
#include "base/print.h"
#include "base/string.h"

#define PAGE_SIZE 4096ull
/* QEMU reserves 1 MiB for a tree that it makes, and twice its size for one that it is given. */
#define TREE_BYTES_MAX (4u << 20)

struct machine machine;

static void memory_read(void)
{
	const struct fdt *fdt = &machine.fdt;
	uint64_t here = (uintptr_t)&machine;

	for (int node = -1; (node = fdt_find(fdt, node, "device_type", "memory")) >= 0;) {
		struct fdt_region bank;

		for (unsigned i = 0; fdt_reg(fdt, node, i, &bank) == 0; i++) {
			if (here >= bank.start && here - bank.start < bank.length)
				machine.memory = bank;
		}
	}
	if (!machine.memory.length)
		panic("device tree: no memory node covers the kernel at 0x%lx", here);
}

static void cpus_read(uint64_t boot_id)
{
	const struct fdt *fdt = &machine.fdt;

	machine.cpu_ids[machine.cpus++] = boot_id;
	for (int node = -1; (node = fdt_find(fdt, node, "device_type", "cpu")) >= 0;) {
		const char *status = fdt_string(fdt, node, "status");
		struct fdt_region id;

		if (machine.cpus == ARCH_CPUS_MAX)
			break;
		if ((status && strcmp(status, "okay") != 0) || fdt_reg(fdt, node, 0, &id) || id.start == boot_id)
			continue;
		machine.cpu_ids[machine.cpus++] = id.start;
	}
}

/*
 * The window for BARs: 32-bit memory, because it serves 32-bit and 64-bit BARs alike; 64-bit memory where there is
 * nothing else. The bus must see the addresses that the CPU sees.
 */
static void pci_read(void)
{
	const struct fdt *fdt = &machine.fdt;
	struct fdt_pci_range range;

	machine.pci = machine_device("pci-host-ecam-generic", &machine.ecam);
	if (machine.pci < 0) {
		print("pci: the device tree names no ECAM host\n");
		return;
	}
	for (unsigned i = 0; fdt_pci_range(fdt, machine.pci, i, &range) == 0; i++) {
		bool wanted = range.space == 2 || (range.space == 3 && !machine.window.length);

		if (wanted && range.bus == range.cpu && range.length)
			machine.window = (struct fdt_region){range.cpu, range.length};
	}
	/* Bus address 0 would mean an unassigned BAR. */
	if (!machine.window.start)
		panic("device tree: %s has no memory window for BARs", fdt_name(fdt, machine.pci));
}

void machine_read(uint64_t blob, uint64_t boot_id)
{
	int error = blob % 8 == 0 && blob ? fdt_open(&machine.fdt, (const void *)(uintptr_t)blob, TREE_BYTES_MAX)
					  : ERROR_MAGIC;
	const char *arguments;

	if (error)
		panic("device tree at 0x%lx: %s", blob, fdt_error_text(error));
	machine.tree = (struct fdt_region){blob, machine.fdt.size};
	memory_read();
	cpus_read(boot_id);
	pci_read();
	arguments = fdt_string(&machine.fdt, fdt_child(&machine.fdt, 0, "chosen"), "bootargs");
	if (arguments)
		strncpy(machine.command_line, arguments, sizeof(machine.command_line) - 1);
}

int machine_device(const char *compatible, struct fdt_region *registers)
{
	int node = fdt_find(&machine.fdt, -1, "compatible", compatible), error;

	if (node < 0)
		return node;
	error = fdt_reg(&machine.fdt, node, 0, registers);
	if (error || !registers->length)
		panic("device tree: %s has no registers: %s", fdt_name(&machine.fdt, node), fdt_error_text(error));
	return node;
}

int machine_console(const char *compatible, struct fdt_region *registers)
{
	const struct fdt *fdt = &machine.fdt;
	const char *path = fdt_string(fdt, fdt_child(fdt, 0, "chosen"), "stdout-path");
	int node = path ? fdt_path(fdt, path) : ERROR_NOTFOUND;
	struct fdt_property list;

	if (node >= 0 && fdt_property(fdt, node, "compatible", &list) == 0 && fdt_list_has(&list, compatible) &&
	    fdt_reg(fdt, node, 0, registers) == 0 && registers->length)
		return node;
	return machine_device(compatible, registers);
}

void machine_free_memory(uintptr_t kernel_end, struct arch_boot *boot)
{
	uint64_t start = (kernel_end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	uint64_t end = (machine.memory.start + machine.memory.length) & ~(PAGE_SIZE - 1);
	uint64_t tree_end = (machine.tree.start + machine.tree.length + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);

	if (machine.tree.start >= start && machine.tree.start < end) {
		/* The tree stays readable: the larger side of it is free. */
		if (machine.tree.start - start >= end - tree_end)
			end = machine.tree.start & ~(PAGE_SIZE - 1);
		else
			start = tree_end;
	}
	if (end <= start)
		panic("memory too small: RAM ends at 0x%lx, the kernel at 0x%lx", end, start);
	boot->memory_start = start;
	boot->memory_end = end;
}
