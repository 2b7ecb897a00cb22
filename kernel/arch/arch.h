/*
 * Everything that generic code may know of the machine. Each architecture provides all of it, in files of the same
 * names; a missing definition stops the build. Memory is identity-mapped: a pointer to RAM is its physical address.
 *
 * Context: unless a line says otherwise, any CPU, interrupts on or off, no locks held.
 * Failure: functions that can fail return 0 or a negative enum error; what cannot happen panics.
 *
 * Fences are apart, in arch/<arch>/fence.h (fence_full, fence_acquire, fence_release, fence_write, fence_read,
 * fence_io, load_acquire_16, store_release_16, fence_compiler): only drivers/virtio/ordering/ and arch/ include it.
 */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include "base/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARCH_CPUS_MAX 8

/* What the boot protocol handed over. Valid after arch_init. Strings are NUL-terminated and owned by arch. */
struct arch_boot {
	const char *name;         /* "x86_64" */
	const char *irq;          /* how device interrupts arrive: "msix" or "intx" */
	const char *command_line; /* never NULL; at most 1023 characters, longer ones were cut */
	uintptr_t memory_start;   /* free RAM, page aligned, above the kernel image */
	uintptr_t memory_end;
	unsigned cpus_present; /* CPUs the machine has, the boot CPU included, at most ARCH_CPUS_MAX */
};

/* Boot CPU, once, first: console, traps, memory map, MMU, clocks, interrupt controller. Interrupts stay off. */
const struct arch_boot *arch_init(void);

/* Ends QEMU at once with a status that tells success from failure; usable before arch_init and inside traps. */
_Noreturn void arch_exit(bool success);

/* One character to the serial port, synchronously; bounded (drivers/uart/patience.h), a dead port loses it. */
void arch_putc(char c);

/* Monotonic counter of unspecified frequency, readable in a few instructions, consistent between CPUs. */
uint64_t arch_ticks(void);
/* Nanoseconds of a span of ticks; no overflow below 2^63 ns. Before arch_init by an assumed frequency. */
uint64_t arch_ticks_to_ns(uint64_t ticks);
/* Calibrates the counter again, against the reference clock; returns the change since boot in parts per million. */
int32_t arch_ticks_drift_ppm(void);
/* Guest instructions executed on this CPU: exact under icount, meaningless otherwise. */
uint64_t arch_instructions(void);

/*
 * One-shot timer interrupt on this CPU after ns; 0 cancels. The handler set below runs with interrupts off. Spans
 * beyond what the hardware counts (4 s at least) may end early.
 */
void arch_timer_arm(uint64_t ns);
void arch_timer_handler(void (*handler)(void));

/* Interrupt mask of this CPU. */
bool arch_irq_disable(void); /* returns whether they were enabled */
void arch_irq_restore(bool enabled);
/* Enables interrupts and halts until one arrives, atomically; returns with interrupts off. Call with them off. */
void arch_irq_wait(void);

/* Inside of an interrupt handler: the instruction that it interrupted. */
uintptr_t arch_interrupted_pc(void);

/* The spin-wait hint. */
void arch_relax(void);

/* This CPU's number, 0 … cpus_present - 1; the boot CPU is 0, whatever number the hardware gives it. */
unsigned arch_cpu(void);
/* Starts CPU `cpu` in `entry` on the stack that ends at stack_top, interrupts off. Boot CPU only. */
int arch_cpu_start(unsigned cpu, void (*entry)(void), void *stack_top);
/* Interrupts another CPU (or this one); the handler runs there with interrupts off. */
void arch_ipi_send(unsigned cpu);
void arch_ipi_handler(void (*handler)(void));

/*
 * Threads of control. A context is the stack pointer of a suspended one; everything else is on its stack.
 * arch_context_new builds one that starts in entry(argument) with interrupts off; entry must not return.
 */
void *arch_context_new(void *stack_top, void (*entry)(void *), void *argument);
void arch_context_switch(void **save, void *next);

/* PCI configuration space; offset below 4096 where ECAM exists, below 256 elsewhere (reads as all ones above). */
uint32_t arch_pci_read32(unsigned bus, unsigned device, unsigned function, unsigned offset);
void arch_pci_write32(unsigned bus, unsigned device, unsigned function, unsigned offset, uint32_t value);
/* Where the kernel itself places BARs: a window of bus addresses, length 0 where firmware has assigned them. */
struct arch_pci_window {
	uint64_t start, length;
};
struct arch_pci_window arch_pci_window(void);

/* Maps device memory, uncached and ordered; physical addresses beyond 4 GiB included. NULL when out of tables. */
volatile void *arch_map_device(uint64_t physical, size_t length);

/*
 * Makes a page of RAM, which nothing uses, fault on every access: the end of a stack. Boot CPU, asserted, before others
 * know the page: another CPU calls arch_tlb_flush before it uses what lies beside it. ERROR_NOTSUP where page tables
 * stay as they are, ERROR_NOMEM when there are no more of them.
 */
int arch_guard(void *page);

/* Forgets this CPU's cached translations, all of them. */
void arch_tlb_flush(void);

/*
 * A message interrupt to the calling CPU: what the device must write, and where. ERROR_NOTSUP where there is none. The
 * same handler with the same argument again replaces the first, and so it is below.
 */
struct arch_msi {
	uint64_t address;
	uint32_t value;
};
int arch_msi_attach(void (*handler)(void *), void *argument, struct arch_msi *msi);
/*
 * A pin interrupt, by PCI slot and pin (1 = INTA). ERROR_NOTSUP where there is none. Devices share lines, and the
 * handler may run on another CPU, which then interrupts the calling one: there, a halt ends.
 */
int arch_intx_attach(unsigned slot, unsigned pin, void (*handler)(void *), void *argument);

#endif
