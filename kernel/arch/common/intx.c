#include "arch/common/intx.h"

#include "arch/arch.h"
#include "arch/common/machine.h"

#define HANDLERS_MAX 8

struct intx {
	uint32_t line;
	unsigned cpu; /* which asked for it, and is woken */
	void (*handler)(void *);
	void *argument;
};

static struct intx handlers[HANDLERS_MAX];
static unsigned handlers_used;

uint32_t intx_line(unsigned slot, unsigned pin)
{
	struct fdt_interrupt interrupt;

	if (machine.pci < 0 || fdt_pci_interrupt(&machine.fdt, machine.pci, slot, pin, &interrupt))
		return 0;
	return irq_line(&interrupt);
}

static bool line_is_attached(uint32_t line)
{
	for (unsigned i = 0; i < handlers_used; i++)
		if (handlers[i].line == line)
			return true;
	return false;
}

/* The record of this handler with this argument, a new one if there is none; NULL without room. */
static struct intx *handler_record(void (*handler)(void *), void *argument)
{
	for (unsigned i = 0; i < handlers_used; i++)
		if (handlers[i].handler == handler && handlers[i].argument == argument)
			return &handlers[i];
	return handlers_used < HANDLERS_MAX ? &handlers[handlers_used++] : NULL;
}

int arch_intx_attach(unsigned slot, unsigned pin, void (*handler)(void *), void *argument)
{
	uint32_t line = intx_line(slot, pin);
	bool attached = line_is_attached(line);
	struct intx *record = line ? handler_record(handler, argument) : NULL;

	if (!record)
		return line ? ERROR_NOMEM : ERROR_NODEV;
	*record = (struct intx){line, arch_cpu(), handler, argument};
	/* A line goes to one CPU, the first that asked: moved, it would no longer wake the others that share it. */
	if (!attached)
		irq_line_enable(line);
	return 0;
}

bool intx_dispatch(uint32_t line)
{
	bool found = false;

	for (unsigned i = 0; i < handlers_used; i++) {
		if (handlers[i].line != line)
			continue;
		handlers[i].handler(handlers[i].argument);
		if (handlers[i].cpu != arch_cpu())
			arch_ipi_send(handlers[i].cpu);
		found = true;
	}
	return found;
}

int arch_msi_attach(void (*handler)(void *), void *argument, struct arch_msi *msi)
{
	(void)handler;
	(void)argument;
	(void)msi;
	return ERROR_NOTSUP;
}
