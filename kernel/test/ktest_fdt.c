/* firmware/fdt, firmware/fdt_bus: a small machine's tree, built here, and damaged in every byte. Also built natively.
 */
#include "test/ktest.h"

#include "base/string.h"
#include "firmware/fdt.h"
#include "firmware/fdt_bus.h"

#define BLOB_BYTES 2048u
#define HEADER_BYTES 40u
#define STRINGS_AT 1536u
#define PHANDLE_GIC 7u

static uint8_t blob[BLOB_BYTES] __attribute__((aligned(8))), damaged[BLOB_BYTES] __attribute__((aligned(8)));
static uint32_t at, strings_used;

static void put_cell(uint8_t *target, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		target[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void cell(uint32_t value)
{
	put_cell(blob + at, value);
	at += 4;
}

static void bytes(const void *from, uint32_t length)
{
	memcpy(blob + at, from, length);
	at = (at + length + 3) & ~3u;
}

static void begin(const char *name)
{
	cell(1);
	bytes(name, (uint32_t)strlen(name) + 1);
}

static void end(void)
{
	cell(2);
}

static void property(const char *name, const void *value, uint32_t length)
{
	cell(3);
	cell(length);
	cell(strings_used);
	bytes(value, length);
	memcpy(blob + STRINGS_AT + strings_used, name, strlen(name) + 1);
	strings_used += (uint32_t)strlen(name) + 1;
}

static void text(const char *name, const char *value)
{
	property(name, value, (uint32_t)strlen(value) + 1);
}

static void cells(const char *name, unsigned count, const uint32_t *values)
{
	uint8_t value[64 * 4];

	for (unsigned i = 0; i < count; i++)
		put_cell(value + 4 * i, values[i]);
	property(name, value, 4 * count);
}

#define CELLS(name, ...)                                                                                               \
	cells(name, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (const uint32_t[]){__VA_ARGS__})

/* A bus that maps one to one, with an interrupt controller of two-cell addresses and a PCI host. */
static void build_bus(void)
{
	begin("soc");
	CELLS("#address-cells", 2);
	CELLS("#size-cells", 2);
	property("ranges", "", 0);
	begin("gic@8000000");
	property("compatible", "arm,gic-v3\0also,this", 21);
	CELLS("reg", 0, 0x8000000, 0, 0x10000, 1, 0x80a0000, 0, 0xf60000);
	CELLS("phandle", PHANDLE_GIC);
	CELLS("#address-cells", 2);
	CELLS("#interrupt-cells", 3);
	end();
	begin("pcie@10000000");
	CELLS("#address-cells", 3);
	CELLS("#size-cells", 2);
	CELLS("ranges", 0x1000000, 0, 0, 0, 0x3eff0000, 0, 0x10000, 0x2000000, 0, 0x10000000, 0, 0x10000000, 0,
	      0x2eff0000, 0x43000000, 0x80, 0, 0x80, 0, 0x80, 0);
	CELLS("interrupt-map-mask", 0x1800, 0, 0, 7);
	CELLS("interrupt-map", 0, 0, 0, 1, PHANDLE_GIC, 0, 0, 0, 3, 4, 0x800, 0, 0, 1, PHANDLE_GIC, 0, 0, 0, 4, 4,
	      0x1000, 0, 0, 1, PHANDLE_GIC, 0, 0);
	end();
	end();
	begin("window@c000000");
	CELLS("#address-cells", 1);
	CELLS("#size-cells", 1);
	CELLS("ranges", 0, 0, 0xc000000, 0x1000);
	begin("behind@10");
	CELLS("reg", 0x10, 4);
	end();
	end();
}

static void build(void)
{
	memset(blob, 0, sizeof(blob));
	at = HEADER_BYTES;
	strings_used = 0;
	begin("");
	CELLS("#address-cells", 2);
	CELLS("#size-cells", 2);
	begin("memory@40000000");
	text("device_type", "memory");
	CELLS("reg", 0, 0x40000000, 1, 0);
	end();
	begin("chosen");
	text("stdout-path", "/soc/gic@8000000:115200n8");
	cell(4);
	text("bootargs", "frames=1");
	end();
	build_bus();
	end();
	cell(9);
	put_cell(blob, 0xd00dfeed);
	put_cell(blob + 4, STRINGS_AT + strings_used);
	put_cell(blob + 8, HEADER_BYTES);
	put_cell(blob + 12, STRINGS_AT);
	put_cell(blob + 20, 17);
	put_cell(blob + 24, 16);
	put_cell(blob + 32, strings_used);
	put_cell(blob + 36, at - HEADER_BYTES);
}

static void nodes(const struct fdt *fdt)
{
	int memory = fdt_find(fdt, -1, "device_type", "memory"), soc = fdt_child(fdt, 0, "soc");
	int gic = fdt_find(fdt, -1, "compatible", "arm,gic-v3"), chosen = fdt_child(fdt, 0, "chosen"), count = 0;
	const char *console = fdt_string(fdt, chosen, "stdout-path"), *arguments = fdt_string(fdt, chosen, "bootargs");
	struct fdt_property list = {0};

	for (int node = 0; node >= 0; node = fdt_next(fdt, node, NULL))
		count++;
	ktest_check(count == 8, "a walk meets every node once");
	ktest_check(memory > 0 && strcmp(fdt_name(fdt, memory), "memory@40000000") == 0, "memory is found by its type");
	ktest_check(arguments && strcmp(arguments, "frames=1") == 0, "a property behind a NOP is found");
	ktest_check(console && fdt_path(fdt, console) == gic && gic > 0, "a path with options names its node");
	ktest_check(fdt_path(fdt, "/") == 0 && fdt_path(fdt, "/soc/none") < 0 && fdt_path(fdt, "soc") < 0,
		    "other paths name the root or nothing");
	ktest_check(fdt_parent(fdt, gic) == soc && fdt_parent(fdt, soc) == 0 && fdt_parent(fdt, 0) < 0,
		    "parents lead to the root");
	ktest_check(fdt_child(fdt, 0, "gic") < 0 && fdt_child(fdt, soc, "gic") == gic,
		    "a grandchild is not found as a child");
	ktest_check(fdt_property(fdt, gic, "compatible", &list) == 0 && fdt_list_has(&list, "also,this") &&
			    !fdt_list_has(&list, "also") && !fdt_list_has(&list, "this"),
		    "a string list holds whole strings");
	ktest_check(fdt_find(fdt, -1, "compatible", "arm") < 0 && fdt_find(fdt, gic, "compatible", "arm,gic-v3") < 0,
		    "a search ends when nothing is left");
	ktest_check(fdt_find_phandle(fdt, PHANDLE_GIC) == gic && fdt_find_phandle(fdt, 0) < 0,
		    "a phandle finds its node");
}

static void buses(const struct fdt *fdt)
{
	int gic = fdt_path(fdt, "/soc/gic"), host = fdt_path(fdt, "/soc/pcie"),
	    behind = fdt_path(fdt, "/window/behind");
	struct fdt_interrupt interrupt = {0};
	struct fdt_pci_range range = {0};
	struct fdt_region region = {0};

	ktest_check(fdt_reg(fdt, fdt_path(fdt, "/memory"), 0, &region) == 0 && region.start == 0x40000000 &&
			    region.length == 1ull << 32,
		    "64-bit addresses and sizes are put together");
	ktest_check(fdt_reg(fdt, gic, 1, &region) == 0 && region.start == 0x1080a0000,
		    "a second register block is read");
	ktest_check(fdt_reg(fdt, gic, 2, &region) == ERROR_NOTFOUND, "there is no third");
	ktest_check(fdt_reg(fdt, behind, 0, &region) == ERROR_VALUE, "an address behind a translating bus is refused");
	ktest_check(fdt_pci_range(fdt, host, 1, &range) == 0 && range.space == 2 && range.bus == 0x10000000 &&
			    range.cpu == 0x10000000 && range.length == 0x2eff0000,
		    "the 32-bit window is read");
	ktest_check(fdt_pci_range(fdt, host, 2, &range) == 0 && range.space == 3 && range.cpu == 0x8000000000,
		    "the prefetchable 64-bit window is read");
	ktest_check(fdt_pci_range(fdt, host, 3, &range) == ERROR_NOTFOUND, "there is no fourth");
	ktest_check(fdt_pci_interrupt(fdt, host, 0, 1, &interrupt) == 0 && interrupt.count == 3 &&
			    interrupt.cells[1] == 3,
		    "slot 0 raises its interrupt");
	ktest_check(fdt_pci_interrupt(fdt, host, 5, 1, &interrupt) == 0 && interrupt.cells[1] == 4,
		    "slot 5 is slot 1 behind the mask");
	ktest_check(fdt_pci_interrupt(fdt, host, 2, 1, &interrupt) == ERROR_VALUE,
		    "an entry that is cut off is refused");
	ktest_check(fdt_pci_interrupt(fdt, gic, 0, 1, &interrupt) == ERROR_NOTFOUND, "no map, no interrupt");
}

/* Opens a copy of the tree with one header cell changed. */
static int open_with(unsigned offset, uint32_t value)
{
	struct fdt fdt;

	memcpy(damaged, blob, sizeof(blob));
	put_cell(damaged + offset, value);
	return fdt_open(&fdt, damaged, sizeof(damaged));
}

static void headers(void)
{
	struct fdt fdt;

	ktest_check(open_with(0, 0xfeedd00d) == ERROR_MAGIC, "a wrong magic number is refused");
	ktest_check(open_with(4, BLOB_BYTES + 1) == ERROR_BOUNDS, "a blob beyond the limit is refused");
	ktest_check(open_with(8, BLOB_BYTES - 4) == ERROR_BOUNDS, "a structure block beyond the blob is refused");
	ktest_check(open_with(8, HEADER_BYTES + 1) == ERROR_BOUNDS, "a structure block off its alignment is refused");
	ktest_check(open_with(12, 0xfffffff0) == ERROR_BOUNDS, "a strings block beyond the blob is refused");
	ktest_check(open_with(24, 18) == ERROR_VERSION, "a tree for later readers is refused");
	ktest_check(open_with(32, strings_used - 1) == ERROR_BOUNDS, "strings without an end are refused");
	ktest_check(open_with(36, at - HEADER_BYTES - 4) == ERROR_STRUCTURE,
		    "a structure cut before its end is refused");
	ktest_check(open_with(HEADER_BYTES + 12, 0xfffffff4) == ERROR_STRUCTURE,
		    "a length that leads back to its own property is refused");
	ktest_check(open_with(HEADER_BYTES, 2) == ERROR_STRUCTURE, "a tree that begins with an end is refused");
	ktest_check(fdt_open(&fdt, blob, HEADER_BYTES - 1) == ERROR_BOUNDS, "less than a header is refused");
}

static void depth(void)
{
	struct fdt fdt;
	int results[2];

	for (unsigned i = 0; i < 2; i++) {
		unsigned levels = FDT_DEPTH_MAX + i;

		build();
		at = HEADER_BYTES;
		for (unsigned level = 0; level < levels; level++)
			begin("");
		for (unsigned level = 0; level < levels; level++)
			end();
		cell(9);
		put_cell(blob + 36, at - HEADER_BYTES);
		results[i] = fdt_open(&fdt, blob, sizeof(blob));
	}
	ktest_check(results[0] == 0 && results[1] == ERROR_STRUCTURE, "the deepest tree is read, a deeper one refused");
}

static bool inside(const struct fdt *fdt, const void *pointer, uint32_t length)
{
	const uint8_t *from = pointer;

	return from >= damaged && length <= fdt->size && from + length <= damaged + fdt->size;
}

/* Asks everything of a damaged tree; returns whether no result points outside of it. */
static bool results_inside(const struct fdt *fdt)
{
	struct fdt_property found;
	struct fdt_interrupt interrupt;
	struct fdt_pci_range range;
	struct fdt_region region;
	bool good = true;

	for (int node = 0; node >= 0; node = fdt_next(fdt, node, NULL)) {
		static const char *const names[] = {"reg", "compatible", "ranges", "interrupt-map"};
		const char *name = fdt_name(fdt, node), *string = fdt_string(fdt, node, "bootargs");

		good = good && inside(fdt, name, (uint32_t)strlen(name) + 1);
		good = good && (!string || inside(fdt, string, (uint32_t)strlen(string) + 1));
		for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			good = good &&
			       (fdt_property(fdt, node, names[i], &found) || inside(fdt, found.value, found.length));
		fdt_reg(fdt, node, 0, &region);
		fdt_pci_range(fdt, node, 1, &range);
		fdt_pci_interrupt(fdt, node, 1, 1, &interrupt);
	}
	return good;
}

/* Every byte of the tree, at several wrong values: most trees still open, and none may lead astray. */
static void damage(void)
{
	static const uint8_t changes[] = {0x01, 0x04, 0x80, 0xff};
	unsigned opened = 0, refused = 0;
	bool good = true;
	struct fdt fdt;

	for (uint32_t offset = 0; offset < STRINGS_AT + strings_used; offset++) {
		for (unsigned i = 0; i < sizeof(changes); i++) {
			memcpy(damaged, blob, sizeof(blob));
			damaged[offset] ^= changes[i];
			if (fdt_open(&fdt, damaged, sizeof(damaged))) {
				refused++;
				continue;
			}
			opened++;
			good = good && results_inside(&fdt);
		}
		/* The space between the blocks holds nothing. */
		if (offset >= at && offset < STRINGS_AT)
			offset = STRINGS_AT - 1;
	}
	ktest_check(opened > 1000 && refused > 500, "damage is refused in places and passes in others");
	ktest_check(good, "no result about a damaged tree lies outside of it");
}

static void run(void)
{
	struct fdt fdt;

	build();
	if (!ktest_check(fdt_open(&fdt, blob, sizeof(blob)) == 0, "a well-formed tree opens"))
		return;
	nodes(&fdt);
	buses(&fdt);
	headers();
	damage();
	depth();
}

KTEST_SUITE(fdt, run);
