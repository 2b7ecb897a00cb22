/* Trap entry, and the switch between contexts. */
#include "arch/riscv64/layout.h"

/* First what a C function may change, then what it keeps: saved with sd, restored with ld. */
	.macro	caller_saved op
	\op	ra, 0(sp)
	\op	t0, 8(sp)
	\op	t1, 16(sp)
	\op	t2, 24(sp)
	\op	a0, 32(sp)
	\op	a1, 40(sp)
	\op	a2, 48(sp)
	\op	a3, 56(sp)
	\op	a4, 64(sp)
	\op	a5, 72(sp)
	\op	a6, 80(sp)
	\op	a7, 88(sp)
	\op	t3, 96(sp)
	\op	t4, 104(sp)
	\op	t5, 112(sp)
	\op	t6, 120(sp)
	.endm
	.macro	callee_saved op
	\op	ra, 0(sp)
	\op	s0, 8(sp)
	\op	s1, 16(sp)
	\op	s2, 24(sp)
	\op	s3, 32(sp)
	\op	s4, 40(sp)
	\op	s5, 48(sp)
	\op	s6, 56(sp)
	\op	s7, 64(sp)
	\op	s8, 72(sp)
	\op	s9, 80(sp)
	\op	s10, 88(sp)
	\op	s11, 96(sp)
	.endm

	.text
	.balign 4
	.global trap_vector
trap_vector:
	csrw	sscratch, t0
	csrr	t0, scause
	bgez	t0, trap_entry

	/* An interrupt keeps what a C function may clobber, and may come back on another turn of its context. */
	csrr	t0, sscratch
	addi	sp, sp, -144
	caller_saved sd
	csrr	t0, sepc
	sd	t0, 128(sp)
	csrr	t0, sstatus
	sd	t0, 136(sp)
	csrr	a0, scause
	call	irq_dispatch
	ld	t0, 136(sp)
	csrw	sstatus, t0
	ld	t0, 128(sp)
	csrw	sepc, t0
	caller_saved ld
	addi	sp, sp, 144
	sret

/* An exception: moves to this CPU's trap stack, builds the struct trap_frame of exception.c, does not come back. */
#define FRAME_SIZE 288
trap_entry:
	sd	sp, CPU_FATAL_SP(tp)
	ld	sp, CPU_TRAP_STACK(tp)
	addi	sp, sp, -FRAME_SIZE
	sd	ra, 8(sp)
	sd	gp, 24(sp)
	sd	tp, 32(sp)
	sd	t1, 48(sp)
	sd	t2, 56(sp)
	sd	s0, 64(sp)
	sd	s1, 72(sp)
	sd	a0, 80(sp)
	sd	a1, 88(sp)
	sd	a2, 96(sp)
	sd	a3, 104(sp)
	sd	a4, 112(sp)
	sd	a5, 120(sp)
	sd	a6, 128(sp)
	sd	a7, 136(sp)
	sd	s2, 144(sp)
	sd	s3, 152(sp)
	sd	s4, 160(sp)
	sd	s5, 168(sp)
	sd	s6, 176(sp)
	sd	s7, 184(sp)
	sd	s8, 192(sp)
	sd	s9, 200(sp)
	sd	s10, 208(sp)
	sd	s11, 216(sp)
	sd	t3, 224(sp)
	sd	t4, 232(sp)
	sd	t5, 240(sp)
	sd	t6, 248(sp)
	sd	t0, 272(sp)
	csrr	t0, sscratch
	sd	t0, 40(sp)
	ld	t0, CPU_FATAL_SP(tp)
	sd	t0, 16(sp)
	csrr	t0, sepc
	sd	t0, 256(sp)
	csrr	t0, sstatus
	sd	t0, 264(sp)
	csrr	t0, stval
	sd	t0, 280(sp)
	sd	zero, 0(sp)
	mv	a0, sp
	call	cpu_trap
	ebreak

/* void arch_context_switch(void **save, void *next): callee-saved registers live on the suspended stack. */
	.global arch_context_switch
arch_context_switch:
	addi	sp, sp, -112
	callee_saved sd
	sd	sp, 0(a0)
	mv	sp, a1
	callee_saved ld
	addi	sp, sp, 112
	ret

/* First return of a new context: s0 is the entry, s1 its argument (arch_context_new). */
	.global context_start
context_start:
	mv	a0, s1
	jalr	s0
	ebreak

	.section .note.GNU-stack, "", @progbits
