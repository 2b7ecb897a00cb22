/* The page tables in use, read back leaf by leaf from CR3: TCG has no caches, so wrong attributes show nowhere else. */
#include "arch/x86_64/cpu.h"
#include "options.h"
#include "sched/sched.h"
#include "test/ktest.h"
#include "test/machine.h"

#include <stddef.h>

#define PTE_ADDRESS 0x000ffffffffff000ull
#define PTE_LEAF_ADDRESS 0x000fffffffe00000ull
#define PTE_UNCACHED (PTE_CACHE_DISABLE | PTE_WRITE_THROUGH)
/* q35 puts RAM below and devices above this address; beyond 4 GiB there are only devices here. */
#define DEVICES_START 0xb0000000ull
#define LOCAL_APIC 0xfee00000ull
#define PCI_READS 3000u
#define PATIENCE_NS 5000000000ull
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
	ktest_check(stale == 1 && *seen == 2, "after a flush the page tables are read again");
	*entry = (uintptr_t)seen | PTE_PRESENT | PTE_WRITE;
	arch_tlb_flush();
}

static void no_handler(void *argument)
{
	(void)argument;
}

static void messages(void)
{
	static uint8_t arguments[2];
	struct arch_msi first = {0}, again = {0}, other = {0};

	ktest_check(!arch_msi_attach(no_handler, &arguments[0], &first) &&
			    !arch_msi_attach(no_handler, &arguments[0], &again) &&
			    !arch_msi_attach(no_handler, &arguments[1], &other),
		    "a handler is attached to a message, twice, and with another argument");
	ktest_check(first.value == again.value && first.value != other.value, "the same again has the same vector");
}

/* On CPU 1; what a task there saw. */
static volatile uint8_t guarded_seen;
static uint64_t pci_wrong;

static void guarded_read(void *page)
{
	guarded_seen = *(volatile uint8_t *)page;
}

static void pci_read_ids(void *unused)
{
	uint32_t id = arch_pci_read32(0, 0, 0, 0);

	(void)unused;
	for (unsigned i = 0; i < PCI_READS; i++)
		pci_wrong += arch_pci_read32(0, 0, 0, 0) != id;
}

static bool run_on_1(void (*entry)(void *), void *argument)
{
	const struct task *task = sched_spawn(1, "arch", entry, argument);
	uint64_t start = arch_ticks();

	while (task && !sched_ended(task))
		if (arch_ticks_to_ns(arch_ticks() - start) > PATIENCE_NS)
			return false;
	return task;
}

/* A page that another CPU has used is guarded, here with another page in its place: its next task sees that. */
static void guard_elsewhere(void)
{
	static uint8_t pages[2][4096] __attribute__((aligned(4096)));
	uint64_t *entry, size;

	pages[0][0] = 1;
	pages[1][0] = 2;
	if (!ktest_check(run_on_1(guarded_read, pages[0]) && guarded_seen == 1 && !arch_guard(pages[0]),
			 "a page that CPU 1 has used becomes a guard"))
		return;
	entry = entry_find((uintptr_t)pages[0], &size);
	*entry = (uintptr_t)pages[1] | PTE_PRESENT;
	ktest_check(run_on_1(guarded_read, pages[0]) && guarded_seen == 2, "and the next task there knows it");
	*entry = (uintptr_t)pages[0] | PTE_PRESENT | PTE_WRITE;
	arch_tlb_flush();
}

/* Two CPUs in configuration space at once, which is one pair of ports. */
static void pci_from_two(void)
{
	const struct task *task;
	uint32_t class = arch_pci_read32(0, 0, 0, 8);
	uint64_t wrong = 0;

	task = sched_spawn(1, "pci", pci_read_ids, NULL);
	for (unsigned i = 0; task && i < PCI_READS; i++)
		wrong += arch_pci_read32(0, 0, 0, 8) != class;
	while (task && !sched_ended(task))
		sched_yield();
	ktest_check(task && !wrong && !pci_wrong, "two CPUs read configuration space at once, each what it asked for");
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
	ktest_check(is_cached((uintptr_t)run) && is_cached((uintptr_t)&ktest_machine), "the kernel's image is cached");
	ktest_check(is_uncached(LOCAL_APIC), "the local APIC is not cached");
	if (ktest_check(arch_map_device(ADDRESS_END / 2, 4096) != NULL, "device memory beyond RAM can be mapped"))
		ktest_check(is_uncached(ADDRESS_END / 2), "and is not cached");
	ktest_check(!arch_map_device(ADDRESS_END, 4096), "an address beyond the tables' reach cannot");
	tlb_flush();
	messages();
	if (sched_start_cpus(ktest_machine->cpus_present, CPUS) < 2) {
		ktest_skip("what two CPUs do at once", "there is one CPU");
		return;
	}
	guard_elsewhere();
	pci_from_two();
}

KTEST_SUITE(arch, run);
