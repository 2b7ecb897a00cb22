/* Stage 1 page tables: 48-bit identity map, 4 KiB granule (Arm ARM D8.3). */
#include "arch/aarch64/cpu.h"
#include "arch/common/machine.h"
#include "arch/common/paging.h"
#include "base/panic.h"

#define PTE_NO_EXECUTE (3ull << 53) /* unprivileged and privileged */
#define PTE_ADDRESS 0x0000fffffffff000ull
#define ROOT_SHIFT 39

static uint64_t entry_table(uint64_t table)
{
	return table | PTE_TABLE;
}

static uint64_t entry_leaf(uint64_t physical, unsigned shift, enum paging_kind kind)
{
	uint64_t entry = physical | PTE_ACCESSED | (shift == 12 ? PTE_PAGE : PTE_BLOCK);

	if (kind == PAGING_DEVICE)
		return entry | PTE_NO_EXECUTE | MAIR_INDEX_DEVICE << PTE_ATTRIBUTE_SHIFT;
	entry |= PTE_INNER_SHAREABLE | MAIR_INDEX_NORMAL << PTE_ATTRIBUTE_SHIFT;
	if (kind != PAGING_RAM)
		entry |= PTE_READ_ONLY;
	if (kind != PAGING_CODE)
		entry |= PTE_NO_EXECUTE;
	return entry;
}

static bool entry_is_leaf(uint64_t entry, unsigned shift)
{
	return shift == 12 || (entry & 3) == PTE_BLOCK;
}

static uint64_t entry_physical(uint64_t entry)
{
	return entry & PTE_ADDRESS;
}

static bool entry_is_device(uint64_t entry)
{
	return (entry >> PTE_ATTRIBUTE_SHIFT & 7) == MAIR_INDEX_DEVICE;
}

static bool entry_is_writable(uint64_t entry)
{
	return !(entry & PTE_READ_ONLY);
}

static bool entry_is_executable(uint64_t entry)
{
	return (entry & PTE_NO_EXECUTE) != PTE_NO_EXECUTE;
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

/* Asks the walker itself (AT, D8.15): PAR_EL1 holds a fault, or the attributes that MAIR_EL1 gives. */
bool mmu_agrees(uint64_t address, enum paging_kind kind)
{
	uint64_t read, write;

	__asm__ volatile("at s1e1r, %2; isb; mrs %0, par_el1; at s1e1w, %2; isb; mrs %1, par_el1"
			 : "=&r"(read), "=&r"(write)
			 : "r"(address)
			 : "memory");
	if (read & 1 || kind == PAGING_NONE)
		return read & 1 && kind == PAGING_NONE;
	if (read >> 56 != (kind == PAGING_DEVICE ? MAIR_DEVICE : MAIR_NORMAL))
		return false;
	return !(write & 1) == (kind == PAGING_DEVICE || kind == PAGING_RAM);
}

volatile void *arch_map_device(uint64_t physical, size_t length)
{
	if (!paging_map(&mmu_format, physical, physical + length, PAGING_DEVICE))
		return NULL;
	/* New entries are visible to the table walkers of all CPUs before the first access through them. */
	__asm__ volatile("dsb ish; isb" : : : "memory");
	return (volatile void *)(uintptr_t)physical;
}

void arch_tlb_flush(void)
{
	__asm__ volatile("dsb nshst; tlbi vmalle1; dsb nsh; isb" : : : "memory");
}

void mmu_init(void)
{
	extern uint64_t boot_root;
	struct fdt_region uart;

	paging_map_kernel(&mmu_format, machine.memory.start, machine.memory.start + machine.memory.length);
	if (machine_console("arm,pl011", &uart) < 0)
		panic("device tree: no PL011");
	if (!arch_map_device(uart.start, uart.length) || !arch_map_device(machine.ecam.start, machine.ecam.length))
		panic("mmu: no tables left for devices");
	boot_root = (uintptr_t)paging_root();
	/* Read by CPUs whose caches are still off. */
	__asm__ volatile("dc civac, %0; dsb sy" : : "r"(&boot_root) : "memory");
	mmu_enable(paging_root());
}
