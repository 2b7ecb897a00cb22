/* Trap entry, and the switch between contexts. */
#include "arch/riscv64/layout.h"

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
	sd	ra, 0(sp)
	sd	t0, 8(sp)
	sd	t1, 16(sp)
	sd	t2, 24(sp)
	sd	a0, 32(sp)
	sd	a1, 40(sp)
	sd	a2, 48(sp)
	sd	a3, 56(sp)
	sd	a4, 64(sp)
	sd	a5, 72(sp)
	sd	a6, 80(sp)
	sd	a7, 88(sp)
	sd	t3, 96(sp)
	sd	t4, 104(sp)
	sd	t5, 112(sp)
	sd	t6, 120(sp)
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
	ld	t6, 120(sp)
	ld	t5, 112(sp)
	ld	t4, 104(sp)
	ld	t3, 96(sp)
	ld	a7, 88(sp)
	ld	a6, 80(sp)
	ld	a5, 72(sp)
	ld	a4, 64(sp)
	ld	a3, 56(sp)
	ld	a2, 48(sp)
	ld	a1, 40(sp)
	ld	a0, 32(sp)
	ld	t2, 24(sp)
	ld	t1, 16(sp)
	ld	t0, 8(sp)
	ld	ra, 0(sp)
	addi	sp, sp, 144
	sret

/* An exception: moves to this CPU's trap stack, builds the struct trap_frame of cpu.c, does not come back. */
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
	sd	ra, 0(sp)
	sd	s0, 8(sp)
	sd	s1, 16(sp)
	sd	s2, 24(sp)
	sd	s3, 32(sp)
	sd	s4, 40(sp)
	sd	s5, 48(sp)
	sd	s6, 56(sp)
	sd	s7, 64(sp)
	sd	s8, 72(sp)
	sd	s9, 80(sp)
	sd	s10, 88(sp)
	sd	s11, 96(sp)
	sd	sp, 0(a0)
	mv	sp, a1
	ld	ra, 0(sp)
	ld	s0, 8(sp)
	ld	s1, 16(sp)
	ld	s2, 24(sp)
	ld	s3, 32(sp)
	ld	s4, 40(sp)
	ld	s5, 48(sp)
	ld	s6, 56(sp)
	ld	s7, 64(sp)
	ld	s8, 72(sp)
	ld	s9, 80(sp)
	ld	s10, 88(sp)
	ld	s11, 96(sp)
	addi	sp, sp, 112
	ret

/* First return of a new context: s0 is the entry, s1 its argument (arch_context_new). */
	.global context_start
context_start:
	mv	a0, s1
	jalr	s0
	ebreak

	.section .note.GNU-stack, "", @progbits
