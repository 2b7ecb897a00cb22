#include "drivers/virtio/transport_config.h"

#include "base/print.h"

/* The queues of every device here have those below it. */
#define CONFIG_ENTRY 2

volatile bool transport_config_changed;

static void config_interrupt(void *context)
{
	(void)context;
	transport_config_changed = true;
}

int transport_config_attach(struct transport *transport, const struct transport_queue *first)
{
	enum pci_irq kind;

	/* A change before the interrupt is attached tells nobody: the first look is always made. */
	transport_config_changed = true;
	/* A pin is one for all: the queue's handler, which reads its cause, sees changes as well. */
	if (OPTION(COMPLETION) != OPTION_COMPLETION_irq || first->pin)
		return 0;
	if (pci_irq_attach(&transport->pci, CONFIG_ENTRY, config_interrupt, transport, &kind)) {
		print("%s: no interrupt could be attached to its configuration\n", transport->name);
		transport_fail(transport);
		return ERROR_IRQ;
	}
	transport->common->config_msix_vector = CONFIG_ENTRY;
	if (transport->common->config_msix_vector == CONFIG_ENTRY)
		return 0;
	print("%s: the device refused the interrupt vector of its configuration\n", transport->name);
	transport_fail(transport);
	return ERROR_IRQ;
}

bool transport_config_take(void)
{
	bool changed = OPTION(COMPLETION) != OPTION_COMPLETION_irq || transport_config_changed;

	/* Before the caller looks: what changes from here on is told again. */
	transport_config_changed = false;
	return changed;
}
