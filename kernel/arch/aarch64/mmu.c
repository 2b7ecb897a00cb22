/* Stage 1 page tables: 48-bit identity map, 4 KiB granule (Arm ARM D8.3). */
#include "arch/aarch64/cpu.h"
#include "arch/dt/machine.h"
#include "arch/dt/paging.h"
#include "lib/assert.h"

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

static enum paging_kind entry_kind(uint64_t entry)
{
	if ((entry >> PTE_ATTRIBUTE_SHIFT & 7) == MAIR_INDEX_DEVICE)
		return PAGING_DEVICE;
	if (!(entry & PTE_READ_ONLY))
		return PAGING_RAM;
	return entry & PTE_NO_EXECUTE ? PAGING_CONSTANT : PAGING_CODE;
}

static const struct paging_format format = {
	.top_shift = ROOT_SHIFT,
	.table = entry_table,
	.leaf = entry_leaf,
	.is_leaf = entry_is_leaf,
	.physical = entry_physical,
	.kind = entry_kind,
};

volatile void *arch_map_device(uint64_t physical, size_t length)
{
	if (!paging_map(&format, physical, physical + length, PAGING_DEVICE))
		return NULL;
	/* New entries are visible to the table walkers of all CPUs before the first access through them. */
	__asm__ volatile("dsb ish; isb" : : : "memory");
	return (volatile void *)(uintptr_t)physical;
}

void mmu_init(void)
{
	extern uint64_t boot_root;
	struct fdt_region uart;

	paging_map_kernel(&format, machine.memory.start, machine.memory.start + machine.memory.length);
	if (machine_console("arm,pl011", &uart) < 0)
		panic("device tree: no PL011");
	if (!arch_map_device(uart.start, uart.length) || !arch_map_device(machine.ecam.start, machine.ecam.length))
		panic("mmu: no tables left for devices");
	boot_root = (uintptr_t)paging_root();
	/* Read by CPUs whose caches are still off. */
	__asm__ volatile("dc civac, %0; dsb sy" : : "r"(&boot_root) : "memory");
	mmu_enable(paging_root());
}
