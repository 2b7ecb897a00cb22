/* Software interrupts through the SBI, the timer's, and pin interrupts through the PLIC (RISC-V PLIC 1.0.0). */
#include "arch/common/intx.h"
#include "arch/common/machine.h"
#include "arch/common/mmio.h"
#include "arch/riscv64/cpu.h"
#include "base/panic.h"

#define PLIC_PRIORITY 0x0
#define PLIC_ENABLE 0x2000
#define PLIC_ENABLE_STRIDE 0x80
#define PLIC_THRESHOLD 0x200000
#define PLIC_CLAIM 0x200004
#define PLIC_CONTEXT_STRIDE 0x1000
#define PLIC_LINES_MAX 1024
/* A hart that the PLIC does not serve; 0 is a context. */
#define CONTEXT_NONE UINT64_MAX

/* scause without its top bit (Privileged ISA table 4.2). */
#define CAUSE_INTERRUPT (1ull << 63)
#define CAUSE_SOFTWARE 1
#define CAUSE_TIMER 5
#define CAUSE_EXTERNAL 9

#define IPI_SEND 0

static uint64_t plic;
static uint32_t lines;
static void (*ipi_handler)(void);

/* The hart whose interrupt controller has this phandle; UINT64_MAX when none has. */
static uint64_t hart_of(uint32_t phandle)
{
	struct fdt_region id;
	int cpu = fdt_parent(&machine.fdt, fdt_find_phandle(&machine.fdt, phandle));

	return cpu >= 0 && fdt_reg(&machine.fdt, cpu, 0, &id) == 0 ? id.start : UINT64_MAX;
}

/* Context n of the PLIC belongs to the n-th pair (hart's controller, cause) of its "interrupts-extended". */
static void contexts_find(int node, uint64_t length)
{
	struct fdt_property pairs;

	if (fdt_property(&machine.fdt, node, "interrupts-extended", &pairs))
		panic("device tree: the PLIC serves no CPU");
	for (unsigned cpu = 0; cpu < machine.cpus; cpu++)
		cpus[cpu].interrupts = CONTEXT_NONE;
	for (uint32_t context = 0; context < pairs.length / 8; context++) {
		uint64_t hart = hart_of(fdt_cell(&pairs, 2 * context, 0));

		if (fdt_cell(&pairs, 2 * context + 1, 0) != CAUSE_EXTERNAL ||
		    PLIC_CLAIM + PLIC_CONTEXT_STRIDE * (uint64_t)context + 4 > length)
			continue;
		for (unsigned cpu = 0; cpu < machine.cpus; cpu++) {
			if (cpus[cpu].id == hart)
				cpus[cpu].interrupts = context;
		}
	}
}

void irq_init(void)
{
	struct fdt_region registers;
	int node = machine_device("riscv,plic0", &registers);

	if (node < 0)
		panic("interrupt controller is not a PLIC: start QEMU with -machine virt,aia=none");
	if (!arch_map_device(registers.start, registers.length))
		panic("plic: no tables left");
	plic = registers.start;
	lines = fdt_u32(&machine.fdt, node, "riscv,ndev", 0) + 1;
	if (lines > PLIC_LINES_MAX)
		lines = PLIC_LINES_MAX;
	contexts_find(node, registers.length);
}

static uint64_t enable_register(uint32_t line)
{
	return plic + PLIC_ENABLE + PLIC_ENABLE_STRIDE * cpus[arch_cpu()].interrupts + line / 32 * 4;
}

void irq_init_cpu(void)
{
	if (cpus[arch_cpu()].interrupts == CONTEXT_NONE)
		panic("plic: no context for cpu %u, hart %lu", arch_cpu(), cpus[arch_cpu()].id);
	for (uint32_t line = 0; line < lines; line += 32)
		mmio_write32(enable_register(line), 0);
	mmio_write32(plic + PLIC_THRESHOLD + PLIC_CONTEXT_STRIDE * cpus[arch_cpu()].interrupts, 0);
	CSR_WRITE(sie, SIE_SOFTWARE | SIE_EXTERNAL);
}

uint32_t irq_line(const struct fdt_interrupt *interrupt)
{
	return interrupt->count == 1 && interrupt->cells[0] < lines ? interrupt->cells[0] : 0;
}

void irq_line_enable(uint32_t line)
{
	mmio_write32(plic + PLIC_PRIORITY + 4 * line, 1);
	mmio_write32(enable_register(line), mmio_read32(enable_register(line)) | 1u << line % 32);
}

static void external_interrupt(void)
{
	uint64_t claim = plic + PLIC_CLAIM + PLIC_CONTEXT_STRIDE * cpus[arch_cpu()].interrupts;
	uint32_t line = mmio_read32(claim);

	if (!line)
		return;
	/*
	 * Completed before it is handled, because a handler may switch to another context. Interrupts are masked until
	 * the source has been silenced.
	 */
	mmio_write32(claim, line);
	if (!intx_dispatch(line))
		panic("plic: interrupt %u, which has no handler", line);
}

/* Called by trap.S with interrupts off. */
void irq_dispatch(uint64_t cause);
void irq_dispatch(uint64_t cause)
{
	switch (cause & ~CAUSE_INTERRUPT) {
	case CAUSE_SOFTWARE:
		CSR_CLEAR(sip, SIE_SOFTWARE);
		if (ipi_handler)
			ipi_handler();
		break;
	case CAUSE_TIMER:
		timer_interrupt();
		break;
	case CAUSE_EXTERNAL:
		external_interrupt();
		break;
	default:
		panic("interrupt with cause 0x%lx, which has no handler", cause);
	}
}

void arch_ipi_handler(void (*handler)(void))
{
	ipi_handler = handler;
}

void arch_ipi_send(unsigned cpu)
{
	/* The interrupted CPU must see what was written before. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	sbi_call(SBI_IPI, IPI_SEND, 1, cpus[cpu].id, 0);
}
