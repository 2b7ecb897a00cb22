/*
 * From QEMU's PVH entry to C: 32-bit protected mode without paging in, long mode with the first 4 GiB identity-mapped
 * out. The page tables are built here from zeroed memory; mmu.c extends them.
 */
#include "arch/common/boot_stack.inc"
#include "arch/x86_64/layout.h"

	/* XEN_ELFNOTE_PHYS32_ENTRY: where `qemu -kernel` jumps to (Xen's PVH boot ABI). */
	.section .note.pvh, "a", @note
	.balign 4
	.long 4
	.long 4
	.long 18
	.asciz "Xen"
	.long pvh_entry

	.section .boot.text, "ax"
	.code32
	.global pvh_entry
pvh_entry:
	cld
	cli
	mov	%ebx, boot_start_info
	mov	$boot_stack_top, %esp

	/* Level 4 → level 3 → four level 2 tables of 2 MiB pages: 0 … 4 GiB. */
	mov	$boot_pml4, %edi
	mov	$boot_pdpt, %eax
	or	$(PTE_PRESENT | PTE_WRITE), %eax
	mov	%eax, (%edi)
	mov	$boot_pdpt, %edi
	mov	$boot_pd, %eax
	or	$(PTE_PRESENT | PTE_WRITE), %eax
	mov	$4, %ecx
1:	mov	%eax, (%edi)
	add	$4096, %eax
	add	$8, %edi
	loop	1b
	mov	$boot_pd, %edi
	mov	$(PTE_PRESENT | PTE_WRITE | PTE_LARGE), %eax
	mov	$2048, %ecx
2:	mov	%eax, (%edi)
	add	$0x200000, %eax
	add	$8, %edi
	loop	2b

	call	enter_long_mode
	ljmp	$SELECTOR_CODE, $boot64

/* 32-bit, in: nothing. Turns on PAE, long mode and paging with boot_pml4; clobbers eax, ecx, edx. */
	.global enter_long_mode
enter_long_mode:
	mov	$boot_pml4, %eax
	mov	%eax, %cr3
	mov	%cr4, %eax
	or	$0x20, %eax		/* CR4.PAE */
	mov	%eax, %cr4
	mov	$0xc0000080, %ecx	/* IA32_EFER */
	rdmsr
	or	$0x100, %eax		/* LME */
	wrmsr
	mov	%cr0, %eax
	and	$0x9fffffff, %eax	/* CD, NW: a CPU comes out of INIT with its caches off */
	or	$0x80010001, %eax	/* PG, WP, PE */
	mov	%eax, %cr0
	lgdt	gdt_pointer
	ret

	.code64
boot64:
	mov	$SELECTOR_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$boot_stack_top, %rsp
	xor	%ebp, %ebp
	call	kernel_main
	hlt

/*
 * Where a started CPU begins, in real mode at TRAMPOLINE_BASE; smp.c copies these bytes there and fills in the slots
 * at the end. Addresses are relative to the copy.
 */
#define AT(label) (label - trampoline_start + TRAMPOLINE_BASE)
	.code16
	.global trampoline_start, trampoline_end, trampoline_stack, trampoline_entry
trampoline_start:
	cli
	xor	%ax, %ax
	mov	%ax, %ds
	lgdtl	AT(trampoline_gdt_pointer)
	mov	%cr0, %eax
	or	$1, %eax
	mov	%eax, %cr0
	ljmpl	$SELECTOR_CODE32, $AT(trampoline32)
	.code32
trampoline32:
	mov	$SELECTOR_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$AT(trampoline_end), %esp
	mov	$enter_long_mode, %eax
	call	*%eax
	ljmp	$SELECTOR_CODE, $AT(trampoline64)
	.code64
trampoline64:
	mov	AT(trampoline_stack), %rsp
	mov	AT(trampoline_entry), %rax
	xor	%ebp, %ebp
	call	*%rax
	hlt
	.balign 8
trampoline_gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt
	.balign 8
trampoline_stack:
	.quad	0
trampoline_entry:
	.quad	0
	.skip	64			/* the 32-bit half's stack */
trampoline_end:

	.section .data
	.balign 16
	.global gdt
gdt:
	.quad	0
	.quad	0x00cf9a000000ffff	/* 32-bit code */
	.quad	0x00af9a000000ffff	/* 64-bit code */
	.quad	0x00cf92000000ffff	/* data */
	.skip	16 * 8			/* task state segments, by cpu.c */
gdt_end:
	.global gdt_pointer
gdt_pointer:
	.word	gdt_end - gdt - 1
	.quad	gdt

	.global boot_start_info
boot_start_info:
	.quad	0

	.section .bss
	.balign 4096
	.global boot_pml4, boot_pdpt
boot_pml4:
	.skip	4096
boot_pdpt:
	.skip	4096
boot_pd:
	.skip	4 * 4096
	boot_stack CPU_STACK_SIZE

	.section .note.GNU-stack, "", @progbits
