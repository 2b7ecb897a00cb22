/* Page tables beyond what boot.S built, and PCI configuration space. */
#include "arch/x86_64/cpu.h"

#include "lib/assert.h"

#define GIB (1ull << 30)
#define PDPT_ENTRIES 512
#define PTE_ADDRESS 0x000ffffffffff000ull

/* q35 puts RAM below and devices above this address of the first 4 GiB. */
#define DEVICES_START 0xb0000000ull

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
	level3 = (uint64_t *)(uintptr_t)(*level4 & PTE_ADDRESS);
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

/* Tables of 4 KiB pages, each for a 2 MiB page that holds a guard. */
static uint64_t split_tables[8][512] __attribute__((aligned(4096)));
static unsigned split_used;

/* The level 2 entry of an address below 4 GiB. */
static uint64_t *page_level2(uintptr_t address)
{
	uint64_t *level3 = (uint64_t *)(uintptr_t)(boot_pml4[0] & PTE_ADDRESS);
	uint64_t *level2 = (uint64_t *)(uintptr_t)(level3[address >> 30] & PTE_ADDRESS);

	return &level2[(address >> 21) & 511];
}

/* The entry of a 4 KiB page in a 2 MiB page that was split, or NULL. */
static uint64_t *page_level1(uintptr_t address)
{
	uint64_t entry = address < DEVICES_START ? *page_level2(address) : PTE_LARGE;
	uint64_t *level1 = (uint64_t *)(uintptr_t)(entry & PTE_ADDRESS);

	return entry & PTE_LARGE ? NULL : &level1[(address >> 12) & 511];
}

static void page_split(uintptr_t address)
{
	uintptr_t base = address & ~0x1ffffful;
	uint64_t *table;

	if (split_used == sizeof(split_tables) / sizeof(split_tables[0]))
		panic("no page table left to split 0x%lx", address);
	table = split_tables[split_used++];
	for (unsigned i = 0; i < 512; i++)
		table[i] = (base + 4096ull * i) | PTE_PRESENT | PTE_WRITE;
	*page_level2(address) = (uintptr_t)table | PTE_PRESENT | PTE_WRITE;
}

void mmu_guard(uintptr_t page)
{
	if (!page_level1(page))
		page_split(page);
	*page_level1(page) = 0;
	__asm__ volatile("invlpg (%0)" : : "r"(page) : "memory");
}

bool mmu_is_guard(uintptr_t address)
{
	uint64_t *entry = page_level1(address);

	return entry && !*entry;
}

void mmu_init(void)
{
	for (uint64_t at = DEVICES_START; at < 1ull << 32; at += 1ull << 21)
		*page_level2(at) |= PTE_CACHE_DISABLE | PTE_WRITE_THROUGH;
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
