/* Constants that assembly and C share: selectors, page table bits, the AP trampoline's place. */
#ifndef ARCH_X86_64_LAYOUT_H
#define ARCH_X86_64_LAYOUT_H

#define SELECTOR_CODE32 0x08
#define SELECTOR_CODE 0x10
#define SELECTOR_DATA 0x18
#define SELECTOR_TSS 0x20 /* one of 16 bytes a CPU from here */

#define PTE_PRESENT 0x01
#define PTE_WRITE 0x02
#define PTE_WRITE_THROUGH 0x08
#define PTE_CACHE_DISABLE 0x10
#define PTE_LARGE 0x80

/* Below 1 MiB, page aligned: the page number is the SIPI's vector (Intel SDM 3A 8.4.4). */
#define TRAMPOLINE_BASE 0x8000

#define VECTOR_NMI 2
#define VECTOR_DOUBLE_FAULT 8
#define VECTOR_PAGE_FAULT 14
#define VECTOR_MACHINE_CHECK 18
#define VECTOR_TIMER 0xe0
#define VECTOR_IPI 0xe1
#define VECTOR_MSI_FIRST 0x40
#define VECTOR_MSI_COUNT 8
#define VECTOR_SPURIOUS 0xff

#define CPU_STACK_SIZE 32768

#endif
