/* The generic timer's virtual counter as the clock and its timer in one-shot mode; the PMU counts instructions. */
#include "arch/aarch64/cpu.h"

#include "arch/common/machine.h"
#include "base/clock.h"
#include "base/panic.h"

/* Arm ARM D17.8.25: enable, and mask the interrupt. */
#define CTL_ENABLE 1u
/* The third interrupt of the timer's node is the virtual one's; PPI n is interrupt 16 + n (Linux binding arm,gic-v3).
 */
#define TREE_VIRTUAL 2
#define TREE_CELLS 3
#define PPI_FIRST 16

/* Arm ARM D13.11: instructions architecturally executed. */
#define EVENT_INST_RETIRED 0x08u
#define PMU_VERSION_NONE 0
#define PMU_VERSION_OTHER 15

/* QEMU's, until it is read. */
static uint64_t frequency_hz = 62500000;
static uint32_t line;
static void (*handler)(void);
/* The event counter has 32 bits; these are its upper ones, by CPU. */
static uint64_t instructions[ARCH_CPUS_MAX];

uint64_t arch_ticks(void)
{
	return SYSREG_READ(cntvct_el0);
}

uint64_t arch_ticks_to_ns(uint64_t ticks)
{
	return clock_scale(ticks, CLOCK_NS, frequency_hz);
}

/* This machine has no second clock to compare the counter with. */
int32_t arch_ticks_drift_ppm(void)
{
	return 0;
}

static bool pmu_counts_instructions(void)
{
	unsigned version = SYSREG_FIELD(id_aa64dfr0_el1, 8);

	return version != PMU_VERSION_NONE && version != PMU_VERSION_OTHER &&
	       SYSREG_READ(pmceid0_el0) >> EVENT_INST_RETIRED & 1;
}

uint64_t arch_instructions(void)
{
	bool enabled = arch_irq_disable();
	uint64_t *total = &instructions[arch_cpu()];
	uint64_t now;

	*total += (uint32_t)(SYSREG_READ(pmevcntr0_el0) - *total);
	now = *total;
	arch_irq_restore(enabled);
	return now;
}

void timer_init(void)
{
	int node = fdt_find(&machine.fdt, -1, "compatible", "arm,armv8-timer");
	struct fdt_property interrupts;
	uint64_t hz = SYSREG_READ(cntfrq_el0);

	if (!hz || hz >> 34)
		panic("timer: impossible frequency %lu Hz", hz);
	frequency_hz = hz;
	if (fdt_property(&machine.fdt, node, "interrupts", &interrupts) ||
	    fdt_cell(&interrupts, TREE_CELLS * TREE_VIRTUAL, 0) != 1)
		panic("device tree: no interrupt for the virtual timer");
	line = PPI_FIRST + fdt_cell(&interrupts, TREE_CELLS * TREE_VIRTUAL + 1, 0);
}

void timer_init_cpu(void)
{
	SYSREG_WRITE(cntv_ctl_el0, 0);
	if (!pmu_counts_instructions())
		return;
	SYSREG_WRITE(pmevtyper0_el0, EVENT_INST_RETIRED);
	SYSREG_WRITE(pmcntenset_el0, 1);
	SYSREG_WRITE(pmcr_el0, SYSREG_READ(pmcr_el0) | 1);
	isb();
}

uint32_t timer_line(void)
{
	return line;
}

void arch_timer_handler(void (*function)(void))
{
	handler = function;
}

void arch_timer_arm(uint64_t ns)
{
	if (ns) {
		SYSREG_WRITE(cntv_cval_el0, arch_ticks() + clock_scale(ns, frequency_hz, CLOCK_NS) + 1);
		SYSREG_WRITE(cntv_ctl_el0, CTL_ENABLE);
	} else {
		SYSREG_WRITE(cntv_ctl_el0, 0);
	}
	isb();
}

void timer_interrupt(void)
{
	SYSREG_WRITE(cntv_ctl_el0, 0);
	isb();
	if (handler)
		handler();
}
