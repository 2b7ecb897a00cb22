/* The page tables in use, read back leaf by leaf: TCG has no caches, so wrong attributes show nowhere else. */
#include "arch/common/intx.h"
#include "arch/common/machine.h"
#include "arch/common/paging.h"
#include "arch/ktest/cpu.h"
#include "drivers/pci/pci.h"
#include "options.h"
#include "sched/sched.h"
#include "test/ktest.h"
#include "test/machine.h"

#define PAGE_SIZE 4096ull
#define PATIENCE_NS 5000000000ull
/* A slot without a device. */
#define SLOT 30
#define PIN 1

extern uint8_t kernel_start[], kernel_constants[], kernel_data[], kernel_end[], boot_stack_guard[];

/* What a walk over the whole address space has seen. */
struct survey {
	uint64_t ram_bytes, device_bytes;
	bool identity, sealed, code_in_image, ram_is_ram, devices_outside;
};

static bool inside(uint64_t address, const uint8_t *from, const uint8_t *to)
{
	return address >= (uintptr_t)from && address < (uintptr_t)to;
}

static void survey_leaf(struct survey *survey, uint64_t at, const struct paging_leaf *leaf)
{
	uint64_t size = 1ull << leaf->shift;
	bool in_bank = at >= machine.memory.start && at - machine.memory.start < machine.memory.length;
	bool writable = mmu_format.is_writable(leaf->entry), executable = mmu_format.is_executable(leaf->entry);

	survey->identity = survey->identity && leaf->physical == at;
	survey->sealed = survey->sealed && !(writable && executable);
	if (executable)
		survey->code_in_image = survey->code_in_image && inside(at, kernel_start, kernel_constants) &&
					inside(at + size - 1, kernel_start, kernel_constants);
	if (in_bank) {
		survey->ram_bytes += size;
		survey->ram_is_ram = survey->ram_is_ram && leaf->kind != PAGING_DEVICE;
	} else {
		survey->device_bytes += size;
		survey->devices_outside = survey->devices_outside && leaf->kind == PAGING_DEVICE;
	}
}

/* Calls survey_leaf for every leaf, and notes each run of one kind. */
static struct survey survey_all(void)
{
	static const char *const kinds[] = {"hole", "ram", "code", "constants", "device"};
	struct survey survey = {
		.identity = true, .sealed = true, .code_in_image = true, .ram_is_ram = true, .devices_outside = true};
	uint64_t end = 1ull << (mmu_format.top_shift + 9), start = 0;
	enum paging_kind kind = PAGING_NONE;

	for (uint64_t at = 0; at < end;) {
		struct paging_leaf leaf = paging_look(&mmu_format, at);

		if (leaf.kind != kind) {
			if (kind != PAGING_NONE)
				ktest_note("0x%lx … 0x%lx %s", start, at, kinds[kind]);
			start = at;
			kind = leaf.kind;
		}
		if (leaf.kind != PAGING_NONE)
			survey_leaf(&survey, at, &leaf);
		at += 1ull << leaf.shift;
	}
	return survey;
}

static unsigned here_calls;
/* By the task on CPU 1, and for it. */
static volatile bool attached, called, woken, errors_elsewhere;

static void here_handler(void *argument)
{
	(void)argument;
	here_calls++;
}

static void elsewhere_handler(void *argument)
{
	(void)argument;
	called = true;
}

/* Shares the line, then halts; nothing but the line's CPU will wake it. */
static void elsewhere(void *argument)
{
	bool enabled = arch_irq_disable();

	errors_elsewhere = cpu_takes_errors();
	attached = !arch_intx_attach(SLOT, PIN, elsewhere_handler, argument);
	while (attached && !called)
		arch_irq_wait();
	woken = attached;
	arch_irq_restore(enabled);
}

static bool wait_for(const volatile bool *flag)
{
	uint64_t start = arch_ticks();

	while (!*flag)
		if (arch_ticks_to_ns(arch_ticks() - start) > PATIENCE_NS)
			return false;
	return true;
}

static void shared_line(void)
{
	uint32_t line = intx_line(SLOT, PIN);
	enum pci_irq kind;
	bool enabled;

	ktest_check(!arch_intx_attach(SLOT, PIN, here_handler, NULL) &&
			    !arch_intx_attach(SLOT, PIN, here_handler, NULL),
		    "a handler is attached to a pin, twice");
	ktest_check(pci_irq_attach(&(struct pci_device){.bus = 1, .device = SLOT, .pin = PIN}, 0, elsewhere_handler,
				   NULL, &kind) == ERROR_NODEV,
		    "a pin behind a bridge is none that is known here");
	enabled = arch_irq_disable();
	ktest_check(intx_dispatch(line) && here_calls == 1, "and runs once an interrupt");
	arch_irq_restore(enabled);
	if (sched_start_cpus(ktest_machine->cpus_present, CPUS) < 2) {
		ktest_skip("a line that two CPUs share", "there is one CPU");
		return;
	}
	if (!ktest_check(sched_spawn(1, "line", elsewhere, NULL) && wait_for(&attached), "CPU 1 shares the line"))
		return;
	enabled = arch_irq_disable();
	intx_dispatch(line);
	arch_irq_restore(enabled);
	ktest_check(here_calls == 2 && called && wait_for(&woken), "an interrupt here wakes the handler's CPU");
	ktest_check(errors_elsewhere, "a task on CPU 1 takes SErrors");
}

static void run(void)
{
	struct survey survey = survey_all();
	static volatile uint8_t variable;
	static const uint8_t constant = 1;

	ktest_check(survey.identity, "every page is mapped to itself");
	ktest_check(survey.sealed, "no page is both writable and executable");
	ktest_check(survey.code_in_image, "nothing outside of the kernel's text is executable");
	ktest_check(survey.ram_is_ram, "no page of RAM is device memory");
	ktest_check(survey.devices_outside && survey.device_bytes, "every page outside of RAM is device memory");
	ktest_check(survey.ram_bytes == machine.memory.length - PAGE_SIZE,
		    "all RAM is mapped except the stack's guard");
	ktest_check(mmu_agrees(0, PAGING_NONE), "the null page is not mapped");
	ktest_check(mmu_agrees((uintptr_t)boot_stack_guard, PAGING_NONE), "the stack's guard is not mapped");
	ktest_check(mmu_agrees((uintptr_t)run, PAGING_CODE), "the MMU lets code be read, not written");
	ktest_check(mmu_agrees((uintptr_t)&constant, PAGING_CONSTANT), "the MMU lets constants be read, not written");
	ktest_check(mmu_agrees((uintptr_t)&variable, PAGING_RAM), "the MMU caches variables");
	ktest_check(mmu_agrees((uintptr_t)kernel_end, PAGING_RAM), "the MMU caches free memory");
	if (machine.pci >= 0)
		ktest_check(mmu_agrees(machine.ecam.start, PAGING_DEVICE), "PCI's registers are mapped as a device");
	ktest_check(cpu_takes_errors(), "the boot CPU takes SErrors");
	cpu_check_start();
	if (machine.pci >= 0)
		shared_line();
}

KTEST_SUITE(arch, run);
