/*
 * The arch contract on the build machine, for native tests: one CPU, a clock, a console, memory from malloc. There are
 * no interrupts, no other CPUs and no devices; a halt is a short sleep, so that waits for one still end.
 */
#define _POSIX_C_SOURCE 200809L
#include "arch/arch.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MEMORY_BYTES (64ul << 20)
#define PAGE 4096
#define HALT_NS 100000

static bool irq_enabled;

const struct arch_boot *arch_init(void)
{
	static struct arch_boot boot = {.name = "host", .irq = "none", .command_line = "", .cpus_present = 1};
	void *memory = boot.memory_start ? NULL : aligned_alloc(PAGE, MEMORY_BYTES);

	if (memory) {
		boot.memory_start = (uintptr_t)memory;
		boot.memory_end = (uintptr_t)memory + MEMORY_BYTES;
	}
	return &boot;
}

_Noreturn void arch_exit(bool success)
{
	fflush(stdout);
	exit(success ? EXIT_SUCCESS : EXIT_FAILURE);
}

void arch_putc(char c)
{
	putchar(c);
}

uint64_t arch_ticks(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t arch_ticks_to_ns(uint64_t ticks)
{
	return ticks;
}

int32_t arch_ticks_drift_ppm(void)
{
	return 0;
}

uint64_t arch_instructions(void)
{
	return 0;
}

void arch_timer_arm(uint64_t ns)
{
	(void)ns;
}

void arch_timer_handler(void (*handler)(void))
{
	(void)handler;
}

bool arch_irq_disable(void)
{
	bool enabled = irq_enabled;

	irq_enabled = false;
	return enabled;
}

void arch_irq_restore(bool enabled)
{
	if (enabled)
		irq_enabled = true;
}

void arch_irq_wait(void)
{
	nanosleep(&(struct timespec){.tv_nsec = HALT_NS}, NULL);
}

uintptr_t arch_interrupted_pc(void)
{
	return 0;
}

void arch_relax(void)
{
#if defined(__x86_64__)
	__asm__ volatile("pause" : : : "memory");
#else
	__asm__ volatile("" : : : "memory");
#endif
}

unsigned arch_cpu(void)
{
	return 0;
}

int arch_cpu_start(unsigned cpu, void (*entry)(void), void *stack_top)
{
	(void)cpu;
	(void)entry;
	(void)stack_top;
	return ERROR_NODEV;
}

void arch_ipi_send(unsigned cpu)
{
	(void)cpu;
}

void arch_ipi_handler(void (*handler)(void))
{
	(void)handler;
}

void *arch_context_new(void *stack_top, void (*entry)(void *), void *argument)
{
	(void)stack_top;
	(void)entry;
	(void)argument;
	return NULL;
}

void arch_context_switch(void **save, void *next)
{
	(void)save;
	(void)next;
	abort();
}

/* A bus without a device. */
uint32_t arch_pci_read32(unsigned bus, unsigned device, unsigned function, unsigned offset)
{
	(void)bus;
	(void)device;
	(void)function;
	(void)offset;
	return UINT32_MAX;
}

void arch_pci_write32(unsigned bus, unsigned device, unsigned function, unsigned offset, uint32_t value)
{
	(void)bus;
	(void)device;
	(void)function;
	(void)offset;
	(void)value;
}

struct arch_pci_window arch_pci_window(void)
{
	return (struct arch_pci_window){0};
}

volatile void *arch_map_device(uint64_t physical, size_t length)
{
	(void)physical;
	(void)length;
	return NULL;
}

int arch_msi_attach(void (*handler)(void *), void *argument, struct arch_msi *msi)
{
	(void)handler;
	(void)argument;
	(void)msi;
	return ERROR_NOTSUP;
}

int arch_intx_attach(unsigned slot, unsigned pin, void (*handler)(void *), void *argument)
{
	(void)slot;
	(void)pin;
	(void)handler;
	(void)argument;
	return ERROR_NOTSUP;
}

int arch_guard(void *page)
{
	(void)page;
	return ERROR_NOTSUP;
}

void arch_tlb_flush(void)
{
}
