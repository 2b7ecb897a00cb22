/* What the files of this architecture share. */
#ifndef ARCH_X86_64_CPU_H
#define ARCH_X86_64_CPU_H

#include "arch/arch.h"
#include "arch/common/cpu.h"
#include "arch/x86_64/layout.h"

#include <stdint.h>

/* As trap.S pushes it, lowest address first. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* io_out8(port, value) and io_in8(port), and so on for 16 and 32 bits. */
#define IO_PORT(bits, suffix)                                                                                          \
	static inline void io_out##bits(uint16_t port, uint##bits##_t value)                                           \
	{                                                                                                              \
		__asm__ volatile("out" suffix " %0, %1" : : "a"(value), "Nd"(port) : "memory");                        \
	}                                                                                                              \
	static inline uint##bits##_t io_in##bits(uint16_t port)                                                        \
	{                                                                                                              \
		uint##bits##_t value;                                                                                  \
		__asm__ volatile("in" suffix " %1, %0" : "=a"(value) : "Nd"(port) : "memory");                         \
		return value;                                                                                          \
	}
IO_PORT(8, "b")
IO_PORT(16, "w")
IO_PORT(32, "l")

static inline void msr_write(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint64_t msr_read(uint32_t msr)
{
	uint32_t low, high;
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return (uint64_t)high << 32 | low;
}

/* Fills the table of interrupt gates that all CPUs share. Boot CPU, before cpu_init. */
void cpu_init_traps(void);
/* This CPU's descriptor tables, trap stacks and number. Interrupts off. */
void cpu_init(unsigned cpu);
/* An interrupt struck this CPU at this instruction. */
void cpu_interrupted(uint64_t pc);

void uart_init(void);

/* Where ACPI says that the reference clock and the power-off register are (0: unknown). Boot CPU, once. */
void timer_init(uint16_t pm_timer_port);
void power_init(uint16_t pm1a_control_port);

/* The local APIC of this CPU: enabled, timer one-shot, everything else masked. */
void irq_init_cpu(void);
/* Dispatches a vector that is not an exception; returns false when it has no handler. */
bool irq_dispatch(unsigned vector);
/* Measures the timer of the local APIC: starts it, and reads it after a span that the caller knows. */
void irq_timer_count(void);
void irq_timer_counted(uint64_t ns);
uint8_t irq_apic_id(void);
void irq_apic_command(uint8_t apic_id, uint32_t command);

/* Marks the device half of the first 4 GiB uncached. */
void mmu_init(void);
/* Whether arch_guard made this page fault. */
bool mmu_is_guard(uintptr_t address);

/* CPUs by their local APIC numbers as ACPI lists them; the calling CPU becomes number 0. Returns how many. */
unsigned smp_init(const uint8_t *apic_ids, unsigned count);

#endif
