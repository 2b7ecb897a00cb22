#include "firmware/acpi.h"

#include "base/string.h"

#include <stddef.h>

/* ACPI 6.4 §5.2.5.3 (RSDP), §5.2.6 (header), §5.2.9 (FADT), §5.2.12 (MADT). */
#define RSDP_LENGTH 20
#define RSDP_RSDT 16
#define HEADER_LENGTH 36
#define HEADER_TABLE_LENGTH 4
#define FADT_PM1A_CONTROL 64
#define FADT_PM_TIMER 76
#define MADT_ENTRIES 44
#define MADT_LOCAL_APIC 0
#define MADT_LOCAL_APIC_LENGTH 8
#define MADT_LOCAL_APIC_ID 3
#define MADT_LOCAL_APIC_FLAGS 4
#define MADT_ENABLED 1

#define TABLE_LENGTH_MAX 65536u

static uint32_t acpi_read32(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static bool acpi_sums_to_zero(const uint8_t *bytes, uint32_t length)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < length; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return sum == 0;
}

static bool acpi_table_at(struct acpi_memory memory, uint64_t physical, const char *signature, struct acpi_table *table)
{
	const uint8_t *header = memory.at(memory.context, physical, HEADER_LENGTH);
	uint32_t length;

	if (!header || memcmp(header, signature, 4))
		return false;
	length = acpi_read32(header + HEADER_TABLE_LENGTH);
	if (length < HEADER_LENGTH || length > TABLE_LENGTH_MAX || !memory.at(memory.context, physical, length) ||
	    !acpi_sums_to_zero(header, length))
		return false;
	*table = (struct acpi_table){header, length};
	return true;
}

bool acpi_find(struct acpi_memory memory, uint64_t rsdp, const char *signature, struct acpi_table *table)
{
	const uint8_t *root = rsdp ? memory.at(memory.context, rsdp, RSDP_LENGTH) : NULL;
	struct acpi_table rsdt;

	if (!root || memcmp(root, "RSD PTR ", 8) || !acpi_sums_to_zero(root, RSDP_LENGTH) ||
	    !acpi_table_at(memory, acpi_read32(root + RSDP_RSDT), "RSDT", &rsdt))
		return false;
	for (uint32_t at = HEADER_LENGTH; at + 4 <= rsdt.length; at += 4)
		if (acpi_table_at(memory, acpi_read32(rsdt.bytes + at), signature, table))
			return true;
	return false;
}

unsigned acpi_processors(struct acpi_table madt, uint8_t *apic_ids, unsigned max)
{
	unsigned count = 0;
	uint32_t length;

	for (uint32_t at = MADT_ENTRIES; at + 2 <= madt.length && count < max; at += length) {
		const uint8_t *entry = madt.bytes + at;

		length = entry[1];
		if (length < 2 || length > madt.length - at)
			break;
		if (entry[0] == MADT_LOCAL_APIC && length >= MADT_LOCAL_APIC_LENGTH &&
		    (acpi_read32(entry + MADT_LOCAL_APIC_FLAGS) & MADT_ENABLED))
			apic_ids[count++] = entry[MADT_LOCAL_APIC_ID];
	}
	return count;
}

bool acpi_power_ports(struct acpi_table fadt, struct acpi_ports *ports)
{
	uint32_t control, timer;

	if (fadt.length < FADT_PM_TIMER + 4)
		return false;
	control = acpi_read32(fadt.bytes + FADT_PM1A_CONTROL);
	timer = acpi_read32(fadt.bytes + FADT_PM_TIMER);
	if (!control || !timer || control > UINT16_MAX || timer > UINT16_MAX)
		return false;
	*ports = (struct acpi_ports){(uint16_t)control, (uint16_t)timer};
	return true;
}
