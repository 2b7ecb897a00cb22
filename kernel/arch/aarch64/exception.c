/* Exceptions: what they are called, and the report that ends the machine. */
#include "arch/aarch64/cpu.h"

#include "arch/common/paging.h"
#include "base/panic.h"
#include "base/print.h"

#include <stddef.h>

/* As trap.S stores it. */
struct trap_frame {
	uint64_t x[31], sp;
	uint64_t elr, spsr, esr, far, vector;
};

_Static_assert(sizeof(struct trap_frame) <= 304 && offsetof(struct trap_frame, vector) == 288, "trap.S knows this");

/* ESR_EL1.EC (Arm ARM D17.2.37). */
#define CLASS_DATA_ABORT 0x25

static const char *exception_name(uint64_t class)
{
	switch (class) {
	case 0x00:
		return "unknown instruction";
	case 0x0e:
		return "illegal execution state";
	case 0x18:
		return "trapped system register";
	case 0x21:
		return "instruction abort";
	case 0x22:
		return "pc alignment";
	case CLASS_DATA_ABORT:
		return "data abort";
	case 0x26:
		return "sp alignment";
	case 0x2f:
		return "SError";
	case 0x3c:
		return "brk";
	default:
		return "exception";
	}
}

static const char *trap_name(const struct trap_frame *frame)
{
	uint64_t class = frame->esr >> 26 & 63;
	const char *fault = class == CLASS_DATA_ABORT ? paging_fault_name(frame->far) : NULL;

	if (frame->vector % 4 == 3)
		return "SError";
	return fault ? fault : exception_name(class);
}

/* Called by trap.S on the trap stack. */
_Noreturn void cpu_trap(const struct trap_frame *frame);
void cpu_trap(const struct trap_frame *frame)
{
	panic_begin();
	print("\n[PANIC] trap: %s, vector %lu esr 0x%lx elr 0x%016lx far 0x%016lx cpu %u\n", trap_name(frame),
	      frame->vector, frame->esr, frame->elr, frame->far, arch_cpu());
	for (unsigned i = 0; i < 28; i += 4)
		print("x%02u %016lx %016lx %016lx %016lx\n", i, frame->x[i], frame->x[i + 1], frame->x[i + 2],
		      frame->x[i + 3]);
	print("x28 %016lx x29 %016lx x30 %016lx sp %016lx spsr %016lx\n", frame->x[28], frame->x[29], frame->x[30],
	      frame->sp, frame->spsr);
	arch_exit(false);
}
