/* Descriptor tables, exceptions, contexts, and the end of the machine. */
#include "arch/x86_64/cpu.h"

#include "base/panic.h"
#include "base/print.h"

#define IA32_GS_BASE 0xc0000101u
#define STACK_TRAP_SIZE 8192
#define POWER_OFF_NS 1000000000ull

/* Intel SDM 3A 7.7, figure 7-11. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, io_map;
} __attribute__((packed));

/* Intel SDM 3A 6.14.1, figure 6-8. */
struct idt_gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};

/* What %gs points at: the CPU's number (arch_cpu), and where its latest interrupt struck. */
struct cpu_area {
	uint64_t number;
	uint64_t interrupted_pc;
};

extern uint8_t trap_stubs[256][16];
extern uint64_t gdt[];

static struct idt_gate idt[256];
static struct tss tss[ARCH_CPUS_MAX];
static struct cpu_area areas[ARCH_CPUS_MAX];
/* Double faults, NMIs, machine checks and page faults have stacks of their own: the kernel's may be exhausted. */
static uint8_t trap_stacks[ARCH_CPUS_MAX][2][STACK_TRAP_SIZE] __attribute__((aligned(16)));

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

unsigned arch_cpu(void)
{
	uint64_t number;
	__asm__ volatile("mov %%gs:0, %0" : "=r"(number));
	return (unsigned)number;
}

uintptr_t arch_interrupted_pc(void)
{
	return areas[arch_cpu()].interrupted_pc;
}

void cpu_init_traps(void)
{
	for (unsigned vector = 0; vector < 256; vector++) {
		uintptr_t stub = (uintptr_t)trap_stubs[vector];

		idt[vector] = (struct idt_gate){
			.offset_low = (uint16_t)stub,
			.selector = SELECTOR_CODE,
			.type = 0x8e, /* present, ring 0, 64-bit interrupt gate */
			.offset_middle = (uint16_t)(stub >> 16),
			.offset_high = (uint32_t)(stub >> 32),
		};
	}
	idt[VECTOR_NMI].ist = idt[VECTOR_DOUBLE_FAULT].ist = idt[VECTOR_MACHINE_CHECK].ist = 1;
	idt[VECTOR_PAGE_FAULT].ist = 2;
}

static void tss_install(unsigned cpu)
{
	uintptr_t base = (uintptr_t)&tss[cpu];
	uint64_t *descriptor = &gdt[SELECTOR_TSS / 8 + 2 * cpu];

	tss[cpu].ist[0] = (uintptr_t)trap_stacks[cpu][0] + STACK_TRAP_SIZE;
	tss[cpu].ist[1] = (uintptr_t)trap_stacks[cpu][1] + STACK_TRAP_SIZE;
	tss[cpu].io_map = sizeof(struct tss);
	descriptor[0] =
		(sizeof(struct tss) - 1) | (base & 0xffffff) << 16 | (uint64_t)0x89 << 40 | ((base >> 24) & 0xff) << 56;
	descriptor[1] = base >> 32;
	__asm__ volatile("ltr %w0" : : "r"(SELECTOR_TSS + 16 * cpu));
}

void cpu_init(unsigned cpu)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = {sizeof(idt) - 1, (uintptr_t)idt};

	__asm__ volatile("lidt %0" : : "m"(pointer));
	areas[cpu].number = cpu;
	msr_write(IA32_GS_BASE, (uintptr_t)&areas[cpu]);
	tss_install(cpu);
}

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
	areas[arch_cpu()].interrupted_pc = frame->rip;
	if (frame->vector < 32 || !irq_dispatch((unsigned)frame->vector))
		trap_fatal(frame);
}

void arch_exit(bool success)
{
	__asm__ volatile("cli");
	/* SLP_EN with sleep type 0, which q35's DSDT calls S5 (ACPI 6.4 §4.8.3.2). */
	if (success) {
		io_out16(timer_power_port(), 0x2000);
		/* QEMU's main loop takes it up a moment later. */
		for (uint64_t start = arch_ticks(); arch_ticks_to_ns(arch_ticks() - start) < POWER_OFF_NS;)
			arch_relax();
	}
	/* isa-debug-exit: QEMU ends with (value << 1) | 1. */
	io_out32(0xf4, 1);
	for (;;)
		__asm__ volatile("hlt");
}

void *arch_context_new(void *stack_top, void (*entry)(void *), void *argument)
{
	extern void context_start(void);
	uint64_t *stack = (uint64_t *)((uintptr_t)stack_top & ~15ull);

	/* As arch_context_switch pops: r15 r14 r13 r12 rbp rbx, then the return address. */
	*--stack = 0;
	*--stack = (uintptr_t)context_start;
	*--stack = 0;
	*--stack = 0;
	*--stack = (uintptr_t)entry;
	*--stack = (uintptr_t)argument;
	*--stack = 0;
	*--stack = 0;
	return stack;
}
