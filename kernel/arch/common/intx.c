#include "arch/common/intx.h"

#include "arch/arch.h"
#include "arch/common/machine.h"

#define HANDLERS_MAX 8

static struct {
	uint32_t line;
	void (*handler)(void *);
	void *argument;
} handlers[HANDLERS_MAX];
static unsigned handlers_used;

int arch_intx_attach(unsigned slot, unsigned pin, void (*handler)(void *), void *argument)
{
	struct fdt_interrupt interrupt;
	uint32_t line;

	if (machine.pci < 0 || fdt_pci_interrupt(&machine.fdt, machine.pci, slot, pin, &interrupt))
		return ERROR_NODEV;
	line = irq_line(&interrupt);
	if (!line)
		return ERROR_NODEV;
	if (handlers_used == HANDLERS_MAX)
		return ERROR_NOMEM;
	handlers[handlers_used].line = line;
	handlers[handlers_used].handler = handler;
	handlers[handlers_used++].argument = argument;
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
