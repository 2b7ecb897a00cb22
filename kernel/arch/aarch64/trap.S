/* Exception vectors, and the switch between contexts. */
#include "arch/aarch64/layout.h"

/* Fatal: moves to this CPU's trap stack at once; x0 and sp travel in registers that EL0, unused, would own. */
	.macro	fatal number
	.balign 128
	msr	tpidr_el0, x0
	mov	x0, sp
	msr	tpidrro_el0, x0
	mrs	x0, tpidr_el1
	ldr	x0, [x0, #CPU_TRAP_STACK]
	mov	sp, x0
	mov	x0, #\number
	b	trap_entry
	.endm

/* First what a C function may change, then what it keeps: saved with stp, restored with ldp. */
	.macro	caller_saved op
	\op	x0, x1, [sp]
	\op	x2, x3, [sp, #16]
	\op	x4, x5, [sp, #32]
	\op	x6, x7, [sp, #48]
	\op	x8, x9, [sp, #64]
	\op	x10, x11, [sp, #80]
	\op	x12, x13, [sp, #96]
	\op	x14, x15, [sp, #112]
	\op	x16, x17, [sp, #128]
	\op	x18, x29, [sp, #144]
	.endm
	.macro	callee_saved op
	\op	x19, x20, [sp]
	\op	x21, x22, [sp, #16]
	\op	x23, x24, [sp, #32]
	\op	x25, x26, [sp, #48]
	\op	x27, x28, [sp, #64]
	\op	x29, x30, [sp, #80]
	.endm

	.text
	.balign 2048
	.global trap_vectors
trap_vectors:
	fatal	0
	fatal	1
	fatal	2
	fatal	3
	fatal	4		/* synchronous, from EL1 */
	.balign 128
	b	irq_entry
	fatal	6
	fatal	7
	fatal	8
	fatal	9
	fatal	10
	fatal	11
	fatal	12
	fatal	13
	fatal	14
	fatal	15

/* Builds the struct trap_frame of exception.c and does not come back. */
#define FRAME_SIZE 304
trap_entry:
	sub	sp, sp, #FRAME_SIZE
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	mrs	x2, tpidr_el0
	stp	x2, x1, [sp]
	mrs	x2, tpidrro_el0
	stp	x30, x2, [sp, #240]
	mrs	x2, elr_el1
	mrs	x3, spsr_el1
	stp	x2, x3, [sp, #256]
	mrs	x2, esr_el1
	mrs	x3, far_el1
	stp	x2, x3, [sp, #272]
	str	x0, [sp, #288]
	mov	x0, sp
	bl	cpu_trap
	b	.

/* An interrupt keeps what a C function may clobber, and may come back on another turn of its context. */
irq_entry:
	sub	sp, sp, #192
	caller_saved stp
	mrs	x0, elr_el1
	stp	x30, x0, [sp, #160]
	mrs	x0, spsr_el1
	str	x0, [sp, #176]
	msr	daifclr, #4			/* SErrors: a handler may switch to another context */
	bl	irq_dispatch
	ldr	x0, [sp, #176]
	msr	spsr_el1, x0
	ldp	x30, x0, [sp, #160]
	msr	elr_el1, x0
	caller_saved ldp
	add	sp, sp, #192
	eret

/* void arch_context_switch(void **save, void *next): callee-saved registers live on the suspended stack. */
	.global arch_context_switch
arch_context_switch:
	sub	sp, sp, #96
	callee_saved stp
	mov	x9, sp
	str	x9, [x0]
	mov	sp, x1
	callee_saved ldp
	add	sp, sp, #96
	ret

/* First return of a new context: x19 is the entry, x20 its argument (arch_context_new). */
	.global context_start
context_start:
	mov	x0, x20
	blr	x19
	brk	#0

	.section .note.GNU-stack, "", @progbits
