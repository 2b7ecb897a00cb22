/* Local APIC: interrupts between CPUs, message interrupts, the one-shot timer (Intel SDM 3A 11). */
#include "arch/x86_64/cpu.h"

#define APIC_BASE 0xfee00000u
#define APIC_ID 0x20
#define APIC_EOI 0xb0
#define APIC_SPURIOUS 0xf0
#define APIC_COMMAND_LOW 0x300
#define APIC_COMMAND_HIGH 0x310
#define APIC_TIMER 0x320
#define APIC_LINT0 0x350
#define APIC_LINT1 0x360
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE 0x3e0
#define APIC_MASKED 0x10000
#define APIC_COMMAND_PENDING 0x1000
#define APIC_DIVIDE_BY_1 0x0b
#define COMMAND_NS 100000000ull

struct msi_handler {
	void (*handler)(void *);
	void *argument;
};

static struct msi_handler msi_handlers[VECTOR_MSI_COUNT];
static unsigned msi_used;
static void (*timer_handler)(void);
static void (*ipi_handler)(void);
/* Timer counts a nanosecond, as a fraction of 2^32; QEMU's one, until measured. */
static uint64_t timer_scale = 1ull << 32;

static volatile uint32_t *apic_register(unsigned offset)
{
	return (volatile uint32_t *)(uintptr_t)(APIC_BASE + offset);
}

uint8_t irq_apic_id(void)
{
	return (uint8_t)(*apic_register(APIC_ID) >> 24);
}

/* The command register has two halves, and only writing the lower one sends: no interrupt may write them in between. */
void irq_apic_command(uint8_t apic_id, uint32_t command)
{
	bool enabled = arch_irq_disable();
	uint64_t began;

	*apic_register(APIC_COMMAND_HIGH) = (uint32_t)apic_id << 24;
	*apic_register(APIC_COMMAND_LOW) = command;
	began = arch_ticks();
	while (*apic_register(APIC_COMMAND_LOW) & APIC_COMMAND_PENDING) {
		if (arch_ticks_to_ns(arch_ticks() - began) > COMMAND_NS)
			break;
		arch_relax();
	}
	arch_irq_restore(enabled);
}

void irq_init_cpu(void)
{
	/* The PICs of the PC are not used: all their lines masked. */
	io_out8(0x21, 0xff);
	io_out8(0xa1, 0xff);
	*apic_register(APIC_SPURIOUS) = 0x100 | VECTOR_SPURIOUS;
	*apic_register(APIC_LINT0) = APIC_MASKED;
	*apic_register(APIC_LINT1) = APIC_MASKED;
	*apic_register(APIC_TIMER_DIVIDE) = APIC_DIVIDE_BY_1;
	*apic_register(APIC_TIMER) = VECTOR_TIMER;
	*apic_register(APIC_TIMER_INITIAL) = 0;
}

bool irq_dispatch(unsigned vector)
{
	unsigned msi = vector - VECTOR_MSI_FIRST;

	if (vector == VECTOR_SPURIOUS)
		return true;
	*apic_register(APIC_EOI) = 0;
	if (vector == VECTOR_TIMER && timer_handler)
		timer_handler();
	else if (vector == VECTOR_IPI && ipi_handler)
		ipi_handler();
	else if (msi < msi_used)
		msi_handlers[msi].handler(msi_handlers[msi].argument);
	else
		return vector == VECTOR_TIMER || vector == VECTOR_IPI;
	return true;
}

int arch_msi_attach(void (*handler)(void *), void *argument, struct arch_msi *msi)
{
	unsigned at = 0;

	while (at < msi_used && (msi_handlers[at].handler != handler || msi_handlers[at].argument != argument))
		at++;
	if (at == VECTOR_MSI_COUNT)
		return ERROR_NOMEM;
	msi_handlers[at] = (struct msi_handler){handler, argument};
	if (at == msi_used)
		msi_used++;
	/* Fixed delivery, physical destination, edge (Intel SDM 3A 11.11). */
	msi->address = APIC_BASE | (uint64_t)irq_apic_id() << 12;
	msi->value = VECTOR_MSI_FIRST + at;
	return 0;
}

int arch_intx_attach(unsigned slot, unsigned pin, void (*handler)(void *), void *argument)
{
	(void)slot;
	(void)pin;
	(void)handler;
	(void)argument;
	return ERROR_NOTSUP;
}

void arch_ipi_handler(void (*handler)(void))
{
	ipi_handler = handler;
}

void arch_ipi_send(unsigned cpu)
{
	irq_apic_command((uint8_t)cpus[cpu].id, VECTOR_IPI);
}

void arch_timer_handler(void (*handler)(void))
{
	timer_handler = handler;
}

void irq_timer_count(void)
{
	*apic_register(APIC_TIMER) = APIC_MASKED;
	*apic_register(APIC_TIMER_INITIAL) = UINT32_MAX;
}

void irq_timer_counted(uint64_t ns)
{
	if (ns)
		timer_scale = ((uint64_t)(UINT32_MAX - *apic_register(APIC_TIMER_CURRENT)) << 32) / ns;
	*apic_register(APIC_TIMER_INITIAL) = 0;
	*apic_register(APIC_TIMER) = VECTOR_TIMER;
}

void arch_timer_arm(uint64_t ns)
{
	unsigned __int128 counts;

	if (!ns) {
		*apic_register(APIC_TIMER_INITIAL) = 0;
		return;
	}
	counts = ((unsigned __int128)ns * timer_scale) >> 32;
	if (counts > UINT32_MAX)
		counts = UINT32_MAX;
	if (!counts)
		counts = 1;
	*apic_register(APIC_TIMER_INITIAL) = (uint32_t)counts;
}
