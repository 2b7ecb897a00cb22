/* PCI configuration space through its two ports (PCI Local Bus 3.0 §3.2.2.3.2). */
#include "arch/x86_64/cpu.h"

#include "sync/spinlock.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc

/* The ports are one pair for all CPUs, and an access needs both. */
static struct spinlock ports;

static uint32_t pci_select(unsigned bus, unsigned device, unsigned function, unsigned offset)
{
	return 0x80000000u | bus << 16 | device << 11 | function << 8 | (offset & 0xfc);
}

uint32_t arch_pci_read32(unsigned bus, unsigned device, unsigned function, unsigned offset)
{
	uint32_t value;
	bool enabled;

	if (offset > 0xff)
		return UINT32_MAX;
	enabled = spinlock_lock(&ports);
	io_out32(PCI_ADDRESS, pci_select(bus, device, function, offset));
	value = io_in32(PCI_DATA);
	spinlock_unlock(&ports, enabled);
	return value;
}

void arch_pci_write32(unsigned bus, unsigned device, unsigned function, unsigned offset, uint32_t value)
{
	bool enabled;

	if (offset > 0xff)
		return;
	enabled = spinlock_lock(&ports);
	io_out32(PCI_ADDRESS, pci_select(bus, device, function, offset));
	io_out32(PCI_DATA, value);
	spinlock_unlock(&ports, enabled);
}

/* SeaBIOS has assigned every BAR. */
struct arch_pci_window arch_pci_window(void)
{
	return (struct arch_pci_window){0, 0};
}
