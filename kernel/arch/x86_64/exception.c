/* Exceptions: what they are called, and the report that ends the machine; other vectors go on to irq.c. */
#include "arch/x86_64/cpu.h"

#include "base/panic.h"
#include "base/print.h"

/* Those that can happen to a kernel without FPU and rings (Intel SDM 3A table 6-1). */
static const char *const exception_names[32] = {
	[0] = "divide error",
	[1] = "debug",
	[2] = "NMI",
	[3] = "breakpoint",
	[6] = "invalid opcode",
	[7] = "device not available",
	[8] = "double fault",
	[10] = "invalid TSS",
	[11] = "segment not present",
	[12] = "stack fault",
	[13] = "general protection",
	[14] = "page fault",
	[18] = "machine check",
};

static _Noreturn void trap_fatal(const struct trap_frame *frame)
{
	const char *name = frame->vector < 32 ? exception_names[frame->vector] : NULL;
	uint64_t cr2, cr3;

	panic_begin();
	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	if (frame->vector == VECTOR_PAGE_FAULT && mmu_is_guard(cr2))
		name = cr2 < 4096 ? "page fault by a null pointer" : "stack overflow";
	print("\n[PANIC] trap: %s, vector %lu error 0x%lx rip 0x%016lx cr2 0x%016lx cpu %u\n",
	      name ? name : "unexpected", frame->vector, frame->error, frame->rip, cr2, arch_cpu());
	print("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", frame->rax, frame->rbx, frame->rcx, frame->rdx);
	print("rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", frame->rsi, frame->rdi, frame->rbp, frame->rsp);
	print("r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", frame->r8, frame->r9, frame->r10, frame->r11);
	print("r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", frame->r12, frame->r13, frame->r14, frame->r15);
	print("cr3 %016lx rflags %016lx\n", cr3, frame->rflags);
	arch_exit(false);
}

/* Called by trap.S with interrupts off. */
void cpu_trap(const struct trap_frame *frame);
void cpu_trap(const struct trap_frame *frame)
{
	cpu_interrupted(frame->rip);
	if (frame->vector < 32 || !irq_dispatch((unsigned)frame->vector))
		trap_fatal(frame);
}
