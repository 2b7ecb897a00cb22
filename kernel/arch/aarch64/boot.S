/*
 * From QEMU's ELF entry to C: at EL1 or EL2 with the MMU off in, at EL1 with RAM cacheable out. The boot tables map
 * the virt machine's first two GiB, devices and RAM; mmu.c replaces them by what the device tree says.
 */
#include "arch/common/boot_stack.inc"
#include "arch/aarch64/layout.h"

	.section .boot.text, "ax"
	.global boot_entry
boot_entry:
	mrs	x9, CurrentEL
	adrp	x10, boot_level
	str	x9, [x10, :lo12:boot_level]
	bl	enter_el1
	adrp	x0, boot_stack_top
	mov	sp, x0
	adrp	x0, cpus
	add	x0, x0, :lo12:cpus
	msr	tpidr_el1, x0
	adrp	x1, boot_trap_stack_top
	str	x1, [x0, #CPU_TRAP_STACK]
	bl	set_vectors

	/* Level 0 entry 0 → level 1: 0 … 1 GiB device, 1 … 2 GiB RAM. */
	adrp	x0, boot_tables
	add	x1, x0, #4096
	orr	x2, x1, #PTE_TABLE
	str	x2, [x0]
	mov	x2, #(PTE_BLOCK | PTE_ACCESSED | MAIR_INDEX_DEVICE << PTE_ATTRIBUTE_SHIFT)
	str	x2, [x1]
	mov	x2, #(PTE_BLOCK | PTE_ACCESSED | PTE_INNER_SHAREABLE | MAIR_INDEX_NORMAL << PTE_ATTRIBUTE_SHIFT)
	orr	x2, x2, #0x40000000
	str	x2, [x1, #8]
	bl	mmu_enable
	mov	x29, xzr
	bl	kernel_main
	brk	#0

/* PSCI CPU_ON's entry (DEN0022 §6.4): x0 is the struct cpu that smp.c filled. */
	.global boot_secondary
boot_secondary:
	mov	x19, x0
	bl	enter_el1
	msr	tpidr_el1, x19
	bl	set_vectors
	adrp	x0, boot_root
	ldr	x0, [x0, :lo12:boot_root]
	bl	mmu_enable
	ldr	x1, [x19, #CPU_STACK]
	mov	sp, x1
	mov	x29, xzr
	bl	smp_entry
	brk	#0

/* From here on an SError is taken, and says what it is; it stays pending while it is masked. */
set_vectors:
	adrp	x9, trap_vectors
	add	x9, x9, :lo12:trap_vectors
	msr	vbar_el1, x9
	isb
	msr	daifclr, #4
	ret

/* Leaves EL2 for EL1 with nothing trapped and the virtual counter equal to the physical one; clobbers x9, x10. */
enter_el1:
	msr	daifset, #15
	ldr	x9, =SCTLR_RESET
	msr	sctlr_el1, x9
	mrs	x9, CurrentEL
	cmp	x9, #(2 << 2)
	b.ne	1f
	mov	x9, #(1 << 31)			/* HCR_EL2.RW: EL1 is AArch64 */
	msr	hcr_el2, x9
	mov	x9, #3				/* EL1 may use the physical counter and timer */
	msr	cnthctl_el2, x9
	msr	cntvoff_el2, xzr
	msr	vttbr_el2, xzr
	msr	hstr_el2, xzr
	mov	x9, #0x33ff			/* CPTR_EL2: its ones, no traps */
	msr	cptr_el2, x9
	mrs	x9, pmcr_el0			/* MDCR_EL2.HPMN: every event counter is EL1's */
	ubfx	x9, x9, #11, #5
	msr	mdcr_el2, x9
	mrs	x9, midr_el1
	msr	vpidr_el2, x9
	mrs	x9, mpidr_el1
	msr	vmpidr_el2, x9
	mrs	x9, id_aa64pfr0_el1		/* .GIC: system registers of the GIC's CPU interface */
	ubfx	x9, x9, #24, #4
	cbz	x9, 2f
	mrs	x9, S3_4_C12_C9_5		/* ICC_SRE_EL2: SRE, Enable */
	mov	x10, #9
	orr	x9, x9, x10
	msr	S3_4_C12_C9_5, x9
	isb
2:	mov	x9, #PSR_EL1
	msr	spsr_el2, x9
	msr	elr_el2, x30
	eret
1:	ret

/* void mmu_enable(uint64_t *root): off first, so that tables never change under a live translation (D8.14.1). */
	.global mmu_enable
mmu_enable:
	dsb	sy
	ldr	x9, =SCTLR_RESET
	msr	sctlr_el1, x9
	isb
	ldr	x9, =MAIR_VALUE
	msr	mair_el1, x9
	mrs	x9, id_aa64mmfr0_el1		/* .PARange; 48 bits are the most that 4 KiB pages reach here */
	and	x9, x9, #15
	mov	x10, #5
	cmp	x9, x10
	csel	x9, x9, x10, lo
	lsl	x9, x9, #TCR_IPS_SHIFT
	ldr	x10, =TCR_VALUE
	orr	x9, x9, x10
	msr	tcr_el1, x9
	msr	ttbr0_el1, x0
	isb
	tlbi	vmalle1
	dsb	nsh
	ic	iallu
	dsb	nsh
	isb
	ldr	x9, =(SCTLR_RESET | SCTLR_MMU)
	msr	sctlr_el1, x9
	isb
	ret
	.ltorg

	.section .data
	.balign 8
	.global boot_level, boot_root
boot_level:				/* CurrentEL as it was */
	.quad	0
boot_root:				/* root table of CPUs that start later */
	.quad	0

	.section .bss
	.balign 4096
boot_tables:
	.skip	2 * 4096
	boot_stack CPU_STACK_SIZE
	boot_trap_stack TRAP_STACK_SIZE

	.section .note.GNU-stack, "", @progbits
