/*
 * The roulette on Linux's own virtio-gpu driver: the only process of a guest, its /init.
 *
 * Loads the modules beside it in the order of their numbers, shows one dumb buffer, draws frames into it with the
 * kernel's own scene and hands each to the driver with DIRTYFB, which returns once the commands are queued; then the
 * same once more, waiting for the host after each frame. Says on the console what either took (a frame's mean, and the
 * medians of its parts, which a host that stalls does not move), goes on drawing while pictures are taken, and powers
 * off.
 *
 * shown_frames=<n> on Linux's command line, which hands such words to its init, says how long it goes on. With
 * shows=console it draws nothing, and writes lines to Linux's own console on that driver instead.
 */
#define _GNU_SOURCE
#include "scene/roulette.h"

#include <fcntl.h>
#include <libdrm/drm.h>
#include <libdrm/drm_mode.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WIDTH_PX 1024u
#define HEIGHT_PX 768u
#define SEED 1u
#define WARM_FRAMES 60u
#define FRAMES 400u
#define MODES_MAX 64u
#define CURSOR_PX 64u
#define SHOWN_FRAMES 1500u
#define LINE_US 20000u

struct screen {
	int card;
	uint32_t framebuffer, controller, cursor;
	bool waits;
	struct canvas canvas;
};

static void give_up(const char *what)
{
	printf("[LINUX] failed: %s: %m\n", what);
	reboot(RB_POWER_OFF);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void load_modules(void)
{
	char name[32];

	for (unsigned i = 0;; i++) {
		int module;

		snprintf(name, sizeof(name), "/modules/%02u.ko", i);
		module = open(name, O_RDONLY | O_CLOEXEC);
		if (module < 0)
			return;
		if (syscall(SYS_finit_module, module, "", 0))
			give_up(name);
		close(module);
	}
}

static int open_card(void)
{
	for (unsigned i = 0; i < 500; i++) {
		int card = open("/dev/dri/card0", O_RDWR | O_CLOEXEC);

		if (card >= 0)
			return card;
		usleep(10000);
	}
	give_up("/dev/dri/card0");
	return -1;
}

/* The connector's mode of our size. */
static void find_mode(int card, uint32_t connector, struct drm_mode_modeinfo *mode)
{
	static struct drm_mode_modeinfo modes[MODES_MAX];
	struct drm_mode_get_connector query = {.connector_id = connector, .modes_ptr = (uintptr_t)modes};

	query.count_modes = MODES_MAX;
	if (ioctl(card, DRM_IOCTL_MODE_GETCONNECTOR, &query))
		give_up("connector");
	for (uint32_t i = 0; i < query.count_modes && i < MODES_MAX; i++) {
		if (modes[i].hdisplay == WIDTH_PX && modes[i].vdisplay == HEIGHT_PX) {
			*mode = modes[i];
			return;
		}
	}
	give_up("no mode of 1024x768");
}

static void map_buffer(struct screen *screen)
{
	struct drm_mode_create_dumb buffer = {.width = WIDTH_PX, .height = HEIGHT_PX, .bpp = 32};
	struct drm_mode_fb_cmd framebuffer = {.width = WIDTH_PX, .height = HEIGHT_PX, .bpp = 32, .depth = 24};
	struct drm_mode_create_dumb cursor = {.width = CURSOR_PX, .height = CURSOR_PX, .bpp = 32};
	struct drm_mode_map_dumb map = {0};

	if (ioctl(screen->card, DRM_IOCTL_MODE_CREATE_DUMB, &buffer) ||
	    ioctl(screen->card, DRM_IOCTL_MODE_CREATE_DUMB, &cursor))
		give_up("dumb buffer");
	screen->cursor = cursor.handle;
	framebuffer.pitch = buffer.pitch;
	framebuffer.handle = map.handle = buffer.handle;
	if (ioctl(screen->card, DRM_IOCTL_MODE_ADDFB, &framebuffer) ||
	    ioctl(screen->card, DRM_IOCTL_MODE_MAP_DUMB, &map))
		give_up("framebuffer");
	screen->framebuffer = framebuffer.fb_id;
	screen->canvas = (struct canvas){NULL, WIDTH_PX, HEIGHT_PX, buffer.pitch / 4};
	screen->canvas.pixels =
		mmap(NULL, buffer.size, PROT_READ | PROT_WRITE, MAP_SHARED, screen->card, (off_t)map.offset);
	if (screen->canvas.pixels == MAP_FAILED)
		give_up("mapping the buffer");
}

static void show_buffer(struct screen *screen)
{
	uint32_t connector = 0;
	struct drm_mode_card_res found = {.connector_id_ptr = (uintptr_t)&connector,
					  .count_connectors = 1,
					  .crtc_id_ptr = (uintptr_t)&screen->controller,
					  .count_crtcs = 1};
	struct drm_mode_crtc set = {.count_connectors = 1, .mode_valid = 1};

	if (ioctl(screen->card, DRM_IOCTL_MODE_GETRESOURCES, &found))
		give_up("resources");
	set.crtc_id = screen->controller;
	set.fb_id = screen->framebuffer;
	set.set_connectors_ptr = (uintptr_t)&connector;
	find_mode(screen->card, connector, &set.mode);
	if (ioctl(screen->card, DRM_IOCTL_MODE_SETCRTC, &set))
		give_up("setting the mode");
}

/*
 * Waits until the host has done all that was queued. The driver waits for a fence in one place alone: where a new
 * cursor's picture goes to the host, by a transfer of 16 KiB on the same queue.
 */
static void wait_for_host(const struct screen *screen)
{
	struct drm_mode_cursor2 cursor = {.flags = DRM_MODE_CURSOR_BO,
					  .crtc_id = screen->controller,
					  .width = CURSOR_PX,
					  .height = CURSOR_PX,
					  .handle = screen->cursor};

	if (ioctl(screen->card, DRM_IOCTL_MODE_CURSOR2, &cursor))
		give_up("cursor");
}

/* What a frame took in drawing, and in the driver's hands; where it is wanted. */
struct frame_times {
	uint64_t draw_ns[FRAMES], outside_ns[FRAMES];
};

static void draw_frames(const struct screen *screen, const struct roulette *roulette, uint32_t count,
			struct frame_times *times)
{
	struct drm_clip_rect whole = {0, 0, WIDTH_PX, HEIGHT_PX};
	struct drm_mode_fb_dirty_cmd dirty = {
		.fb_id = screen->framebuffer, .num_clips = 1, .clips_ptr = (uintptr_t)&whole};
	static uint32_t frame;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t begun = now_ns(), drawn;

		roulette_draw(roulette, &screen->canvas, frame++);
		drawn = now_ns();
		if (ioctl(screen->card, DRM_IOCTL_MODE_DIRTYFB, &dirty))
			give_up("dirty");
		if (screen->waits)
			wait_for_host(screen);
		if (times) {
			times->draw_ns[i] = drawn - begun;
			times->outside_ns[i] = now_ns() - drawn;
		}
	}
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static unsigned long long median(uint64_t *values)
{
	qsort(values, FRAMES, sizeof(*values), compare);
	return values[FRAMES / 2];
}

/* Draws for the clock, then while pictures are taken. */
static void run(struct screen *screen, const struct roulette *roulette, bool waits, uint32_t shown)
{
	static struct frame_times times;
	uint64_t begun, total_ns;

	screen->waits = waits;
	draw_frames(screen, roulette, WARM_FRAMES, NULL);
	begun = now_ns();
	draw_frames(screen, roulette, FRAMES, &times);
	total_ns = now_ns() - begun;
	printf("[LINUX] waits=%d frame_ns=%llu draw_ns=%llu outside_ns=%llu\n", waits,
	       (unsigned long long)total_ns / FRAMES, median(times.draw_ns), median(times.outside_ns));
	draw_frames(screen, roulette, shown, NULL);
}

/* As fast as the console takes them; what it shows of them is the driver's choice. */
static void write_lines(void)
{
	FILE *console = fopen("/dev/tty1", "w");

	if (!console)
		give_up("/dev/tty1");
	setvbuf(console, NULL, _IOLBF, 0);
	printf("[LINUX] writes to its console\n");
	for (uint32_t line = 0;; line++) {
		fprintf(console, "%08u the quick brown fox jumps over the lazy dog\n", line);
		usleep(LINE_US);
	}
}

int main(void)
{
	struct roulette *roulette = malloc(roulette_size());
	struct screen screen = {.card = -1};
	const char *shown = getenv("shown_frames"), *shows = getenv("shows");

	setvbuf(stdout, NULL, _IONBF, 0);
	mount("devtmpfs", "/dev", "devtmpfs", 0, "");
	load_modules();
	if (shows && !strcmp(shows, "console"))
		write_lines();
	screen.card = open_card();
	map_buffer(&screen);
	show_buffer(&screen);
	if (!roulette || roulette_init(roulette, WIDTH_PX, HEIGHT_PX, SEED))
		give_up("roulette");
	run(&screen, roulette, false, SHOWN_FRAMES);
	run(&screen, roulette, true, shown ? (uint32_t)strtoul(shown, NULL, 10) : SHOWN_FRAMES);
	reboot(RB_POWER_OFF);
	return 0;
}
