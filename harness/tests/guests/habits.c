/* The guests: each has one habit that kernels have, the first ones have none that matters. */
#include "guest.h"

static const struct guest_habits guests[] = {
	{.name = "clean"},
	{.name = "clean_drawn", .draws = 4},
	{.name = "clean_steps", .show = SHOW_STEPS, .period_ms = 20},
	{.name = "clean_dirty", .show = SHOW_DIRTY, .picture = PICTURE_BOX, .period_ms = 20},
	{.name = "dirty_fast", .show = SHOW_DIRTY, .picture = PICTURE_BOX},
	{.name = "iterations", .wait = WAIT_ITERATIONS, .turns = 300000},
	{.name = "gives_up", .wait = WAIT_ITERATIONS, .show = SHOW_STEPS, .turns = 2000},
	{.name = "fenced", .wait = WAIT_FENCED},
	{.name = "mmio_spin", .wait = WAIT_MMIO},
	{.name = "asks", .asks = true, .draws = 4},
	{.name = "delay", .wait = WAIT_DELAY, .show = SHOW_STEPS},
	{.name = "reuse", .wait = WAIT_NEVER, .show = SHOW_STEPS, .period_ms = 10},
	{.name = "polls", .draw_once = true},
	{.name = "unchecked", .unchecked = true},
	{.name = "per_pixel", .show = SHOW_PIXELS, .picture = PICTURE_BOX},
	{.name = "late_publish", .late_publish = true},
	{.name = "bands", .show = SHOW_BANDS},
	{.name = "double_flush", .show = SHOW_TWICE},
	{.name = "flip", .show = SHOW_FLIP},
	{.name = "unflushed", .show = SHOW_UNFLUSHED},
	{.name = "cursor", .cursor = true},
	{.name = "cursor_early", .cursor_early = true},
	{.name = "prompt", .prompt = true},
	{.name = "chatty", .chatty = true, .period_ms = 20},
	{.name = "silent", .silent = true, .period_ms = 20},
	{.name = "still", .still_after = 20},
	{.name = "static", .picture = PICTURE_STATIC, .period_ms = 20},
	{.name = "dither", .picture = PICTURE_DITHER},
	{.name = "text", .picture = PICTURE_TEXT, .period_ms = 20},
	{.name = "blank", .picture = PICTURE_BLANK, .period_ms = 20},
	{.name = "slow", .period_ms = 1500},
	{.name = "tick", .tick_ms = 10},
	{.name = "paced", .period_ms = 33},
	{.name = "swapped", .swapped = true},
	{.name = "stride", .stride_extra_px = 8},
	{.name = "torn", .torn_every = 5, .stamp = true, .period_ms = 20},
	{.name = "stamp", .stamp = true, .period_ms = 20, .frames = 100},
	{.name = "logo", .logo_ms = 600},
	{.name = "mode_change", .mode_after = 30, .period_ms = 20},
	{.name = "mode_flips", .mode_every = 2, .period_ms = 10},
	{.name = "two_heads", .second_head = true},
	{.name = "panics", .panics = true},
	{.name = "lottery", .columns = true, .lottery = true},
	{.name = "forgets", .columns = true, .forgets = true},
	{.name = "columns", .columns = true},
};

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

const struct guest_habits *guest_chosen(void)
{
	const char *wanted = TEXT(GUEST);

	for (size_t i = 0; i < sizeof guests / sizeof guests[0]; i++) {
		size_t at = 0;

		while (wanted[at] && guests[i].name[at] == wanted[at])
			at++;
		if (!wanted[at] && !guests[i].name[at])
			return &guests[i];
	}
	return NULL;
}
