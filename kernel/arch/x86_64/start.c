/* The order in which this machine is brought up, from what QEMU's PVH loader and ACPI say of it. */
#include "arch/x86_64/cpu.h"

#include "base/panic.h"
#include "base/string.h"
#include "firmware/acpi.h"
#include "firmware/pvh.h"

/* What boot.S has mapped. */
#define MAPPED_END (1ull << 32)

extern uint64_t boot_start_info;
extern uint8_t kernel_end[], boot_stack_guard[];

static char command_line[1024];
static struct arch_boot boot = {.name = "x86_64", .irq = "msix", .command_line = command_line};

static const uint8_t *acpi_at(const void *context, uint64_t physical, uint32_t length)
{
	(void)context;
	return physical && physical < MAPPED_END - length ? (const uint8_t *)(uintptr_t)physical : NULL;
}

/* CPUs and power management; without tables, one CPU and no reference clock. */
static void acpi_read(uint64_t rsdp)
{
	struct acpi_memory memory = {acpi_at, NULL};
	uint8_t apic_ids[ARCH_CPUS_MAX];
	struct acpi_ports ports = {0, 0};
	struct acpi_table table;
	unsigned listed = 0;

	if (acpi_find(memory, rsdp, "APIC", &table))
		listed = acpi_processors(table, apic_ids, ARCH_CPUS_MAX);
	boot.cpus_present = smp_init(apic_ids, listed);
	if (acpi_find(memory, rsdp, "FACP", &table))
		acpi_power_ports(table, &ports);
	power_init(ports.pm1a_control);
	timer_init(ports.pm_timer);
}

const struct arch_boot *arch_init(void)
{
	const struct pvh_start_info *info = (const struct pvh_start_info *)(uintptr_t)boot_start_info;
	struct pvh_run memory;

	uart_init();
	cpu_init_traps();
	cpu_init(0);
	mmu_init();
	if (!pvh_is_valid(info))
		panic("PVH start info with magic 0x%x version %u: start with qemu -kernel", info->magic, info->version);
	if (info->command_line)
		strncpy(command_line, (const char *)(uintptr_t)info->command_line, sizeof(command_line) - 1);
	memory = pvh_largest_run((const struct pvh_memory *)(uintptr_t)info->memory_map, info->memory_map_entries,
				 (uintptr_t)kernel_end, MAPPED_END);
	if (memory.start == memory.end)
		panic("no RAM above the kernel: %u entries in the memory map", info->memory_map_entries);
	irq_init_cpu();
	acpi_read(info->rsdp);
	/* From here on these fault; what the loader left in the first page has been read. */
	if (arch_guard(NULL) || arch_guard(boot_stack_guard))
		panic("no page table left for guards");
	boot.memory_start = memory.start;
	boot.memory_end = memory.end;
	return &boot;
}
