/* PCI configuration space through ECAM, and the window for BARs that the device tree names. */
#include "arch/common/machine.h"
#include "arch/common/mmio.h"

#define FUNCTION_BYTES 4096u

static uint64_t ecam_address(unsigned bus, unsigned device, unsigned function, unsigned offset)
{
	/* PCI Express 5.0 §7.2.2, table 7-1. */
	uint64_t at = (uint64_t)bus << 20 | device << 15 | function << 12 | (offset & 0xffc);

	return at + 4 <= machine.ecam.length && offset < FUNCTION_BYTES ? machine.ecam.start + at : 0;
}

uint32_t arch_pci_read32(unsigned bus, unsigned device, unsigned function, unsigned offset)
{
	uint64_t address = ecam_address(bus, device, function, offset);

	return address ? mmio_read32(address) : UINT32_MAX;
}

void arch_pci_write32(unsigned bus, unsigned device, unsigned function, unsigned offset, uint32_t value)
{
	uint64_t address = ecam_address(bus, device, function, offset);

	if (address)
		mmio_write32(address, value);
}

struct arch_pci_window arch_pci_window(void)
{
	return (struct arch_pci_window){machine.window.start, machine.window.length};
}
