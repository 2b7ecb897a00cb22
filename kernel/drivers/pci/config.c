#include "drivers/pci/config.h"

#include "arch/arch.h"

uint32_t pci_read32(const struct pci_device *device, unsigned offset)
{
	return arch_pci_read32(device->bus, device->device, device->function, offset & ~3u);
}

uint16_t pci_read16(const struct pci_device *device, unsigned offset)
{
	return (uint16_t)(pci_read32(device, offset) >> 8 * (offset & 2));
}

uint8_t pci_read8(const struct pci_device *device, unsigned offset)
{
	return (uint8_t)(pci_read32(device, offset) >> 8 * (offset & 3));
}

void pci_write32(const struct pci_device *device, unsigned offset, uint32_t value)
{
	arch_pci_write32(device->bus, device->device, device->function, offset & ~3u, value);
}

void pci_write16(const struct pci_device *device, unsigned offset, uint16_t value)
{
	unsigned shift = 8 * (offset & 2);
	uint32_t word = pci_read32(device, offset);

	pci_write32(device, offset, (word & ~(0xffffu << shift)) | (uint32_t)value << shift);
}
