/* From OpenSBI to C: S-mode with the MMU off, a0 the hart that happened to come first, a1 the device tree. */
#include "arch/common/boot_stack.inc"
#include "arch/riscv64/layout.h"

	.section .boot.text, "ax"
	.global boot_entry
boot_entry:
	csrw	sie, zero
	csrci	sstatus, SSTATUS_SIE
	lla	t0, boot_taken
	li	t1, 1
	amoswap.w	t1, t1, (t0)
	bnez	t1, boot_secondary
	lla	tp, cpus
	lla	t0, boot_trap_stack_top
	sd	t0, CPU_TRAP_STACK(tp)
	lla	t0, trap_vector
	csrw	stvec, t0
	lla	sp, boot_stack_top
	lla	t0, boot_hart
	sd	a0, 0(t0)
	lla	t0, boot_tree
	sd	a1, 0(t0)
	li	fp, 0
	call	kernel_main
	ebreak

/*
 * SBI HSM hart_start (SBI 1.0 §9.1). OpenSBI 1.1 marks a hart as started before it stores the address and a1: a hart
 * that looks in between gets those of the boot hart, and enters above. So its struct cpu is taken from smp.c, not from
 * a1. A firmware that starts all harts at once has named none; they are parked.
 */
	.global boot_secondary
boot_secondary:
	csrw	sie, zero
	csrci	sstatus, SSTATUS_SIE
	lla	t0, smp_starting
	ld	tp, 0(t0)
	beqz	tp, park
	lla	t0, trap_vector
	csrw	stvec, t0
	ld	sp, CPU_STACK(tp)
	lla	t0, boot_satp
	ld	t0, 0(t0)
	sfence.vma
	csrw	satp, t0
	sfence.vma
	li	fp, 0
	call	smp_entry
	ebreak
park:
	wfi
	j	park

	.section .data
	.balign 8
	.global boot_hart, boot_tree, boot_satp
boot_hart:
	.quad	0
boot_tree:
	.quad	0
boot_satp:				/* address translation of CPUs that start later */
	.quad	0
boot_taken:				/* 1 once a hart boots the machine */
	.word	0

	.section .bss
	boot_stack CPU_STACK_SIZE
	boot_trap_stack TRAP_STACK_SIZE

	.section .note.GNU-stack, "", @progbits
