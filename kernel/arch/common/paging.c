#include "arch/common/paging.h"

#include "arch/arch.h"
#include "base/panic.h"

#define ENTRIES 512u
#define PAGE_SHIFT 12u
#define PAGE_SIZE (1ull << PAGE_SHIFT)
#define BLOCK_SHIFT_MAX 30u
#define TABLES 48u
#define VALID 1u

/* The linker script's and boot.S's. */
extern uint8_t kernel_start[], kernel_constants[], kernel_data[], boot_stack_guard[];

/* The first is the root; the rest are handed out in order. */
static uint64_t tables[TABLES][ENTRIES] __attribute__((aligned(4096)));
static unsigned tables_used = 1;

uint64_t *paging_root(void)
{
	return tables[0];
}

static uint64_t *entry_of(uint64_t *table, uint64_t address, unsigned shift)
{
	return &table[(address >> shift) % ENTRIES];
}

static uint64_t *table_below(const struct paging_format *format, uint64_t *entry, unsigned shift)
{
	if (!(*entry & VALID)) {
		if (tables_used == TABLES)
			return NULL;
		*entry = format->table((uintptr_t)tables[tables_used++]);
	}
	if (format->is_leaf(*entry, shift))
		return NULL;
	return (uint64_t *)(uintptr_t)format->physical(*entry);
}

/* Maps one leaf of 1 << leaf_shift bytes at a multiple of its size. */
static bool map_leaf(const struct paging_format *format, uint64_t address, unsigned leaf_shift, enum paging_kind kind)
{
	uint64_t *table = paging_root();

	for (unsigned shift = format->top_shift; shift > leaf_shift; shift -= 9) {
		table = table_below(format, entry_of(table, address, shift), shift);
		if (!table)
			return false;
	}
	*entry_of(table, address, leaf_shift) = format->leaf(address, leaf_shift, kind);
	return true;
}

/* The largest leaf that starts at `at` and ends no later than `end`. */
static unsigned leaf_shift_at(uint64_t at, uint64_t end)
{
	unsigned shift = PAGE_SHIFT;

	while (shift < BLOCK_SHIFT_MAX && at % (1ull << (shift + 9)) == 0 && end - at >= 1ull << (shift + 9))
		shift += 9;
	return shift;
}

bool paging_map(const struct paging_format *format, uint64_t start, uint64_t end, enum paging_kind kind)
{
	uint64_t at = start & ~(PAGE_SIZE - 1), stop = (end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);

	if (end < start || stop < end || stop > 1ull << (format->top_shift + 9))
		return false;
	while (at < stop) {
		struct paging_leaf found = paging_look(format, at);
		unsigned shift = leaf_shift_at(at, stop);

		if (found.kind != PAGING_NONE) {
			if (found.kind != kind)
				panic("paging: 0x%lx is mapped as kind %d, wanted as %d", at, found.kind, kind);
			at = (at & ~((1ull << found.shift) - 1)) + (1ull << found.shift);
			continue;
		}
		if (shift > found.shift)
			shift = found.shift;
		if (!map_leaf(format, at, shift, kind))
			return false;
		at += 1ull << shift;
	}
	return true;
}

void paging_map_kernel(const struct paging_format *format, uint64_t ram_start, uint64_t ram_end)
{
	uint64_t guard = (uintptr_t)boot_stack_guard;
	const uint64_t edges[] = {
		ram_start, (uintptr_t)kernel_start, (uintptr_t)kernel_constants, (uintptr_t)kernel_data, guard,
	};
	const enum paging_kind kinds[] = {PAGING_RAM, PAGING_CODE, PAGING_CONSTANT, PAGING_RAM};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!paging_map(format, edges[i], edges[i + 1], kinds[i]))
			panic("paging: no tables left for the kernel");
	}
	if (!paging_map(format, guard + PAGE_SIZE, ram_end, PAGING_RAM))
		panic("paging: no tables left for RAM up to 0x%lx", ram_end);
}

/* RAM is mapped in blocks, which stay. */
int arch_guard(void *page)
{
	(void)page;
	return ERROR_NOTSUP;
}

const char *paging_fault_name(uint64_t address)
{
	if (address < PAGE_SIZE)
		return "null pointer";
	return address - (uintptr_t)boot_stack_guard < PAGE_SIZE ? "stack overflow" : NULL;
}

static enum paging_kind kind_of(const struct paging_format *format, uint64_t entry)
{
	if (format->is_device(entry))
		return PAGING_DEVICE;
	if (format->is_writable(entry))
		return PAGING_RAM;
	return format->is_executable(entry) ? PAGING_CODE : PAGING_CONSTANT;
}

struct paging_leaf paging_look(const struct paging_format *format, uint64_t address)
{
	uint64_t *table = paging_root();

	if (address >> (format->top_shift + 9))
		return (struct paging_leaf){.shift = format->top_shift};
	for (unsigned shift = format->top_shift;; shift -= 9) {
		uint64_t entry = *entry_of(table, address, shift);

		if (!(entry & VALID))
			return (struct paging_leaf){.shift = shift};
		if (format->is_leaf(entry, shift))
			return (struct paging_leaf){shift, entry, format->physical(entry), kind_of(format, entry)};
		table = (uint64_t *)(uintptr_t)format->physical(entry);
	}
}
