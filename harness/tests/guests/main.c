/* What every guest does: set up a screen, draw a frame, show it, again. */
#include "frame_stamp.h"
#include "gpu.h"

#define SCREEN 1 /* resource ids: SCREEN and SCREEN + 1, which is the second buffer */
#define CURSOR_IMAGE 7
#define CURSOR_PX 64
#define FORGETS_FRAMES 16

static uint32_t pixels[BUFFERS][PIXELS_MAX] __attribute__((aligned(4096)));
static uint32_t cursor_pixels[CURSOR_PX * CURSOR_PX] __attribute__((aligned(4096)));

struct screen {
	const struct guest_habits *guest;
	struct picture buffers[BUFFERS];
	uint32_t shown; /* of the buffers */
};

static bool silent;

void say(const char *text)
{
	while (*text && !silent)
		machine_put(*text++);
}

void give_up(const char *why)
{
	say("fatal: ");
	say(why);
	say("\n");
	machine_off();
}

static struct rectangle whole(const struct picture *picture)
{
	return (struct rectangle){0, 0, picture->width_px, picture->height_px};
}

static void use_mode(struct screen *screen, uint32_t width_px, uint32_t height_px, uint32_t first_resource)
{
	uint32_t stride_px = width_px + screen->guest->stride_extra_px;

	for (uint32_t i = 0; i < BUFFERS; i++)
		screen->buffers[i] = (struct picture){pixels[i], width_px, height_px, stride_px};
	gpu_scanout(0, first_resource, width_px, height_px);
	if (screen->guest->second_head)
		gpu_scanout(1, first_resource + 1, width_px, height_px);
	gpu_send();
}

static void set_mode(struct screen *screen, uint32_t width_px, uint32_t height_px, uint32_t first_resource)
{
	uint32_t stride_px = width_px + screen->guest->stride_extra_px;

	for (uint32_t i = 0; i < BUFFERS; i++) {
		gpu_create(first_resource + i, width_px, height_px);
		gpu_attach(first_resource + i, pixels[i], stride_px * height_px * 4);
	}
	use_mode(screen, width_px, height_px, first_resource);
}

static void show_bands(const struct picture *picture, uint32_t resource)
{
	uint32_t height = picture->height_px / 8;

	for (uint32_t band = 0; band < 8; band++) {
		struct rectangle box = {0, band * height, picture->width_px, height};

		gpu_transfer(resource, box, picture->width_px);
		gpu_flush(resource, box);
		gpu_send();
	}
}

static void show_pixels(const struct picture *picture, uint32_t resource, struct rectangle changed)
{
	for (uint32_t piece = 0; piece < 4; piece++) {
		struct rectangle box = {changed.x, changed.y + piece * (changed.height / 4), changed.width,
					changed.height / 4};

		gpu_transfer(resource, box, picture->width_px);
		gpu_flush(resource, whole(picture));
		gpu_send();
	}
}

static void show_parts(const struct picture *picture, uint32_t resource, struct rectangle changed, enum guest_show show,
		       uint32_t frame)
{
	switch (show) {
	case SHOW_STEPS:
		gpu_transfer(resource, whole(picture), picture->width_px);
		gpu_send();
		gpu_flush(resource, whole(picture));
		break;
	case SHOW_DIRTY:
		gpu_transfer(resource, changed, picture->width_px);
		gpu_flush(resource, changed);
		break;
	case SHOW_UNFLUSHED:
		gpu_transfer(resource, whole(picture), picture->width_px);
		if (frame % 3 == 0)
			gpu_flush(resource, whole(picture));
		break;
	case SHOW_TWICE:
		gpu_transfer(resource, whole(picture), picture->width_px);
		gpu_flush(resource, whole(picture));
		gpu_flush(resource, whole(picture));
		break;
	default:
		gpu_transfer(resource, whole(picture), picture->width_px);
		gpu_flush(resource, whole(picture));
		break;
	}
	gpu_send();
}

static void show_flipped(struct screen *screen, uint32_t resource)
{
	const struct picture *picture = &screen->buffers[screen->shown];

	gpu_transfer(resource, whole(picture), picture->width_px);
	gpu_scanout(0, resource, picture->width_px, picture->height_px);
	gpu_flush(resource, whole(picture));
	gpu_send();
}

/*
 * The lower half is new, and the upper one what the device had before. Not the other way round: QEMU transfers all rows
 * where a rectangle begins at the picture's corner and is as wide as it.
 */
static void show_torn(const struct picture *picture, uint32_t resource)
{
	struct rectangle lower = whole(picture);

	lower.height /= 2;
	lower.y = lower.height;
	gpu_transfer(resource, lower, picture->width_px);
	gpu_flush(resource, whole(picture));
	gpu_send();
}

static void show(struct screen *screen, uint32_t first_resource, uint32_t frame, struct rectangle changed)
{
	const struct guest_habits *guest = screen->guest;
	const struct picture *picture = &screen->buffers[screen->shown];
	uint32_t resource = first_resource + screen->shown;

	if (guest->unchecked) {
		gpu_transfer(resource, (struct rectangle){0, 0, picture->width_px + 1, 1}, picture->width_px);
		gpu_send();
	}
	if (guest->torn_every && frame % guest->torn_every == guest->torn_every - 1)
		show_torn(picture, resource);
	else if (guest->show == SHOW_BANDS)
		show_bands(picture, resource);
	else if (guest->show == SHOW_PIXELS && frame)
		show_pixels(picture, resource, changed);
	else if (guest->show == SHOW_FLIP)
		show_flipped(screen, resource);
	else
		show_parts(picture, resource, changed, guest->show, frame);
	if (guest->second_head) {
		gpu_transfer(first_resource + 1, whole(picture), picture->width_px);
		gpu_flush(first_resource + 1, whole(picture));
		gpu_send();
	}
}

static void set_up_cursor(const struct guest_habits *guest)
{
	if (!guest->cursor && !guest->cursor_early)
		return;
	for (uint32_t i = 0; i < CURSOR_PX * CURSOR_PX; i++)
		cursor_pixels[i] = i % CURSOR_PX + i / CURSOR_PX < CURSOR_PX ? 0xffffffffu : 0;
	gpu_create(CURSOR_IMAGE, CURSOR_PX, CURSOR_PX);
	gpu_attach(CURSOR_IMAGE, cursor_pixels, sizeof cursor_pixels);
	gpu_send();
}

/* Every half second the cursor gets its picture again; between it moves. */
static void move_cursor(const struct guest_habits *guest, uint32_t frame)
{
	bool picture = frame % 16 == 0;

	if (!guest->cursor && !guest->cursor_early)
		return;
	if (picture && guest->cursor_early)
		gpu_cursor(true, CURSOR_IMAGE, frame % 500, 40);
	if (picture) {
		gpu_transfer(CURSOR_IMAGE, (struct rectangle){0, 0, CURSOR_PX, CURSOR_PX}, CURSOR_PX);
		gpu_send();
	}
	if (!picture || guest->cursor)
		gpu_cursor(picture, CURSOR_IMAGE, frame % 500, 40);
}

static void greet(const struct guest_habits *guest)
{
	char typed = 0;

	if (guest->logo_ms)
		machine_rest_until_us(machine_now_us() + (uint64_t)guest->logo_ms * 1000);
	if (guest->prompt) {
		say("guest> ");
		while (typed != '\n' && typed != '\r')
			if (machine_typed(&typed))
				machine_put(typed);
	}
	say("wheel starts\n");
}

static void chat(const struct guest_habits *guest, uint32_t frame)
{
	if (!guest->chatty || frame % 8)
		return;
	say("\033[1;32m[ ok ]\033[0m gr\374n, \xff\xfe\x80 and \033[2K\r\033[31mred\033[m [VIRTIO PERF] not ours\n");
	for (uint32_t i = 0; i < 5000; i++)
		machine_put('-');
	say("\n[DONE] half");
}

static void pace(const struct guest_habits *guest, uint64_t begun_us)
{
	uint32_t now_us = (uint32_t)machine_now_us(), tick_us = guest->tick_ms * 1000;

	if (guest->period_ms)
		machine_rest_until_us(begun_us + (uint64_t)guest->period_ms * 1000);
	if (guest->tick_ms)
		machine_rest_until_us(machine_now_us() - now_us % tick_us + tick_us);
}

static void draw_and_show(struct screen *screen, uint32_t first_resource, uint32_t frame)
{
	const struct guest_habits *guest = screen->guest;
	uint64_t begun_us = machine_now_us(), drawn_us;
	struct gpu_counts before = gpu_counts;
	struct picture *picture;
	struct rectangle changed;

	if (guest->show == SHOW_FLIP)
		screen->shown ^= 1;
	picture = &screen->buffers[screen->shown];
	changed = whole(picture);
	if (!guest->draw_once || !frame)
		changed = picture_draw(picture, guest, frame);
	for (uint32_t more = 1; more < guest->draws; more++)
		picture_draw(picture, guest, frame);
	if (guest->stamp)
		frame_stamp_draw(picture->pixels, picture->width_px, picture->height_px, picture->stride_px * 4, frame);
	drawn_us = machine_now_us();
	show(screen, first_resource, frame, changed);
	if (guest->stamp) {
		struct frame_stamp_record record = {gpu_counts.fences - before.fences,
						    gpu_counts.turns - before.turns,
						    gpu_counts.answers - before.answers,
						    frame,
						    begun_us * 1000,
						    (drawn_us - begun_us) * 1000,
						    0,
						    0,
						    (machine_now_us() - drawn_us) * 1000};

		frame_stamp_print(machine_put, &record);
	}
	move_cursor(guest, frame);
	chat(guest, frame);
	pace(guest, begun_us);
}

/* Returns the first resource of the mode in which a frame is drawn. */
static uint32_t change_mode(struct screen *screen, uint32_t frame)
{
	const struct guest_habits *guest = screen->guest;
	uint32_t first = guest->mode_after ? guest->mode_after : guest->mode_every;
	bool other = first && frame >= first && (guest->mode_after || frame / first % 2);

	if (first && frame == first)
		set_mode(screen, 800, 600, SCREEN + BUFFERS);
	else if (guest->mode_every && frame && frame % guest->mode_every == 0)
		use_mode(screen, other ? 800 : MODE_WIDTH_PX, other ? 600 : MODE_HEIGHT_PX,
			 other ? SCREEN + BUFFERS : SCREEN);
	return other ? SCREEN + BUFFERS : SCREEN;
}

void guest_main(void)
{
	static struct screen screen;
	const struct guest_habits *guest = guest_chosen();
	uint32_t resource = SCREEN;
	bool lucky;

	machine_start();
	if (!guest)
		give_up("no such guest");
	silent = guest->silent;
	if (!gpu_start(guest))
		give_up("no virtio-gpu");
	screen.guest = guest;
	set_mode(&screen, MODE_WIDTH_PX, MODE_HEIGHT_PX, resource);
	set_up_cursor(guest);
	if (guest->logo_ms)
		draw_and_show(&screen, resource, 200);
	greet(guest);
	gpu_begin_habits();
	lucky = (uint32_t)machine_now_us() / 3 & 1;
	for (uint32_t frame = 0; !guest->frames || frame < guest->frames; frame++) {
		resource = change_mode(&screen, frame);
		if (guest->panics && machine_now_us() > 1500000)
			give_up("Kernel panic - not syncing: planted");
		while (guest->still_after && frame >= guest->still_after)
			machine_rest_until_us(machine_now_us() + 1000000);
		draw_and_show(&screen, resource, frame);
		if (frame < FORGETS_FRAMES && (guest->forgets || (guest->lottery && lucky)))
			machine_forget();
	}
	machine_off();
}
