/* What the files of this architecture share. */
#ifndef ARCH_AARCH64_CPU_H
#define ARCH_AARCH64_CPU_H

#include "arch/aarch64/layout.h"
#include "arch/arch.h"
#include "arch/common/cpu.h"

#include <stdint.h>

/* Names may be macros for encodings that the assembler knows by number only. */
#define SYSREG_TEXT(name) #name
#define SYSREG_READ(name)                                                                                              \
	({                                                                                                             \
		uint64_t sysreg_value_;                                                                                \
		__asm__ volatile("mrs %0, " SYSREG_TEXT(name) : "=r"(sysreg_value_) : : "memory");                     \
		sysreg_value_;                                                                                         \
	})
#define SYSREG_WRITE(name, value)                                                                                      \
	__asm__ volatile("msr " SYSREG_TEXT(name) ", %x0" : : "rZ"((uint64_t)(value)) : "memory")
#define SYSREG_FIELD(name, shift) ((unsigned)(SYSREG_READ(name) >> (shift)) & 15)

static inline void isb(void)
{
	__asm__ volatile("isb" : : : "memory");
}

/* The affinity fields of this CPU's MPIDR_EL1. */
uint64_t cpu_affinity(void);
/* Finds out how PSCI is called: hvc or smc. */
void power_init(void);
/* 0 for a success. Usable before power_init. */
int64_t psci_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c);

void uart_init(void);
void timer_init(void);
/* This CPU's timer and instruction counter. */
void timer_init_cpu(void);
/* The timer's interrupt arrived: silences it, then calls the handler. */
void timer_interrupt(void);
uint32_t timer_line(void);

/* Finds the GICv3; anything else is a panic. */
void irq_init(void);
void irq_init_cpu(void);

/* Builds page tables for what the device tree describes, and switches to them. */
void mmu_init(void);
/* boot.S: this CPU translates by `root` from now on. */
void mmu_enable(uint64_t *root);

#endif
