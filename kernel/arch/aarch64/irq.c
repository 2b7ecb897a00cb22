/* The GICv3: software interrupts between CPUs, the timer's private interrupt, pin interrupts (Arm IHI 0069). */
#include "arch/aarch64/cpu.h"
#include "arch/common/intx.h"
#include "arch/common/machine.h"
#include "arch/common/mmio.h"
#include "base/panic.h"

#define GICD_CTLR 0x0000
#define GICD_TYPER 0x0004
#define GICD_IGROUPR 0x0080
#define GICD_ISENABLER 0x0100
#define GICD_ICENABLER 0x0180
#define GICD_IPRIORITYR 0x0400
#define GICD_ICFGR 0x0c00
#define GICD_IROUTER 0x6000
#define GICD_CTLR_GROUP1_ARE 0x12 /* EnableGrp1, ARE: a single security state */
#define GICD_CTLR_WRITE_PENDING (1u << 31)

#define GICR_TYPER 0x0008
#define GICR_TYPER_LAST (1u << 4)
#define GICR_WAKER 0x0014
#define GICR_WAKER_SLEEP 2u
#define GICR_WAKER_ASLEEP 4u
#define GICR_SGI 0x10000 /* offset of the frame for interrupts 0 … 31 */
#define GICR_SIZE 0x20000

#define ICC_SRE S3_0_C12_C12_5
#define ICC_PMR S3_0_C4_C6_0
#define ICC_BPR1 S3_0_C12_C12_3
#define ICC_CTLR S3_0_C12_C12_4
#define ICC_IGRPEN1 S3_0_C12_C12_7
#define ICC_IAR1 S3_0_C12_C12_0
#define ICC_EOIR1 S3_0_C12_C12_1
#define ICC_SGI1R S3_0_C12_C11_5

#define LINE_IPI 0u
#define LINE_SPI_FIRST 32u
#define LINE_SPECIAL 1020u
#define PRIORITY 0xa0
#define WAIT_NS 100000000ull

static uint64_t distributor;
static uint32_t lines;
static void (*ipi_handler)(void);

/* Waits until none of `bits` is set in a register. */
static void wait_clear(uint64_t address, uint32_t bits)
{
	uint64_t began = arch_ticks();

	while (mmio_read32(address) & bits) {
		if (arch_ticks_to_ns(arch_ticks() - began) > WAIT_NS)
			panic("gic: register 0x%lx keeps 0x%x", address, bits);
	}
}

static void redistributors_find(int node)
{
	struct fdt_region region;

	for (unsigned i = 1; fdt_reg(&machine.fdt, node, i, &region) == 0; i++) {
		if (!arch_map_device(region.start, region.length))
			panic("gic: no tables left for redistributors");
		for (uint64_t at = region.start; at + GICR_SIZE <= region.start + region.length; at += GICR_SIZE) {
			uint64_t type = mmio_read64(at + GICR_TYPER), affinity = type >> 32;

			/* Aff3 is apart from the other three in MPIDR_EL1. */
			affinity = (affinity & 0xffffff) | (affinity & 0xff000000) << 8;
			for (unsigned cpu = 0; cpu < machine.cpus; cpu++) {
				if (cpus[cpu].id == affinity)
					cpus[cpu].interrupts = at;
			}
			if (type & GICR_TYPER_LAST)
				break;
		}
	}
}

void irq_init(void)
{
	struct fdt_region registers;
	int node = machine_device("arm,gic-v3", &registers);

	if (node < 0 || !SYSREG_FIELD(id_aa64pfr0_el1, 24))
		panic("interrupt controller is not a GICv3: start QEMU with -machine virt,gic-version=3");
	distributor = registers.start;
	if (!arch_map_device(registers.start, registers.length))
		panic("gic: no tables left");
	redistributors_find(node);
	lines = 32 * ((mmio_read32(distributor + GICD_TYPER) & 31) + 1);
	if (lines > LINE_SPECIAL)
		lines = LINE_SPECIAL;
	for (uint32_t line = LINE_SPI_FIRST; line < lines; line += 32)
		mmio_write32(distributor + GICD_ICENABLER + line / 8, UINT32_MAX);
	mmio_write32(distributor + GICD_CTLR, GICD_CTLR_GROUP1_ARE);
	wait_clear(distributor + GICD_CTLR, GICD_CTLR_WRITE_PENDING);
}

void irq_init_cpu(void)
{
	uint64_t redistributor = cpus[arch_cpu()].interrupts, sgi = redistributor + GICR_SGI;

	if (!redistributor)
		panic("gic: no redistributor for cpu %u", arch_cpu());
	SYSREG_WRITE(ICC_SRE, SYSREG_READ(ICC_SRE) | 1);
	isb();
	mmio_write32(redistributor + GICR_WAKER, mmio_read32(redistributor + GICR_WAKER) & ~GICR_WAKER_SLEEP);
	wait_clear(redistributor + GICR_WAKER, GICR_WAKER_ASLEEP);
	mmio_write32(sgi + GICD_IGROUPR, UINT32_MAX);
	for (uint32_t line = 0; line < LINE_SPI_FIRST; line++)
		mmio_write8(sgi + GICD_IPRIORITYR + line, PRIORITY);
	mmio_write32(sgi + GICD_ICENABLER, UINT32_MAX);
	mmio_write32(sgi + GICD_ISENABLER, 1u << LINE_IPI | 1u << timer_line());
	SYSREG_WRITE(ICC_PMR, 0xff);
	SYSREG_WRITE(ICC_BPR1, 0);
	SYSREG_WRITE(ICC_CTLR, 0);
	SYSREG_WRITE(ICC_IGRPEN1, 1);
	isb();
}

uint32_t irq_line(const struct fdt_interrupt *interrupt)
{
	uint32_t line = LINE_SPI_FIRST + interrupt->cells[1];

	/* The first cell of the arm,gic-v3 binding: 0 is a shared interrupt. */
	return interrupt->count == 3 && interrupt->cells[0] == 0 && line < lines ? line : 0;
}

void irq_line_enable(uint32_t line)
{
	uint64_t group = distributor + GICD_IGROUPR + line / 32 * 4;
	uint64_t trigger = distributor + GICD_ICFGR + line / 16 * 4;

	mmio_write32(group, mmio_read32(group) | 1u << line % 32);
	mmio_write32(trigger, mmio_read32(trigger) & ~(2u << 2 * (line % 16))); /* level */
	mmio_write8(distributor + GICD_IPRIORITYR + line, PRIORITY);
	mmio_write64(distributor + GICD_IROUTER + 8 * line, cpu_affinity());
	mmio_write32(distributor + GICD_ISENABLER + line / 32 * 4, 1u << line % 32);
}

/* Called by trap.S with interrupts off. */
void irq_dispatch(void);
void irq_dispatch(void)
{
	uint32_t line = (uint32_t)SYSREG_READ(ICC_IAR1) & 0xffffff;

	if (line >= LINE_SPECIAL)
		return;
	/*
	 * Ended before it is handled, because a handler may switch to another context. Interrupts are masked until
	 * the source has been silenced.
	 */
	SYSREG_WRITE(ICC_EOIR1, line);
	isb();
	if (line == timer_line())
		timer_interrupt();
	else if (line == LINE_IPI && ipi_handler)
		ipi_handler();
	else if (line != LINE_IPI && !intx_dispatch(line))
		panic("gic: interrupt %u, which has no handler", line);
}

void arch_ipi_handler(void (*handler)(void))
{
	ipi_handler = handler;
}

void arch_ipi_send(unsigned cpu)
{
	uint64_t mpidr = cpus[cpu].id;

	/* The interrupted CPU must see what was written before. */
	__asm__ volatile("dsb ishst" : : : "memory");
	SYSREG_WRITE(ICC_SGI1R, (mpidr >> 32 & 0xff) << 48 | (mpidr >> 16 & 0xff) << 32 | (mpidr >> 4 & 0xf) << 44 |
					(mpidr >> 8 & 0xff) << 16 | (uint64_t)LINE_IPI << 24 | 1ull << (mpidr & 0xf));
	isb();
}
