/*
 * What the kernel needs of ACPI's static tables. Pure: memory is read through a callback that knows what exists, so
 * that damaged tables can be tried natively. Any context.
 *
 * A table counts only when its signature, length and checksum are right; what is missing is reported, never guessed.
 */
#ifndef FIRMWARE_ACPI_H
#define FIRMWARE_ACPI_H

#include <stdbool.h>
#include <stdint.h>

struct acpi_memory {
	/* The bytes at a physical address, or NULL when not all of them are memory. */
	const uint8_t *(*at)(const void *context, uint64_t physical, uint32_t length);
	const void *context;
};

struct acpi_table {
	const uint8_t *bytes;
	uint32_t length; /* header included, at least its size */
};

/* The first table with this signature that the root table at rsdp lists. */
bool acpi_find(struct acpi_memory memory, uint64_t rsdp, const char *signature, struct acpi_table *table);
/* Local APIC numbers of the enabled processors in a MADT ("APIC"); at most max of them. */
unsigned acpi_processors(struct acpi_table madt, uint8_t *apic_ids, unsigned max);

struct acpi_ports {
	uint16_t pm1a_control, pm_timer;
};
/* The power management ports of a FADT ("FACP"); false when one of them is missing. */
bool acpi_power_ports(struct acpi_table fadt, struct acpi_ports *ports);

#endif
