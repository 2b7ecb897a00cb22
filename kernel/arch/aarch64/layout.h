/* Constants that assembly and C share: register values, stack sizes. */
#ifndef ARCH_AARCH64_LAYOUT_H
#define ARCH_AARCH64_LAYOUT_H

#include "arch/common/layout.h"

#define CPU_STACK_SIZE 65536
#define TRAP_STACK_SIZE 8192

/* Memory attributes by index (Arm ARM D17.2.97). */
#define MAIR_DEVICE 0x04 /* device-nGnRE */
#define MAIR_NORMAL 0xff /* write-back, allocating, non-transient, inner and outer */
#define MAIR_INDEX_DEVICE 0
#define MAIR_INDEX_NORMAL 1
/* Parentheses for the assembler, to which << and * are of one precedence. */
#define MAIR_VALUE ((MAIR_DEVICE << (8 * MAIR_INDEX_DEVICE)) | (MAIR_NORMAL << (8 * MAIR_INDEX_NORMAL)))

/* 48-bit addresses through TTBR0, 4 KiB granule, tables cacheable and inner shareable; no TTBR1 (D17.2.131). */
#define TCR_VALUE (16 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23)
#define TCR_IPS_SHIFT 32

/* Bits that must be one, with MMU and caches off (D17.2.118). */
#define SCTLR_RESET 0x30d00800
#define SCTLR_MMU (1 << 0 | 1 << 2 | 1 << 3 | 1 << 12)

/* Stage 1 descriptors (D8.3). */
#define PTE_VALID 0x1
#define PTE_TABLE 0x3
#define PTE_PAGE 0x3
#define PTE_BLOCK 0x1
#define PTE_ATTRIBUTE_SHIFT 2
#define PTE_READ_ONLY (1 << 7)
#define PTE_INNER_SHAREABLE (3 << 8)
#define PTE_ACCESSED (1 << 10)

/* PSR: debug, SError, IRQ and FIQ masked, EL1 on its own stack. */
#define PSR_EL1 0x3c5

#endif
