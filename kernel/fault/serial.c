/* Faults of what the kernel says on the serial line. */
#include "fault/fault.h"

#include "arch/arch.h"
#include "base/print.h"

static void say_garbage(struct fault_frame_plan *plan, uint32_t count, uint32_t slow)
{
	static const uint8_t noise[] = {0xff, 0xfe, 0x80, 0xc3, 0x28, 0x1b, '[', '3', '1', 'm', 0x07, 0xf5};

	(void)plan;
	(void)slow;
	if (count % 20 != 19)
		return;
	for (unsigned i = 0; i < sizeof(noise); i++)
		arch_putc((char)noise[i]);
	print("[VIRTIO PERF] fences=1 spi\n[VIRTIO PERF] fences=99999999999999999999999 spins=1 completions=2\n");
}
FAULT_DECLARE(garbage_serial, "serial", 3, "", "binary noise, half a record and a number too large, every 20th frame",
	      .frame = say_garbage);

FAULT_DECLARE(lying_counters, "sources", 3, "", "frame numbers in records run ahead of the pictures by one in ten",
	      .lie = 10);
