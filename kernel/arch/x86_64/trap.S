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

trap_common:
	push	%rax
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rbp
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	cld
	mov	%rsp, %rdi
	mov	%rsp, %rbp
	and	$-16, %rsp
	call	cpu_trap
	mov	%rbp, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rbp
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rbx
	pop	%rax
	add	$16, %rsp
	iretq

/* void arch_context_switch(void **save, void *next): callee-saved registers live on the suspended stack. */
	.global arch_context_switch
arch_context_switch:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, (%rdi)
	mov	%rsi, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

/* First return of a new context: r12 is the entry, r13 its argument (arch_context_new). */
	.global context_start
context_start:
	mov	%r13, %rdi
	xor	%ebp, %ebp
	call	*%r12
	ud2

	.section .note.GNU-stack, "", @progbits
