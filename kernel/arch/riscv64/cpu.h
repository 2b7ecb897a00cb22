/* What the files of this architecture share. */
#ifndef ARCH_RISCV64_CPU_H
#define ARCH_RISCV64_CPU_H

#include "arch/arch.h"
#include "arch/common/cpu.h"
#include "arch/riscv64/layout.h"

#include <stdint.h>

#define CSR_READ(name)                                                                                                 \
	({                                                                                                             \
		uint64_t csr_value_;                                                                                   \
		__asm__ volatile("csrr %0, " #name : "=r"(csr_value_) : : "memory");                                   \
		csr_value_;                                                                                            \
	})
#define CSR_WRITE(name, value) __asm__ volatile("csrw " #name ", %0" : : "rK"((uint64_t)(value)) : "memory")
#define CSR_SET(name, bits) __asm__ volatile("csrs " #name ", %0" : : "rK"((uint64_t)(bits)) : "memory")
#define CSR_CLEAR(name, bits) __asm__ volatile("csrc " #name ", %0" : : "rK"((uint64_t)(bits)) : "memory")

/* SBI functions (RISC-V SBI 1.0): extension, function, at most three arguments. */
#define SBI_TIME 0x54494d45u
#define SBI_IPI 0x735049u
#define SBI_HSM 0x48534du
#define SBI_SRST 0x53525354u
/* Functions of SBI_HSM, and a state that HSM_HART_STATUS gives. */
#define HSM_HART_START 0
#define HSM_HART_STOP 1
#define HSM_HART_STATUS 2
#define HSM_STOPPED 1
struct sbi_result {
	int64_t error;
	uint64_t value;
};
struct sbi_result sbi_call(uint64_t extension, uint64_t function, uint64_t a, uint64_t b, uint64_t c);

/* Starts this CPU at an address of boot.S: boot_secondary, or where a firmware may send it. 0 or ERROR_NODEV. */
int smp_start_at(struct cpu *cpu, const uint8_t *address);

/* Finds the register that ends QEMU with a status. */
void power_init(void);

void uart_init(void);
/* Waits, for a bounded time, until the last character has left. */
void uart_drain(void);
void timer_init(void);
/* The timer's interrupt arrived: silences it, then calls the handler. */
void timer_interrupt(void);

/* Finds the PLIC. */
void irq_init(void);
/* Opens this CPU's interrupts: software, timer, and external through its PLIC context. */
void irq_init_cpu(void);

/* Builds page tables for what the device tree describes, and switches to them. */
void mmu_init(void);

#endif
