/* Each CPU's record, as an architecture's files share it, and the start of another CPU. */
#ifndef ARCH_COMMON_CPU_H
#define ARCH_COMMON_CPU_H

#include "arch/arch.h"
#include "arch/common/layout.h"

#include <stdint.h>

/* What the CPU's own register points at (gs, tpidr_el1, tp). boot.S and trap.S know the first four fields. */
struct cpu {
	uint64_t number;   /* arch_cpu */
	void *trap_stack;  /* top; fatal exceptions run on it, because the kernel's stack may be what is wrong */
	void *stack;       /* top of the stack that a started CPU begins on */
	uint64_t fatal_sp; /* sp at an exception, until it is in the frame */
	void (*entry)(void);
	uint64_t id;         /* the hardware's number for it: APIC number, MPIDR's affinity, hart */
	uint64_t interrupts; /* its part of the interrupt controller: redistributor, PLIC context */
	uint64_t started;    /* set by the CPU itself */
} __attribute__((aligned(CPU_SIZE)));

/* The boot CPU is the first. start.c fills in number, id and trap_stack of all that are present. */
extern struct cpu cpus[ARCH_CPUS_MAX];
extern unsigned cpus_present;

/* Each architecture's: makes the hardware start this CPU; 0 or ERROR_NODEV. */
int smp_start(struct cpu *cpu);
/* Each architecture's: what a started CPU sets up for itself. */
void smp_init_cpu(void);

/* First C code of a started CPU that knows its number, on the stack it was given. */
_Noreturn void smp_entry(void);
/* Waits at most this long for a CPU to reach smp_entry. */
bool smp_wait_started(const struct cpu *cpu, uint64_t ns);

#endif
