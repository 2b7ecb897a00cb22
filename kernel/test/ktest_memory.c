/* base/heap, loaders' memory maps, clocks, and the tables of firmware/acpi with planted damage. */
#include "test/ktest.h"

#include "base/clock.h"
#include "base/heap.h"
#include "base/string.h"
#include "firmware/acpi.h"
#include "firmware/pvh.h"

#include <stddef.h>
#include <stdint.h>

static void heap(void)
{
	uint8_t *first = heap_alloc(3, 8), *second = heap_alloc(5, 4096), *third = heap_alloc(1, 8);
	size_t free_bytes = heap_free_bytes();
	bool zero = true;

	ktest_check(first && second && third, "the heap gives memory");
	ktest_check((uintptr_t)first % 8 == 0 && (uintptr_t)second % 4096 == 0, "at the alignment asked for");
	ktest_check(second >= first + 3 && third >= second + 5, "and never the same byte twice");
	ktest_check(!heap_alloc(SIZE_MAX, 8), "a size that wraps round is refused");
	ktest_check(!heap_alloc(free_bytes + 1, 1), "one byte more than there is, is refused");
	ktest_check(heap_free_bytes() == free_bytes, "what is refused costs nothing");
	memset(heap_alloc(64, 8), 0xff, 64);
	second = heap_alloc(4096, 8);
	for (unsigned i = 0; second && i < 4096; i++)
		zero &= !second[i];
	ktest_check(second && zero, "memory comes zeroed");
}

/* A machine's low memory with an RSDP at 16, an RSDT, and a MADT of two enabled CPUs and a disabled one. */
#define ACPI_BYTES 512u
#define ACPI_RSDP 16u
#define ACPI_RSDT 64u
#define ACPI_MADT 128u

static uint8_t acpi_bytes[ACPI_BYTES];

static const uint8_t *acpi_at(const void *context, uint64_t physical, uint32_t length)
{
	(void)context;
	return physical < ACPI_BYTES && length <= ACPI_BYTES - physical ? acpi_bytes + physical : NULL;
}

static const struct acpi_memory acpi_memory = {acpi_at, NULL};

static void acpi_seal(unsigned at, unsigned length, unsigned checksum_offset)
{
	uint8_t sum = 0;

	acpi_bytes[at + checksum_offset] = 0;
	for (unsigned i = 0; i < length; i++)
		sum = (uint8_t)(sum + acpi_bytes[at + i]);
	acpi_bytes[at + checksum_offset] = (uint8_t)-sum;
}

static void acpi_build(void)
{
	static const uint8_t entries[] = {1, 12, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, /* an I/O APIC, to be passed over */
					  0, 8,  0, 3, 1, 0, 0, 0, 0, 8, 1, 4, 0, 0, 0, 0, 0, 8, 2, 5, 1, 0, 0, 0};

	memset(acpi_bytes, 0, sizeof(acpi_bytes));
	memcpy(acpi_bytes + ACPI_RSDP, "RSD PTR ", 8);
	acpi_bytes[ACPI_RSDP + 16] = ACPI_RSDT;
	acpi_seal(ACPI_RSDP, 20, 8);
	memcpy(acpi_bytes + ACPI_RSDT, "RSDT", 4);
	acpi_bytes[ACPI_RSDT + 4] = 40;
	acpi_bytes[ACPI_RSDT + 36] = ACPI_MADT;
	acpi_seal(ACPI_RSDT, 40, 9);
	memcpy(acpi_bytes + ACPI_MADT, "APIC", 4);
	acpi_bytes[ACPI_MADT + 4] = 44 + sizeof(entries);
	memcpy(acpi_bytes + ACPI_MADT + 44, entries, sizeof(entries));
	acpi_seal(ACPI_MADT, 44 + sizeof(entries), 9);
}

static bool acpi_finds_madt(struct acpi_table *madt)
{
	return acpi_find(acpi_memory, ACPI_RSDP, "APIC", madt);
}

/* Every single byte of the tables damaged: nothing may be found in them that is not there. */
static bool acpi_survives_damage(void)
{
	for (unsigned at = 0; at < ACPI_MADT + 44 + 36; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct acpi_table madt;
			bool covered = (at >= ACPI_RSDP && at < ACPI_RSDP + 20) ||
				       (at >= ACPI_RSDT && at < ACPI_RSDT + 40) || at >= ACPI_MADT;

			acpi_build();
			acpi_bytes[at] ^= (uint8_t)(1u << bit);
			if (acpi_finds_madt(&madt) == covered)
				return false;
		}
	return true;
}

static void acpi(void)
{
	uint8_t ids[4] = {0};
	struct acpi_table madt = {0};
	struct acpi_ports ports;
	unsigned count;

	acpi_build();
	ktest_check(acpi_finds_madt(&madt), "the MADT is found from the RSDP");
	count = acpi_processors(madt, ids, 4);
	ktest_check(count == 2 && ids[0] == 3 && ids[1] == 5, "enabled processors are listed, disabled ones are not");
	ktest_check(acpi_processors(madt, ids, 1) == 1, "no more processors than there is room for");
	ktest_check(!acpi_find(acpi_memory, ACPI_RSDP, "FACP", &madt), "a table that is not listed is not found");
	ktest_check(!acpi_find(acpi_memory, ACPI_BYTES - 4, "APIC", &madt), "an RSDP beyond memory is refused");
	ktest_check(!acpi_find(acpi_memory, 0, "APIC", &madt), "no RSDP, no table");
	ktest_check(acpi_survives_damage(), "a flipped bit anywhere in the tables is noticed");
	acpi_build();
	acpi_bytes[ACPI_MADT + 45] = 0;
	acpi_seal(ACPI_MADT, 80, 9);
	ktest_check(acpi_finds_madt(&madt) && !acpi_processors(madt, ids, 4), "an entry of no length ends the list");
	acpi_build();
	acpi_bytes[ACPI_MADT + 45] = 200;
	acpi_seal(ACPI_MADT, 80, 9);
	ktest_check(acpi_finds_madt(&madt) && !acpi_processors(madt, ids, 4),
		    "an entry beyond its table ends the list");
	ktest_check(!acpi_power_ports(madt, &ports), "a FADT too short for its ports reports no ports");
}

#define FLOOR 0x180000ull
#define CEILING 0x100000000ull

static bool largest_is(const struct pvh_memory *map, uint32_t entries, uint64_t start, uint64_t end)
{
	struct pvh_run run = pvh_largest_run(map, entries, FLOOR, CEILING);

	return run.start == start && run.end == end;
}

static void memory_map(void)
{
	static const struct pvh_memory usual[] = {
		{0, 0x9fc00, 1, 0}, {0xf0000, 0x10000, 2, 0}, {0x100000, 0xfee0800, 1, 0}, {0xffe0000, 0x20000, 2, 0}};
	static const struct pvh_memory wrapping[] = {{UINT64_MAX - 4096, 8192, 1, 0}, {0x200000, 0x3000, 1, 0}};
	static const struct pvh_memory high[] = {{0x100000000, 0x100000000, 1, 0}, {0xfffff000, 0x200000, 1, 0}};
	static const struct pvh_memory narrow[] = {{0x180001, 0x1000, 1, 0}};

	ktest_check(largest_is(usual, 4, FLOOR, 0xffe0000), "the largest run of RAM begins behind the kernel");
	ktest_check(largest_is(usual, 2, 0, 0), "neither reserved memory nor memory below the kernel is RAM");
	ktest_check(largest_is(wrapping, 2, 0x200000, 0x203000), "a run that wraps round is passed over");
	ktest_check(largest_is(high, 2, 0xfffff000, CEILING), "a run is cut where the mapping ends");
	ktest_check(largest_is(narrow, 1, 0, 0), "less than a whole page is nothing");
	ktest_check(largest_is(usual, 0, 0, 0), "no entries, no RAM");
	ktest_check(!pvh_is_valid(&(struct pvh_start_info){.magic = PVH_MAGIC}) &&
			    !pvh_is_valid(&(struct pvh_start_info){.version = 1}) &&
			    pvh_is_valid(&(struct pvh_start_info){.magic = PVH_MAGIC, .version = 1}),
		    "start info counts with its magic and a version that has a map");
}

static uint32_t standing_reference(void)
{
	return 7;
}

static void clocks(void)
{
	const struct clock_reference pm = {standing_reference, 0xffffff, 3579545};
	struct clock_pair first = {1000, 0xfffff0};

	ktest_check(clock_hz(first, (struct clock_pair){1000 + 20000000, (0xfffff0 + 35795) & 0xffffff}, &pm,
			     UINT64_MAX) == 20000000ull * 3579545 / 35795,
		    "a short span is measured across the wrap of the counter");
	/* 100 s of a clock of 2 GHz that was thought to be 2.02 GHz. */
	ktest_check(clock_hz(first, (struct clock_pair){1000 + 200000000000, (0xfffff0 + 357954500u) & 0xffffff}, &pm,
			     2020000000) == 2000000000,
		    "a long one with all of its wraps, from a guess that is 1 per cent off");
	ktest_check(!clock_hz(first, (struct clock_pair){5000, 0xfffff0}, &pm, UINT64_MAX),
		    "a reference that stands still says nothing");
	ktest_check(!clock_wait_window(&pm), "and is not waited for without end");
}

static void run(void)
{
	heap();
	memory_map();
	clocks();
	acpi();
}

KTEST_SUITE(memory, run);
