/*
 * Sv39 page tables, identity map (Privileged ISA 4.4); every implementation of a larger mode has it. The platform's
 * PMAs say what is memory and what is I/O; page tables can repeat it where Svpbmt exists (chapter 6).
 */
#include "arch/common/machine.h"
#include "arch/common/paging.h"
#include "arch/riscv64/cpu.h"
#include "base/panic.h"

#define PTE_VALID 0x01
#define PTE_READ 0x02
#define PTE_WRITE 0x04
#define PTE_EXECUTE 0x08
#define PTE_LEAF (PTE_READ | PTE_WRITE | PTE_EXECUTE)
#define PTE_GLOBAL 0x20
#define PTE_ACCESSED 0x40
#define PTE_DIRTY 0x80
/* Software's own bit: set on device mappings, which distinguishes them from RAM without Svpbmt. */
#define PTE_DEVICE 0x100
#define PTE_PBMT (3ull << 61)
#define PTE_PBMT_IO (2ull << 61)
#define PTE_PPN_SHIFT 10
#define PTE_PPN_MASK ((1ull << 44) - 1)
/* Bit 38 is the sign: the lower half of Sv39 is what an identity map can use. */
#define ADDRESS_END (1ull << 38)
#define ROOT_SHIFT 30

static bool svpbmt;

static uint64_t entry_table(uint64_t table)
{
	return table >> 12 << PTE_PPN_SHIFT | PTE_VALID;
}

static uint64_t entry_leaf(uint64_t physical, unsigned shift, enum paging_kind kind)
{
	uint64_t entry = physical >> 12 << PTE_PPN_SHIFT | PTE_VALID | PTE_READ | PTE_GLOBAL | PTE_ACCESSED | PTE_DIRTY;

	(void)shift;
	if (kind == PAGING_RAM || kind == PAGING_DEVICE)
		entry |= PTE_WRITE;
	if (kind == PAGING_CODE)
		entry |= PTE_EXECUTE;
	if (kind == PAGING_DEVICE)
		entry |= PTE_DEVICE | (svpbmt ? PTE_PBMT_IO : 0);
	return entry;
}

static bool entry_is_leaf(uint64_t entry, unsigned shift)
{
	(void)shift;
	return entry & PTE_LEAF;
}

static uint64_t entry_physical(uint64_t entry)
{
	return (entry >> PTE_PPN_SHIFT & PTE_PPN_MASK) << 12;
}

static bool entry_is_device(uint64_t entry)
{
	return entry & PTE_DEVICE;
}

static bool entry_is_writable(uint64_t entry)
{
	return entry & PTE_WRITE;
}

static bool entry_is_executable(uint64_t entry)
{
	return entry & PTE_EXECUTE;
}

const struct paging_format mmu_format = {
	.top_shift = ROOT_SHIFT,
	.table = entry_table,
	.leaf = entry_leaf,
	.is_leaf = entry_is_leaf,
	.physical = entry_physical,
	.is_device = entry_is_device,
	.is_writable = entry_is_writable,
	.is_executable = entry_is_executable,
};

/* Nothing asks the walker of this architecture: the tables that it uses, and Svpbmt's bits where they exist. */
bool mmu_agrees(uint64_t address, enum paging_kind kind)
{
	struct paging_leaf leaf = paging_look(&mmu_format, address);
	bool io = (leaf.entry & PTE_PBMT) == PTE_PBMT_IO;

	return CSR_READ(satp) == (SATP_SV39 | (uintptr_t)paging_root() >> 12) && leaf.kind == kind &&
	       io == (svpbmt && kind == PAGING_DEVICE);
}

volatile void *arch_map_device(uint64_t physical, size_t length)
{
	if (physical + length > ADDRESS_END || !paging_map(&mmu_format, physical, physical + length, PAGING_DEVICE))
		return NULL;
	__asm__ volatile("sfence.vma" : : : "memory");
	return (volatile void *)(uintptr_t)physical;
}

void arch_tlb_flush(void)
{
	__asm__ volatile("sfence.vma" : : : "memory");
}

/* Whether a CPU's "riscv,isa" lists an extension of several letters. */
static bool isa_has(const char *isa, const char *extension)
{
	for (; isa && *isa; isa++) {
		unsigned i = 0;

		if (*isa != '_')
			continue;
		while (extension[i] && isa[1 + i] == extension[i])
			i++;
		if (!extension[i] && (isa[1 + i] == '_' || !isa[1 + i]))
			return true;
	}
	return false;
}

void mmu_init(void)
{
	extern uint64_t boot_satp;
	int cpu = fdt_find(&machine.fdt, -1, "device_type", "cpu");
	struct fdt_region region;

	svpbmt = isa_has(fdt_string(&machine.fdt, cpu, "riscv,isa"), "svpbmt");
	if (machine.memory.start + machine.memory.length > ADDRESS_END)
		panic("mmu: RAM ends at 0x%lx, beyond Sv39", machine.memory.start + machine.memory.length);
	paging_map_kernel(&mmu_format, machine.memory.start, machine.memory.start + machine.memory.length);
	if (machine_console("ns16550a", &region) < 0)
		panic("device tree: no 16550");
	if (!arch_map_device(region.start, region.length))
		panic("mmu: no tables left for the console");
	if (machine_device("sifive,test0", &region) >= 0 && !arch_map_device(region.start, region.length))
		panic("mmu: no tables left for the test device");
	if (!arch_map_device(machine.ecam.start, machine.ecam.length))
		panic("mmu: no tables left for PCI");
	boot_satp = SATP_SV39 | (uintptr_t)paging_root() >> 12;
	CSR_WRITE(satp, boot_satp);
	__asm__ volatile("sfence.vma" : : : "memory");
	if (CSR_READ(satp) != boot_satp)
		panic("mmu: this CPU has no Sv39");
}
