/* Linked only into kernels with a FAULT. */
#include "fault/fault.h"

#include "arch/arch.h"
#include "base/panic.h"
#include "base/print.h"

#define MOMENT 60 /* the frame at which what happens once happens */

static uint32_t frame_count;
static uint32_t calls;

static _Noreturn void fault_stop(void)
{
	arch_irq_disable();
	for (;;)
		arch_relax();
}

void fault_boot(void)
{
	if (FAULT_IS(boot_silent))
		fault_stop();
}

/* noinline and the use of the result keep the compiler from turning the recursion into a loop. */
static __attribute__((noinline)) uint32_t fault_recurse(uint32_t depth)
{
	volatile uint8_t frame[512];

	frame[depth % sizeof(frame)] = (uint8_t)depth;
	return depth == UINT32_MAX ? 0 : fault_recurse(depth + 1) + frame[depth % sizeof(frame)];
}

static void fault_once(void)
{
	if (FAULT_IS(hang))
		fault_stop();
	if (FAULT_IS(panic))
		panic("FAULT=panic, as built");
	if (FAULT_IS(page_fault))
		*(volatile uint32_t *)0x7f0000000000ull = 1;
	if (FAULT_IS(stack_overflow))
		print("%u\n", fault_recurse(0));
}

static void fault_garbage(void)
{
	static const uint8_t noise[] = {0xff, 0xfe, 0x80, 0xc3, 0x28, 0x1b, '[', '3', '1', 'm', 0x07, 0xf5};

	for (unsigned i = 0; i < sizeof(noise); i++)
		arch_putc((char)noise[i]);
	print("[VIRTIO PERF] fences=1 spi\n[VIRTIO PERF] fences=99999999999999999999999 spins=1 completions=2\n");
}

struct fault_frame_plan fault_plan(uint32_t count, uint32_t frame, uint32_t slow)
{
	struct fault_frame_plan plan = {.draw_instead = frame};
	bool fifth = count % 5 == 4;

	frame_count = count;
	if (count == MOMENT)
		fault_once();
	if (FAULT_IS(garbage_serial) && count % 20 == 19)
		fault_garbage();
	if (FAULT_IS(slow_draw))
		plan.extra_per_cent = slow;
	if (FAULT_IS(hiccup) && count % 64 == 63)
		plan.stall_ms = 4;
	if (FAULT_IS(stale_frame) && count % 10 == 9 && frame >= 3)
		plan.draw_instead = frame - 3;
	if (FAULT_IS(blank))
		plan.spoil = count >= MOMENT;
	if (FAULT_IS(wrong_stride) || FAULT_IS(flip_pixel) || FAULT_IS(shift_colour))
		plan.spoil = fifth;
	return plan;
}

static uint64_t picture_pixels(struct fault_picture picture)
{
	return (uint64_t)picture.stride_px * picture.height_px;
}

static void spoil_rows(struct fault_picture picture, uint32_t shift)
{
	for (uint32_t y = 0; y < picture.height_px; y++) {
		uint32_t *row = picture.pixels + (uint64_t)y * picture.stride_px;
		uint32_t by = shift * y % picture.width_px;

		for (uint32_t x = picture.width_px - 1; x >= by && x; x--)
			row[x] = row[x - by];
	}
}

static void spoil_colours(struct fault_picture picture)
{
	for (uint64_t i = 0; i < picture_pixels(picture); i++) {
		uint32_t pixel = picture.pixels[i];

		picture.pixels[i] = (pixel & 0xff00) | (pixel & 0xff) << 16 | (pixel >> 16 & 0xff);
	}
}

void fault_spoil(struct fault_picture picture)
{
	if (FAULT_IS(flip_pixel))
		picture.pixels[picture_pixels(picture) / 2 + picture.stride_px / 3] ^= 1;
	if (FAULT_IS(shift_colour))
		spoil_colours(picture);
	if (FAULT_IS(wrong_stride))
		spoil_rows(picture, 16);
	if (FAULT_IS(blank))
		for (uint64_t i = 0; i < picture_pixels(picture); i++)
			picture.pixels[i] = 0;
}

bool fault_every(uint32_t period)
{
	return ++calls % period == 0;
}

bool fault_period_frame(uint32_t period)
{
	return frame_count % period == period - 1;
}

uint32_t fault_lie(uint32_t count, uint32_t frame)
{
	return FAULT_IS(lying_counters) ? frame + count / 10 : frame;
}
