/* Constants that assembly and C share: offsets into struct cpu, stack sizes, CSR bits. */
#ifndef ARCH_RISCV64_LAYOUT_H
#define ARCH_RISCV64_LAYOUT_H

#define CPU_STACK_SIZE 65536
#define TRAP_STACK_SIZE 8192

/* Offsets in struct cpu; cpu.c asserts them. */
#define CPU_TRAP_STACK 8
#define CPU_STACK 16
#define CPU_FATAL_SP 24

/* sstatus, sie and sip (Privileged ISA 4.1.1, 4.1.3). */
#define SSTATUS_SIE 0x2
#define SIE_SOFTWARE 0x2
#define SIE_TIMER 0x20
#define SIE_EXTERNAL 0x200

#define SATP_SV39 (8ull << 60)

#endif
