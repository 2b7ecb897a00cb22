/* drivers/pci/: capability lists that lie, base address registers of every kind, and the scan of a real bus. */
#include "test/ktest.h"

#include "base/string.h"
#include "drivers/pci/bar.h"
#include "drivers/pci/pci.h"

#include <stdint.h>

static uint8_t config[256];

static uint8_t config_read8(const void *context, unsigned offset)
{
	(void)context;
	return config[offset & 0xff];
}

static const struct pci_capabilities list = {config_read8, NULL};

/* A capability list of `count` entries of kind 9, 4 bytes each, from 0x40 on. */
static void config_build(unsigned count)
{
	memset(config, 0, sizeof(config));
	config[PCI_CONFIG_STATUS] = 0x10;
	for (unsigned i = 0; i < count; i++) {
		config[0x40 + 4 * i] = PCI_CAPABILITY_VENDOR;
		config[0x41 + 4 * i] = (uint8_t)(i + 1 < count ? 0x44 + 4 * i : 0);
	}
	config[PCI_CONFIG_CAPABILITIES] = count ? 0x40 : 0;
}

/* Walks as drivers do; returns how many there were, or the error that ended the walk. Bounded to be able to fail. */
static int walk(uint8_t kind)
{
	int found = 0;

	for (int at = pci_capability_find(list, kind, 0); found < 1000; found++) {
		if (at == ERROR_NODEV)
			return found;
		if (at < 0)
			return at;
		at = pci_capability_find(list, kind, (unsigned)at);
	}
	return found;
}

static void capabilities(void)
{
	config_build(3);
	ktest_check(walk(PCI_CAPABILITY_VENDOR) == 3, "every capability of a kind is found once");
	ktest_check(walk(PCI_CAPABILITY_MSIX) == 0, "a kind that is not there is not found");
	config[0x44] = PCI_CAPABILITY_MSIX;
	ktest_check(pci_capability_find(list, PCI_CAPABILITY_MSIX, 0) == 0x44, "a capability is found by its kind");
	ktest_check(walk(PCI_CAPABILITY_VENDOR) == 2, "other kinds in between are passed over");
	config_build(48);
	ktest_check(walk(PCI_CAPABILITY_VENDOR) == 48, "a list that fills the whole space is walked to its end");
	config[PCI_CONFIG_STATUS] = 0;
	ktest_check(walk(PCI_CAPABILITY_VENDOR) == 0, "without the status bit there is no list");
	config_build(0);
	ktest_check(walk(PCI_CAPABILITY_VENDOR) == 0, "an empty list is empty");
}

static void capability_lies(void)
{
	config_build(1);
	config[0x41] = 0x40;
	ktest_check(walk(PCI_CAPABILITY_VENDOR) == ERROR_INVALID, "a capability that follows itself is refused");
	config_build(48);
	config[0x41 + 4 * 47] = 0x80;
	ktest_check(walk(PCI_CAPABILITY_VENDOR) == ERROR_INVALID, "a loop in a long list is refused");
	ktest_check(walk(PCI_CAPABILITY_MSIX) == ERROR_INVALID, "also when looking for what is not in it");
	config_build(2);
	config[0x41] = 0x10;
	ktest_check(walk(PCI_CAPABILITY_VENDOR) == ERROR_INVALID, "a capability inside the header is refused");
	config_build(2);
	config[0x41] |= 3;
	ktest_check(walk(PCI_CAPABILITY_VENDOR) == 2, "the reserved low bits of a pointer are ignored");
	memset(config, 0xff, sizeof(config));
	ktest_check(walk(PCI_CAPABILITY_VENDOR) == ERROR_INVALID, "a device that reads as all ones has no list");
}

static bool decodes(struct pci_bar_registers value, struct pci_bar_registers ones, struct pci_bar wanted)
{
	struct pci_bar bar = pci_bar_decode(value, ones, true);

	return bar.address == wanted.address && bar.size == wanted.size && bar.registers == wanted.registers;
}

static void bars(void)
{
	struct pci_bar none = {0, 0, 1};

	ktest_check(decodes((struct pci_bar_registers){0xfebd0000, 0}, (struct pci_bar_registers){0xfffff000, 0},
			    (struct pci_bar){0xfebd0000, 0x1000, 1}),
		    "a 32-bit BAR has an address and a size");
	ktest_check(decodes((struct pci_bar_registers){0x0000000c, 8}, (struct pci_bar_registers){0xffffc00c, ~0u},
			    (struct pci_bar){0x800000000, 0x4000, 2}),
		    "a 64-bit BAR beyond 4 GiB takes two registers");
	ktest_check(decodes((struct pci_bar_registers){0xc, 0x10}, (struct pci_bar_registers){0xc, 0xfffffffe},
			    (struct pci_bar){0x1000000000, 0x200000000, 2}),
		    "a BAR of 8 GiB is sized by its upper half alone");
	ktest_check(decodes((struct pci_bar_registers){0xc001, 0}, (struct pci_bar_registers){0xffffffe1, 0}, none),
		    "an I/O BAR is refused");
	ktest_check(decodes((struct pci_bar_registers){0, 0}, (struct pci_bar_registers){0, 0}, none),
		    "a BAR that does not exist has no size");
	ktest_check(decodes((struct pci_bar_registers){0, 0}, (struct pci_bar_registers){0xf0f0f000, 0}, none),
		    "a size that is not a power of two is refused");
	ktest_check(pci_bar_decode((struct pci_bar_registers){4, 0}, (struct pci_bar_registers){0xfffff004, 0}, false)
				    .size == 0,
		    "a 64-bit BAR in the last register is refused");
}

static void placing(void)
{
	struct pci_bar_window window = {0x10000000, 0x10000};
	uint64_t next = 0;

	ktest_check(pci_bar_place(window, &next, 0x1000) == 0x10000000, "the first BAR is at the window's start");
	ktest_check(pci_bar_place(window, &next, 0x4000) == 0x10004000, "each BAR is aligned to its size");
	ktest_check(pci_bar_place(window, &next, 0x10000) == 0, "a BAR that no longer fits is not placed");
	ktest_check(pci_bar_place(window, &next, 0x8000) == 0x10008000, "and costs no room");
	ktest_check(pci_bar_place(window, &next, 0x10) == 0, "a full window is full");
	ktest_check(pci_bar_place((struct pci_bar_window){0, 0}, &next, 0x10) == 0,
		    "without a window nothing is placed");
}

static void scan(void)
{
	struct pci_device device;

	ktest_check(pci_find(0xfffe, 0x1234, 0, &device) == ERROR_NODEV, "a device that is not there is not found");
	ktest_check(!pci_bar_map(&(struct pci_device){.bar_address = {0x1000}, .bar_size = {0x1000}}, 0, 0xff8, 9),
		    "a span that ends outside of its BAR is not mapped");
	ktest_check(!pci_bar_map(&(struct pci_device){.bar_address = {0x1000}, .bar_size = {0x1000}}, 0, 8, ~0ull),
		    "a BAR whose end wraps round is refused");
	ktest_check(!pci_bar_map(&(struct pci_device){.bar_size = {0x1000}}, 0, 0, 8),
		    "a BAR without an address is refused");
	ktest_check(!pci_bar_map(&(struct pci_device){.pin = 1}, PCI_BARS, 0, 8), "a seventh BAR is refused");
}

static void run(void)
{
	capabilities();
	capability_lies();
	bars();
	placing();
	scan();
}

KTEST_SUITE(pci, run);
