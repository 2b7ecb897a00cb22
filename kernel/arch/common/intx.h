/*
 * Pin interrupts of PCI devices, several handlers a line. Attached by one CPU at a time, before the device can raise
 * them. A line interrupts the CPU that asked for it first; handlers run there, and those of other CPUs wake theirs.
 */
#ifndef ARCH_COMMON_INTX_H
#define ARCH_COMMON_INTX_H

#include "firmware/fdt_bus.h"

#include <stdbool.h>

/* The controller's number for a slot's pin, 0 when there is none. */
uint32_t intx_line(unsigned slot, unsigned pin);
/* Runs the handlers of a line; false when there is none. Interrupts off. */
bool intx_dispatch(uint32_t line);

/* By the architecture's irq.c: the controller's number for an interrupt, 0 when it has none; and its enabling. */
uint32_t irq_line(const struct fdt_interrupt *interrupt);
void irq_line_enable(uint32_t line);

#endif
