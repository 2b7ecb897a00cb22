/* Page tables beyond what boot.S built, and PCI configuration space. */
#include "arch/x86_64/cpu.h"

#define GIB (1ull << 30)
#define PDPT_ENTRIES 512

extern uint64_t boot_pml4[512], boot_pdpt[512];

/* Level 3 tables for device memory beyond 512 GiB, handed out in order. */
static uint64_t spare_pdpts[2][PDPT_ENTRIES] __attribute__((aligned(4096)));
static unsigned spare_used;

static bool page_map_gib(uint64_t address)
{
	uint64_t *level4 = &boot_pml4[(address >> 39) & 511];
	uint64_t *level3;

	if (!*level4) {
		if (spare_used == sizeof(spare_pdpts) / sizeof(spare_pdpts[0]))
			return false;
		*level4 = (uintptr_t)spare_pdpts[spare_used++] | PTE_PRESENT | PTE_WRITE;
	}
	level3 = (uint64_t *)(uintptr_t)(*level4 & ~0xfffull);
	/* 1 GiB pages, uncached (Intel SDM 3A 4.5). */
	if (!level3[(address >> 30) & 511])
		level3[(address >> 30) & 511] = (address & ~(GIB - 1)) | PTE_PRESENT | PTE_WRITE | PTE_LARGE |
						PTE_CACHE_DISABLE | PTE_WRITE_THROUGH;
	return true;
}

volatile void *arch_map_device(uint64_t physical, size_t length)
{
	for (uint64_t at = physical & ~(GIB - 1); at < physical + length; at += GIB)
		if (!page_map_gib(at))
			return NULL;
	return (volatile void *)(uintptr_t)physical;
}

/* The 4 KiB pages of the one 2 MiB page that holds the guard. */
static uint64_t guard_table[512] __attribute__((aligned(4096)));

void mmu_guard(uintptr_t page)
{
	uint64_t *level3 = (uint64_t *)(uintptr_t)(boot_pml4[0] & ~0xfffull);
	uint64_t *level2 = (uint64_t *)(uintptr_t)(level3[page >> 30] & ~0xfffull);
	uint64_t base = page & ~0x1fffffull;

	for (unsigned i = 0; i < 512; i++)
		guard_table[i] = base + 4096ull * i == page ? 0 : (base + 4096ull * i) | PTE_PRESENT | PTE_WRITE;
	level2[(page >> 21) & 511] = (uintptr_t)guard_table | PTE_PRESENT | PTE_WRITE;
	__asm__ volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
}

#define DEVICES_START 0xb0000000ull

void mmu_init(void)
{
	uint64_t *level3 = (uint64_t *)(uintptr_t)(boot_pml4[0] & ~0xfffull);

	/* q35 puts RAM below and devices above this address of the first 4 GiB. */
	for (uint64_t at = DEVICES_START; at < 1ull << 32; at += 1ull << 21) {
		uint64_t *level2 = (uint64_t *)(uintptr_t)(level3[at >> 30] & ~0xfffull);

		level2[(at >> 21) & 511] |= PTE_CACHE_DISABLE | PTE_WRITE_THROUGH;
	}
}

#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc

static uint32_t pci_select(unsigned bus, unsigned device, unsigned function, unsigned offset)
{
	return 0x80000000u | bus << 16 | device << 11 | function << 8 | (offset & 0xfc);
}

uint32_t arch_pci_read32(unsigned bus, unsigned device, unsigned function, unsigned offset)
{
	if (offset > 0xff)
		return UINT32_MAX;
	io_out32(PCI_ADDRESS, pci_select(bus, device, function, offset));
	return io_in32(PCI_DATA);
}

void arch_pci_write32(unsigned bus, unsigned device, unsigned function, unsigned offset, uint32_t value)
{
	if (offset > 0xff)
		return;
	io_out32(PCI_ADDRESS, pci_select(bus, device, function, offset));
	io_out32(PCI_DATA, value);
}

/* SeaBIOS has assigned every BAR. */
struct arch_pci_window arch_pci_window(void)
{
	return (struct arch_pci_window){0, 0};
}
