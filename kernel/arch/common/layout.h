/* Constants that assembly and C share, of whatever architecture. */
#ifndef ARCH_COMMON_LAYOUT_H
#define ARCH_COMMON_LAYOUT_H

/* Offsets in struct cpu, and its size; smp.c asserts them. */
#define CPU_TRAP_STACK 8
#define CPU_STACK 16
#define CPU_FATAL_SP 24
#define CPU_SIZE 64

#endif
