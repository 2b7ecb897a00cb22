/* Exceptions: what they are called, and the report that ends the machine. */
#include "arch/riscv64/cpu.h"

#include "arch/common/paging.h"
#include "base/panic.h"
#include "base/print.h"

#include <stddef.h>

/* As trap.S stores it. */
struct trap_frame {
	uint64_t x[32];
	uint64_t sepc, sstatus, scause, stval;
};

_Static_assert(sizeof(struct trap_frame) == 288, "trap.S knows this");

/* Privileged ISA table 4.2. */
#define CAUSE_LOAD_PAGE 13
#define CAUSE_STORE_PAGE 15
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

static const char *trap_name(const struct trap_frame *frame)
{
	bool data = frame->scause == CAUSE_LOAD_PAGE || frame->scause == CAUSE_STORE_PAGE;
	const char *fault = data ? paging_fault_name(frame->stval) : NULL;

	if (fault)
		return fault;
	return frame->scause < 16 ? exception_names[frame->scause] : "exception";
}

/* Called by trap.S on the trap stack. */
_Noreturn void cpu_trap(const struct trap_frame *frame);
void cpu_trap(const struct trap_frame *frame)
{
	panic_begin();
	print("\n[PANIC] trap: %s, cause %lu sepc 0x%016lx stval 0x%016lx cpu %u\n", trap_name(frame), frame->scause,
	      frame->sepc, frame->stval, arch_cpu());
	for (unsigned i = 0; i < 32; i += 4)
		print("x%02u %016lx %016lx %016lx %016lx\n", i, frame->x[i], frame->x[i + 1], frame->x[i + 2],
		      frame->x[i + 3]);
	print("sstatus %016lx\n", frame->sstatus);
	arch_exit(false);
}
