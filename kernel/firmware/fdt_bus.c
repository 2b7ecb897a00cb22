#include "firmware/fdt_bus.h"

/* §2.3.5: these counts describe the children of the node that carries them; 2 and 1 when it does not. */
static uint32_t address_cells(const struct fdt *fdt, int bus)
{
	return fdt_u32(fdt, bus, "#address-cells", 2);
}

static uint32_t size_cells(const struct fdt *fdt, int bus)
{
	return fdt_u32(fdt, bus, "#size-cells", 1);
}

/* Whether addresses on this bus are CPU addresses: an empty "ranges" up to the root (§2.3.8). */
static bool bus_is_identity(const struct fdt *fdt, int bus)
{
	struct fdt_property ranges;
	for (; bus > 0; bus = fdt_parent(fdt, bus)) {
		if (fdt_property(fdt, bus, "ranges", &ranges) || ranges.length != 0)
			return false;
	}
	return bus == 0;
}

int fdt_reg(const struct fdt *fdt, int node, unsigned index, struct fdt_region *region)
{
	struct fdt_property reg;
	int bus = fdt_parent(fdt, node);
	if (bus < 0 || fdt_property(fdt, node, "reg", &reg))
		return ERROR_NOTFOUND;
	uint32_t address = address_cells(fdt, bus), size = size_cells(fdt, bus);
	if (address == 0 || address > 2 || size > 2)
		return ERROR_VALUE;
	uint32_t entry = address + size, present = reg.length / 4;
	if (index >= present / entry)
		return ERROR_NOTFOUND;
	/* CPU numbers (§3.8.1) have no size and no translation. */
	if (size != 0 && !bus_is_identity(fdt, bus))
		return ERROR_VALUE;
	region->length = 0;
	if (fdt_number(&reg, index * entry, address, &region->start) ||
	    (size != 0 && fdt_number(&reg, index * entry + address, size, &region->length)))
		return ERROR_VALUE;
	return region->length > UINT64_MAX - region->start ? ERROR_VALUE : 0;
}

int fdt_pci_range(const struct fdt *fdt, int host, unsigned index, struct fdt_pci_range *range)
{
	struct fdt_property ranges;
	int bus = fdt_parent(fdt, host);
	if (bus < 0 || fdt_property(fdt, host, "ranges", &ranges))
		return ERROR_NOTFOUND;
	uint32_t parent_cells = address_cells(fdt, bus);
	if (address_cells(fdt, host) != 3 || size_cells(fdt, host) != 2 || parent_cells == 0 || parent_cells > 2 ||
	    !bus_is_identity(fdt, bus))
		return ERROR_VALUE;
	uint32_t entry = 3 + parent_cells + 2, at = index * entry;
	if (index >= ranges.length / 4 / entry)
		return ERROR_NOTFOUND;
	range->space = fdt_cell(&ranges, at, 0) >> 24 & 3;
	if (fdt_number(&ranges, at + 1, 2, &range->bus) || fdt_number(&ranges, at + 3, parent_cells, &range->cpu) ||
	    fdt_number(&ranges, at + 3 + parent_cells, 2, &range->length))
		return ERROR_VALUE;
	return range->length > UINT64_MAX - range->cpu ? ERROR_VALUE : 0;
}

/* §2.4.3: an entry is child address (3), child pin (1), controller, its unit address, its specifier. */
int fdt_pci_interrupt(const struct fdt *fdt, int host, unsigned slot, unsigned pin, struct fdt_interrupt *interrupt)
{
	struct fdt_property map, mask;
	if (fdt_property(fdt, host, "interrupt-map", &map) || fdt_property(fdt, host, "interrupt-map-mask", &mask))
		return ERROR_NOTFOUND;
	uint32_t wanted_address = slot << 11 & fdt_cell(&mask, 0, 0), wanted_pin = pin & fdt_cell(&mask, 3, 0);
	uint32_t cells = map.length / 4, at = 0;
	while (at < cells && cells - at > 5) {
		uint32_t phandle = fdt_cell(&map, at + 4, 0);
		int controller = fdt_find_phandle(fdt, phandle);
		if (controller < 0)
			return ERROR_VALUE;
		/* Here an absent #address-cells means none (§2.4.3.1). */
		uint32_t unit = fdt_u32(fdt, controller, "#address-cells", 0);
		uint32_t count = fdt_u32(fdt, controller, "#interrupt-cells", 0);
		if (unit > 3 || count == 0 || count > 3 || unit + count > cells - at - 5)
			return ERROR_VALUE;
		if (fdt_cell(&map, at, 0) == wanted_address && fdt_cell(&map, at + 3, 0) == wanted_pin) {
			*interrupt = (struct fdt_interrupt){.controller = phandle, .count = count};
			for (uint32_t i = 0; i < count; i++)
				interrupt->cells[i] = fdt_cell(&map, at + 5 + unit + i, 0);
			return 0;
		}
		at += 5 + unit + count;
	}
	return ERROR_NOTFOUND;
}
