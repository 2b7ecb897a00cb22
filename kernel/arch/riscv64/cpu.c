/* Exceptions, contexts, and the order in which this machine is brought up. */
#include "arch/riscv64/cpu.h"

#include "arch/dt/machine.h"
#include "lib/assert.h"
#include "lib/print.h"

#include <stddef.h>

/* As trap.S stores it. */
struct trap_frame {
	uint64_t x[32];
	uint64_t sepc, sstatus, scause, stval;
};

struct cpu cpus[ARCH_CPUS_MAX];
_Static_assert(offsetof(struct cpu, trap_stack) == CPU_TRAP_STACK && offsetof(struct cpu, stack) == CPU_STACK &&
		       offsetof(struct cpu, fatal_sp) == CPU_FATAL_SP,
	       "trap.S and boot.S know these");
_Static_assert(sizeof(struct trap_frame) == 288, "trap.S knows this");

/* All but the boot CPU's, whose stack is in boot.S. */
static uint8_t trap_stacks[ARCH_CPUS_MAX - 1][TRAP_STACK_SIZE] __attribute__((aligned(16)));
static struct arch_boot boot;

/* Privileged ISA table 4.2. */
static const char *const exception_names[] = {
	"instruction misaligned",
	"instruction access fault",
	"illegal instruction",
	"breakpoint",
	"load misaligned",
	"load access fault",
	"store misaligned",
	"store access fault",
	"ecall from U",
	"ecall from S",
	"exception",
	"exception",
	"instruction page fault",
	"load page fault",
	"exception",
	"store page fault",
};

unsigned arch_cpu(void)
{
	uint64_t number;

	__asm__ volatile("ld %0, 0(tp)" : "=r"(number));
	return (unsigned)number;
}

/* Called by trap.S on the trap stack. A second one on the same CPU, while the first is printed, ends at once. */
_Noreturn void cpu_trap(const struct trap_frame *frame);
void cpu_trap(const struct trap_frame *frame)
{
	static volatile bool fatal[ARCH_CPUS_MAX];
	unsigned cpu = arch_cpu();

	if (fatal[cpu])
		arch_exit(false);
	fatal[cpu] = true;
	print("\n[PANIC] trap: %s, cause %lu sepc 0x%016lx stval 0x%016lx cpu %u\n",
	      frame->scause < 16 ? exception_names[frame->scause] : "exception", frame->scause, frame->sepc,
	      frame->stval, cpu);
	for (unsigned i = 0; i < 32; i += 4)
		print("x%02u %016lx %016lx %016lx %016lx\n", i, frame->x[i], frame->x[i + 1], frame->x[i + 2],
		      frame->x[i + 3]);
	print("sstatus %016lx\n", frame->sstatus);
	arch_exit(false);
}

bool arch_irq_disable(void)
{
	uint64_t before;

	__asm__ volatile("csrrc %0, sstatus, %1" : "=r"(before) : "K"(SSTATUS_SIE) : "memory");
	return before & SSTATUS_SIE;
}

void arch_irq_restore(bool enabled)
{
	if (enabled)
		CSR_SET(sstatus, SSTATUS_SIE);
}

void arch_irq_wait(void)
{
	/* wfi ends on a pending interrupt whether or not sstatus masks it, so none can slip in before it. */
	__asm__ volatile("wfi" : : : "memory");
	CSR_SET(sstatus, SSTATUS_SIE);
	CSR_CLEAR(sstatus, SSTATUS_SIE);
}

void arch_relax(void)
{
	/* pause (Zihintpause), a fence without effect to those that do not know it. */
	__asm__ volatile(".4byte 0x0100000f" : : : "memory");
}

void *arch_context_new(void *stack_top, void (*entry)(void *), void *argument)
{
	extern void context_start(void);
	uint64_t *stack = (uint64_t *)((uintptr_t)stack_top & ~15ull) - 14;

	/* As arch_context_switch loads: ra, s0 … s11. */
	for (unsigned i = 0; i < 14; i++)
		stack[i] = 0;
	stack[0] = (uintptr_t)context_start;
	stack[1] = (uintptr_t)entry;
	stack[2] = (uintptr_t)argument;
	return stack;
}

const struct arch_boot *arch_init(void)
{
	extern uint64_t boot_hart, boot_tree;
	extern uint8_t kernel_end[];

	machine_read(boot_tree, boot_hart);
	for (unsigned i = 0; i < machine.cpus; i++) {
		cpus[i].number = i;
		cpus[i].hart = machine.cpu_ids[i];
		if (i)
			cpus[i].trap_stack = trap_stacks[i - 1] + TRAP_STACK_SIZE;
	}
	smp_init();
	uart_init();
	mmu_init();
	timer_init();
	irq_init();
	irq_init_cpu();
	boot.name = "riscv64";
	boot.irq = "intx";
	boot.command_line = machine.command_line;
	boot.cpus_present = machine.cpus;
	machine_free_memory((uintptr_t)kernel_end, &boot);
	return &boot;
}
