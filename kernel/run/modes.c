#include "run/modes.h"

#include "base/heap.h"
#include "base/print.h"
#include "drivers/virtio/gpu_modes.h"
#include "options.h"
#include "sched/sched.h"

/* How long the task that makes scenes sleeps while there is none to make. */
#define REST_NS 10000000ull

/*
 * A scene takes as long as many frames: a task makes it beside them, in a place of its own. The flag `making` is raised
 * by the frame loop and lowered by the task, on the same CPU.
 */
static struct {
	struct roulette *spare; /* the task's while `making`, else the frame loop's */
	struct gpu_mode mode;   /* of the spare */
	uint32_t seed;
	bool made, failed;
	volatile bool making;
} scenes;

static struct {
	struct gpu_mode mode; /* the newest that the display asked for */
	const char *note;
	bool is; /* it has been neither taken nor refused yet */
} wanted;

static bool fresh;

bool modes_fresh(void)
{
	return fresh;
}

static bool same_size(const struct gpu_mode *a, const struct gpu_mode *b)
{
	return a->width_px == b->width_px && a->height_px == b->height_px;
}

static void refuse(const struct gpu *gpu, const char *why)
{
	print("virtio-gpu: mode %ux%u refused: %s; %ux%u stays\n", wanted.mode.width_px, wanted.mode.height_px, why,
	      gpu->framebuffer.width_px, gpu->framebuffer.height_px);
	wanted.is = false;
}

static void make_scenes(void *argument)
{
	(void)argument;
	for (;;) {
		if (scenes.making) {
			scenes.failed =
				roulette_init(scenes.spare, scenes.mode.width_px, scenes.mode.height_px, scenes.seed);
			scenes.making = false;
		}
		sched_sleep_ns(REST_NS);
	}
}

/* Sets the task to the wanted mode, or refuses that. */
static void scene_begin(const struct gpu *gpu, uint32_t seed)
{
	if (OPTION(DRAW) == OPTION_DRAW_gpu) {
		refuse(gpu, "with DRAW=gpu the host's textures have one size");
		return;
	}
	if (4ull * wanted.mode.width_px * wanted.mode.height_px > heap_free_bytes()) {
		refuse(gpu, "there is no memory for its picture");
		return;
	}
	if (!scenes.spare) {
		scenes.spare = heap_alloc(roulette_size(), 16);
		if (!scenes.spare || !sched_spawn(0, "scenes", make_scenes, NULL)) {
			scenes.spare = NULL;
			refuse(gpu, "there is no memory for its scene");
			return;
		}
	}
	scenes.mode = wanted.mode;
	scenes.seed = seed;
	scenes.made = true;
	scenes.making = true;
}

/* Whether the scene of the wanted mode is there. Frames are drawn in the old one meanwhile. */
static bool scene_ready(const struct gpu *gpu, uint32_t seed)
{
	if (scenes.making)
		return false;
	if (!scenes.made || !same_size(&scenes.mode, &wanted.mode)) {
		scene_begin(gpu, seed);
		return false;
	}
	scenes.made = false;
	if (scenes.failed)
		refuse(gpu, "the scene has no such size");
	return !scenes.failed;
}

static void scene_change(const struct gpu *gpu, struct roulette **scene, struct canvas *canvas)
{
	const struct gpu_framebuffer *framebuffer = &gpu->framebuffer;
	struct roulette *old = *scene;

	*scene = scenes.spare;
	scenes.spare = old;
	*canvas = (struct canvas){framebuffer->pixels, framebuffer->width_px, framebuffer->height_px,
				  framebuffer->stride_px};
	fresh = true;
}

/* The wanted mode, whose scene is ready; false where the device does not work any more. */
static bool mode_take(struct gpu *gpu, struct roulette **scene, struct canvas *canvas, uint32_t frame)
{
	int error = gpu_modes_take(gpu, &wanted.mode);

	if (error == ERROR_NOMEM || error == ERROR_RESPONSE) {
		refuse(gpu, error == ERROR_NOMEM ? "there is no memory for its picture"
						 : "the host does not take its picture");
		return true;
	}
	if (error)
		return false;
	scene_change(gpu, scene, canvas);
	wanted.is = false;
	print("virtio-gpu: mode %ux%u from frame %u, by %s%s\n", wanted.mode.width_px, wanted.mode.height_px, frame,
	      wanted.note ? "display info, not EDID: " : "EDID", wanted.note ? wanted.note : "");
	return true;
}

bool modes_follow(struct gpu *gpu, struct roulette **scene, struct canvas *canvas, uint32_t seed, uint32_t frame)
{
	const struct gpu_mode now = {gpu->framebuffer.width_px, gpu->framebuffer.height_px};
	struct gpu_mode mode;
	const char *note;
	int asked;

	fresh = false;
	if (gpu_modes_settle(gpu))
		return false;
	asked = gpu_modes_asked(gpu, &mode, &note);
	if (asked < 0)
		return false;
	if (asked) {
		wanted.mode = mode;
		wanted.note = note;
		wanted.is = !same_size(&mode, &now);
	}
	if (!wanted.is || !scene_ready(gpu, seed))
		return true;
	return mode_take(gpu, scene, canvas, frame);
}
