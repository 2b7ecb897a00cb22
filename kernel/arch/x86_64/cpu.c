/* This CPU: its descriptor tables, its number, its interrupt mask, what was interrupted, contexts. */
#include "arch/x86_64/cpu.h"

#define IA32_GS_BASE 0xc0000101u
#define STACK_TRAP_SIZE 8192

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

extern uint8_t trap_stubs[256][16];
extern uint64_t gdt[];

static struct idt_gate idt[256];
static struct tss tss[ARCH_CPUS_MAX];
/* Where the latest interrupt of each CPU struck. */
static uint64_t interrupted_pc[ARCH_CPUS_MAX];
/* Double faults, NMIs, machine checks and page faults have stacks of their own: the kernel's may be exhausted. */
static uint8_t trap_stacks[ARCH_CPUS_MAX][2][STACK_TRAP_SIZE] __attribute__((aligned(16)));

unsigned arch_cpu(void)
{
	uint64_t number;
	__asm__ volatile("mov %%gs:0, %0" : "=r"(number));
	return (unsigned)number;
}

uintptr_t arch_interrupted_pc(void)
{
	return interrupted_pc[arch_cpu()];
}

void cpu_interrupted(uint64_t pc)
{
	interrupted_pc[arch_cpu()] = pc;
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
	msr_write(IA32_GS_BASE, (uintptr_t)&cpus[cpu]);
	tss_install(cpu);
}

bool arch_irq_disable(void)
{
	uint64_t flags;
	__asm__ volatile("pushfq; pop %0; cli" : "=r"(flags) : : "memory");
	return flags & 0x200;
}

void arch_irq_restore(bool enabled)
{
	if (enabled)
		__asm__ volatile("sti" : : : "memory");
}

void arch_irq_wait(void)
{
	/* sti takes effect after the next instruction: an interrupt cannot slip in between (Intel SDM 2B, STI). */
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

void arch_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
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
