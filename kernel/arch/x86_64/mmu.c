/* Page tables beyond what boot.S built. */
#include "arch/x86_64/cpu.h"

#include "base/panic.h"

#define PAGE_2M (1ull << 21)
#define PTE_ADDRESS 0x000ffffffffff000ull
#define PTE_UNCACHED (PTE_CACHE_DISABLE | PTE_WRITE_THROUGH)

/* q35 puts RAM below and devices above this address of the first 4 GiB. */
#define DEVICES_START 0xb0000000ull
/* Identity-mapped addresses end where canonical ones do (Intel SDM 3A 4.5). */
#define ADDRESS_END (1ull << 47)

extern uint64_t boot_pml4[512];

/* Level 3 and level 2 tables for device memory beyond 4 GiB, handed out in order. */
static uint64_t spare_tables[8][512] __attribute__((aligned(4096)));
static unsigned spare_used;

static void page_flush(uintptr_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* The table that an entry points to, made when it is missing; NULL when there are no more. */
static uint64_t *table_below(uint64_t *entry)
{
	if (!*entry) {
		if (spare_used == sizeof(spare_tables) / sizeof(spare_tables[0]))
			return NULL;
		*entry = (uintptr_t)spare_tables[spare_used++] | PTE_PRESENT | PTE_WRITE;
	}
	return (uint64_t *)(uintptr_t)(*entry & PTE_ADDRESS);
}

/* The level 2 entry of an address, which maps 2 MiB or points to a split table; NULL when out of tables. */
static uint64_t *page_level2(uintptr_t address)
{
	uint64_t *level3 = table_below(&boot_pml4[(address >> 39) & 511]);
	uint64_t *level2 = level3 ? table_below(&level3[(address >> 30) & 511]) : NULL;

	return level2 ? &level2[(address >> 21) & 511] : NULL;
}

volatile void *arch_map_device(uint64_t physical, size_t length)
{
	if (physical >= ADDRESS_END || length > ADDRESS_END - physical)
		return NULL;
	for (uint64_t at = physical & ~(PAGE_2M - 1); at < physical + length; at += PAGE_2M) {
		uint64_t *entry = page_level2(at);

		if (!entry || (*entry && !(*entry & PTE_LARGE)))
			return NULL;
		*entry = at | PTE_PRESENT | PTE_WRITE | PTE_LARGE | PTE_UNCACHED;
		page_flush(at);
	}
	return (volatile void *)(uintptr_t)physical;
}

/* Tables of 4 KiB pages, each for a 2 MiB page that holds a guard. */
static uint64_t split_tables[8][512] __attribute__((aligned(4096)));
static unsigned split_used;

/* The entry of a 4 KiB page in a 2 MiB page that was split, or NULL. */
static uint64_t *page_level1(uintptr_t address)
{
	uint64_t entry = address < DEVICES_START ? *page_level2(address) : PTE_LARGE;
	uint64_t *level1 = (uint64_t *)(uintptr_t)(entry & PTE_ADDRESS);

	return entry & PTE_LARGE ? NULL : &level1[(address >> 12) & 511];
}

static bool page_split(uintptr_t address)
{
	uintptr_t base = address & ~(PAGE_2M - 1);
	uint64_t *table;

	if (split_used == sizeof(split_tables) / sizeof(split_tables[0]))
		return false;
	table = split_tables[split_used++];
	for (unsigned i = 0; i < 512; i++)
		table[i] = (base + 4096ull * i) | PTE_PRESENT | PTE_WRITE;
	*page_level2(address) = (uintptr_t)table | PTE_PRESENT | PTE_WRITE;
	return true;
}

int arch_guard(void *page)
{
	uintptr_t address = (uintptr_t)page;

	ASSERT(!arch_cpu());
	if (!page_level1(address) && !page_split(address))
		return ERROR_NOMEM;
	*page_level1(address) = 0;
	page_flush(address);
	return 0;
}

/* Nothing is mapped global: a write to cr3 forgets everything (Intel SDM 3A 4.10.4.1). */
void arch_tlb_flush(void)
{
	uint64_t root;

	__asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(root) : : "memory");
}

bool mmu_is_guard(uintptr_t address)
{
	uint64_t *entry = page_level1(address);

	return entry && !*entry;
}

void mmu_init(void)
{
	for (uint64_t at = DEVICES_START; at < 1ull << 32; at += PAGE_2M)
		*page_level2(at) |= PTE_UNCACHED;
	/* A change of the memory type counts once no translation of the old one is left (Intel SDM 3A 11.12.4). */
	arch_tlb_flush();
}
