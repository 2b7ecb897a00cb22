/* Constants that assembly and C share: stack sizes, CSR bits. */
#ifndef ARCH_RISCV64_LAYOUT_H
#define ARCH_RISCV64_LAYOUT_H

#include "arch/common/layout.h"

#define CPU_STACK_SIZE 65536
#define TRAP_STACK_SIZE 8192

/* sstatus, sie and sip (Privileged ISA 4.1.1, 4.1.3). */
#define SSTATUS_SIE 0x2
#define SIE_SOFTWARE 0x2
#define SIE_TIMER 0x20
#define SIE_EXTERNAL 0x200

#define SATP_SV39 (8ull << 60)

#endif
