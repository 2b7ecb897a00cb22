/* Other CPUs: found in ACPI's MADT, started by INIT and SIPI. */
#include "arch/x86_64/cpu.h"

#include "lib/string.h"

#define ACPI_TABLE_LENGTH_MAX 65536
#define MADT_LOCAL_APIC 0
#define MADT_ENABLED 1
#define ICR_INIT 0x4500
#define ICR_STARTUP 0x4600
#define START_WAIT_NS 100000000ull

/* ACPI 6.4 §5.2.5.3, §5.2.6, §5.2.12. */
struct acpi_rsdp {
	char signature[8];
	uint8_t checksum, oem[6], revision;
	uint32_t rsdt;
} __attribute__((packed));

struct acpi_table {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum, oem[6], oem_table[8];
	uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

struct acpi_madt {
	struct acpi_table header;
	uint32_t local_apic, flags;
	uint8_t entries[];
} __attribute__((packed));

extern uint8_t trampoline_start[], trampoline_end[], trampoline_stack[], trampoline_entry[];

static void (*volatile start_entry)(void);
static volatile unsigned start_cpu;
static volatile bool start_done;
static uint8_t start_ids[ARCH_CPUS_MAX];

static const struct acpi_madt *madt_find(uint64_t rsdp_address)
{
	const struct acpi_rsdp *rsdp = (const struct acpi_rsdp *)(uintptr_t)rsdp_address;
	const struct acpi_table *rsdt, *table;
	const uint8_t *entries;

	if (!rsdp || memcmp(rsdp->signature, "RSD PTR ", 8))
		return NULL;
	rsdt = (const struct acpi_table *)(uintptr_t)rsdp->rsdt;
	if (memcmp(rsdt->signature, "RSDT", 4) || rsdt->length > ACPI_TABLE_LENGTH_MAX)
		return NULL;
	entries = (const uint8_t *)(rsdt + 1);
	for (uint32_t at = 0; at + 4 <= rsdt->length - sizeof(*rsdt); at += 4) {
		uint32_t address;

		memcpy(&address, entries + at, 4);
		table = (const struct acpi_table *)(uintptr_t)address;
		if (!memcmp(table->signature, "APIC", 4) && table->length <= ACPI_TABLE_LENGTH_MAX)
			return (const struct acpi_madt *)table;
	}
	return NULL;
}

unsigned smp_enumerate(uint64_t rsdp, uint8_t ids[ARCH_CPUS_MAX])
{
	const struct acpi_madt *madt = madt_find(rsdp);
	uint8_t self = irq_apic_id();
	unsigned count = 1;

	ids[0] = self;
	start_ids[0] = self;
	if (!madt)
		return count;
	for (uint32_t at = 0; at + 8 <= madt->header.length - sizeof(*madt) && madt->entries[at + 1] >= 2;
	     at += madt->entries[at + 1]) {
		const uint8_t *entry = madt->entries + at;

		if (entry[0] != MADT_LOCAL_APIC || !(entry[4] & MADT_ENABLED) || entry[3] == self)
			continue;
		if (count == ARCH_CPUS_MAX)
			break;
		start_ids[count] = entry[3];
		ids[count++] = entry[3];
	}
	return count;
}

/* First C code of a started CPU, on the stack it was given. */
static void smp_entry(void)
{
	void (*entry)(void) = start_entry;

	cpu_init(start_cpu);
	irq_init_cpu();
	start_done = true;
	entry();
	arch_exit(false);
}

static void smp_delay(uint64_t ns)
{
	uint64_t start = arch_ticks();

	while (arch_ticks_to_ns(arch_ticks() - start) < ns)
		arch_relax();
}

int arch_cpu_start(unsigned cpu, void (*entry)(void), void *stack_top)
{
	uint8_t *copy = (uint8_t *)TRAMPOLINE_BASE;
	uintptr_t stack = (uintptr_t)stack_top & ~15ul;
	uintptr_t target = (uintptr_t)smp_entry;
	uint64_t started;

	start_entry = entry;
	start_cpu = cpu;
	start_done = false;
	memcpy(copy, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	memcpy(copy + (trampoline_stack - trampoline_start), &stack, sizeof(stack));
	memcpy(copy + (trampoline_entry - trampoline_start), &target, sizeof(target));
	/* Intel SDM 3A 8.4.4.1: INIT, 10 ms, SIPI; QEMU and current CPUs need neither the wait nor a second SIPI. */
	irq_apic_command(start_ids[cpu], ICR_INIT);
	smp_delay(200000);
	irq_apic_command(start_ids[cpu], ICR_STARTUP | TRAMPOLINE_BASE >> 12);
	started = arch_ticks();
	while (!start_done) {
		if (arch_ticks_to_ns(arch_ticks() - started) > START_WAIT_NS)
			return ARCH_ENODEV;
		arch_relax();
	}
	return 0;
}
