/* Interrupt entry: one stub a vector, then a common path that builds the struct trap_frame of cpu.h. */
#include "arch/x86_64/layout.h"

	.text
	/* Vectors 8, 10–14, 17, 21, 29 and 30 push an error code (Intel SDM 3A table 6-1); the rest get a zero. */
	.altmacro
	.macro	stub vector
	.balign 16
	.if	(\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30)
	.else
	push	$0
	.endif
	push	$\vector
	jmp	trap_common
	.endm

	.balign 16
	.global trap_stubs
trap_stubs:
	.set	number, 0
	.rept	256
	stub	%number
	.set	number, number + 1
	.endr

	.noaltmacro
	.macro	push_list registers:vararg
	.irp	name, \registers
	push	%\name
	.endr
	.endm
	.macro	pop_list registers:vararg
	.irp	name, \registers
	pop	%\name
	.endr
	.endm

trap_common:
	push_list rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
	cld
	mov	%rsp, %rdi
	mov	%rsp, %rbp
	and	$-16, %rsp
	call	cpu_trap
	mov	%rbp, %rsp
	pop_list r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
	add	$16, %rsp
	iretq

/* void arch_context_switch(void **save, void *next): callee-saved registers live on the suspended stack. */
	.global arch_context_switch
arch_context_switch:
	push_list rbx, rbp, r12, r13, r14, r15
	mov	%rsp, (%rdi)
	mov	%rsi, %rsp
	pop_list r15, r14, r13, r12, rbp, rbx
	ret

/* First return of a new context: r12 is the entry, r13 its argument (arch_context_new). */
	.global context_start
context_start:
	mov	%r13, %rdi
	xor	%ebp, %ebp
	call	*%r12
	ud2

	.section .note.GNU-stack, "", @progbits
