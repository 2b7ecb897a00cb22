/* The page tables in use, read back leaf by leaf from CR3: TCG has no caches, so wrong attributes show nowhere else. */
#include "arch/x86_64/cpu.h"
#include "test/suites.h"

#include <stddef.h>

#define PTE_ADDRESS 0x000ffffffffff000ull
#define PTE_LEAF_ADDRESS 0x000fffffffe00000ull
#define PTE_UNCACHED (PTE_CACHE_DISABLE | PTE_WRITE_THROUGH)
/* q35 puts RAM below and devices above this address; beyond 4 GiB there are only devices here. */
#define DEVICES_START 0xb0000000ull
#define LOCAL_APIC 0xfee00000ull
#define ADDRESS_END (1ull << 47)

extern uint8_t boot_stack_guard[];

/* Intel SDM 3A 4.5: four levels; the entry that maps an address or is missing, and the bytes that it stands for. */
static uint64_t *entry_find(uint64_t address, uint64_t *size)
{
	uint64_t table;

	__asm__ volatile("mov %%cr3, %0" : "=r"(table));
	for (unsigned shift = 39;; shift -= 9) {
		uint64_t *entry = &((uint64_t *)(uintptr_t)(table & PTE_ADDRESS))[address >> shift & 511];

		*size = 1ull << shift;
		if (!(*entry & PTE_PRESENT) || shift == 12 || (shift < 39 && *entry & PTE_LARGE))
			return entry;
		table = *entry;
	}
}

static uint64_t entry_of(uint64_t address, uint64_t *size)
{
	return *entry_find(address, size);
}

static bool is_uncached(uint64_t address)
{
	uint64_t size, entry = entry_of(address, &size);

	return entry & PTE_PRESENT && (entry & PTE_UNCACHED) == PTE_UNCACHED;
}

static bool is_cached(uint64_t address)
{
	uint64_t size, entry = entry_of(address, &size);

	return entry & PTE_PRESENT && !(entry & PTE_UNCACHED);
}

static bool is_missing(uint64_t address)
{
	uint64_t size;

	return !(entry_of(address, &size) & PTE_PRESENT);
}

static uint8_t flush_pages[3][4096] __attribute__((aligned(4096)));

/* A page's table entry is changed behind the TLB: the flush alone makes the change seen. */
static void tlb_flush(void)
{
	volatile uint8_t *seen = flush_pages[0];
	uint64_t *entry, size;
	uint8_t stale;

	flush_pages[1][0] = 1;
	flush_pages[2][0] = 2;
	if (!ktest_check(!arch_guard(flush_pages[0]), "a page gets an entry of its own"))
		return;
	entry = entry_find((uintptr_t)seen, &size);
	*entry = (uintptr_t)flush_pages[1] | PTE_PRESENT;
	stale = *seen;
	*entry = (uintptr_t)flush_pages[2] | PTE_PRESENT;
	arch_tlb_flush();
	ktest_check(stale == 1 && *seen == 2, "after a flush the page tables are read anew");
	*entry = (uintptr_t)seen | PTE_PRESENT | PTE_WRITE;
	arch_tlb_flush();
}

static void run(void)
{
	bool identity = true, split_right = true;
	uint64_t size = 0, device_bytes = 0;

	for (uint64_t at = 0; at < ADDRESS_END; at += size) {
		uint64_t entry = entry_of(at, &size);

		if (!(entry & PTE_PRESENT))
			continue;
		identity = identity && (entry & (size > 4096 ? PTE_LEAF_ADDRESS : PTE_ADDRESS)) == at;
		split_right = split_right && (at >= DEVICES_START ? is_uncached(at) : is_cached(at));
		device_bytes += at >= DEVICES_START ? size : 0;
	}
	ktest_check(identity, "every page is mapped to itself");
	ktest_check(split_right && device_bytes, "RAM is cached and device memory is not, page by page");
	ktest_check(is_missing(0), "the null page is not mapped");
	ktest_check(is_missing((uintptr_t)boot_stack_guard), "the stack's guard is not mapped");
	ktest_check(is_cached((uintptr_t)run) && is_cached((uintptr_t)&ktest_arch), "the kernel's image is cached");
	ktest_check(is_uncached(LOCAL_APIC), "the local APIC is not cached");
	if (ktest_check(arch_map_device(ADDRESS_END / 2, 4096) != NULL, "device memory beyond RAM can be mapped"))
		ktest_check(is_uncached(ADDRESS_END / 2), "and is not cached");
	ktest_check(!arch_map_device(ADDRESS_END, 4096), "an address beyond the tables' reach cannot");
	tlb_flush();
}

const struct ktest_suite ktest_arch = {"arch", run};
