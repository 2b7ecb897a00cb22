#include "drivers/virtio/gpu.h"

#include "arch/arch.h"
#include "base/heap.h"
#include "base/print.h"
#include "base/string.h"
#include "drivers/virtio/gpu_command.h"
#include "drivers/virtio/gpu_cursor.h"
#include "drivers/virtio/gpu_heads.h"
#include "drivers/virtio/gpu_modes.h"
#include "fault/fault.h"
#include "options.h"
#include "sync/preempt.h"

#define SCANOUT 0u
#define QUEUE_CONTROL 0
#define QUEUE_SIZE 64
#define PAGE 4096

/* The command begun last, with nothing else in flight. */
static int command_run(struct gpu *gpu, uint32_t request_length)
{
	int error = gpu_command_add(gpu, request_length);

	return error ? error : gpu_commands_run(gpu, arch_ticks());
}

static int display_check(struct gpu *gpu)
{
	struct gpu_display_info *info = heap_alloc(sizeof(*info), 16);
	int error;

	if (!info)
		return gpu_error(ERROR_NOMEM, "no memory", GPU_GET_DISPLAY_INFO, 0);
	gpu_command(gpu, GPU_GET_DISPLAY_INFO);
	error = gpu_command_add_response(gpu, sizeof(struct gpu_header), info, sizeof(*info),
					 GPU_RESPONSE_OK_DISPLAY_INFO);
	if (!error)
		error = gpu_commands_run(gpu, arch_ticks());
	if (error)
		return error;
	if (!info->scanouts[SCANOUT].enabled)
		return gpu_error(ERROR_NODEV, "scanout 0 is not enabled", GPU_GET_DISPLAY_INFO, info->header.type);
	print("virtio-gpu: display %ux%u, mode %ux%u\n", info->scanouts[SCANOUT].rectangle.width,
	      info->scanouts[SCANOUT].rectangle.height, gpu->framebuffer.width_px, gpu->framebuffer.height_px);
	return 0;
}

/* The framebuffer lies in one piece of memory, so that one entry describes it (§5.7.6.8). */
static int backing_attach(struct gpu *gpu)
{
	struct gpu_attach_backing *attach = gpu_command(gpu, GPU_RESOURCE_ATTACH_BACKING);

	attach->resource = GPU_RESOURCE;
	attach->entries = 1;
	attach->entry.address = (uintptr_t)gpu->framebuffer.pixels;
	attach->entry.length = gpu->framebuffer.stride_px * gpu->framebuffer.height_px * 4;
	return command_run(gpu, sizeof(*attach));
}

static int scanout_set(struct gpu *gpu)
{
	struct gpu_set_scanout *scanout = gpu_command(gpu, GPU_SET_SCANOUT);

	scanout->rectangle = (struct gpu_rectangle){0, 0, gpu->framebuffer.width_px, gpu->framebuffer.height_px};
	scanout->scanout = SCANOUT;
	scanout->resource = GPU_RESOURCE;
	return command_run(gpu, sizeof(*scanout));
}

int gpu_start(struct gpu *gpu, uint32_t width_px, uint32_t height_px)
{
	size_t bytes = (size_t)width_px * height_px * 4;
	int error;

	gpu->deadline_ns = gpu->path->deadline_ns;
	gpu->slots = heap_alloc(sizeof(struct gpu_slot) * GPU_COMMANDS_MAX, 16);
	gpu->framebuffer = (struct gpu_framebuffer){heap_alloc(bytes, PAGE), width_px, height_px, width_px};
	if (!gpu->slots || !gpu->framebuffer.pixels)
		return gpu_error(ERROR_NOMEM, "no memory for the picture", GPU_RESOURCE_ATTACH_BACKING, 0);
	error = display_check(gpu);
	if (!error && gpu->path->prepare)
		error = gpu->path->prepare(gpu);
	if (!error)
		error = gpu->path->create(gpu);
	if (!error)
		error = gpu_commands_run(gpu, arch_ticks());
	if (!error)
		error = backing_attach(gpu);
	if (!error)
		error = scanout_set(gpu);
	return error || OPTION(HEADS) == OPTION_HEADS_1 ? error : gpu_heads_start(gpu);
}

/* One attempt, with what the device has of the wanted features. */
static int gpu_open(struct gpu *gpu, uint64_t wanted, uint32_t width_px, uint32_t height_px)
{
	int error;

	memset(gpu, 0, sizeof(*gpu));
	gpu->path = &gpu_path_2d;
	if (OPTION(MODES) == OPTION_MODES_on)
		wanted |= GPU_F_EDID;
	if (transport_probe(&gpu->transport, "virtio-gpu", GPU_DEVICE_TYPE, 0, wanted) ||
	    transport_queue_init(&gpu->transport, &gpu->control, QUEUE_CONTROL, QUEUE_SIZE))
		return ERROR_NODEV;
	if (OPTION(CURSOR) == OPTION_CURSOR_hw && gpu_cursor_open(&gpu_cursor, gpu))
		return ERROR_NODEV;
	if (OPTION(MODES) == OPTION_MODES_on && gpu_modes_open(gpu))
		return ERROR_NODEV;
	if (gpu->transport.features & GPU_F_VIRGL)
		gpu->path = OPTION(DRAW) == OPTION_DRAW_gpu ? &gpu_path_draw : &gpu_path_virgl;
	transport_ready(&gpu->transport);
	error = gpu_start(gpu, width_px, height_px);
	if (error)
		transport_fail(&gpu->transport);
	return error;
}

static const char *virgl_trouble(int error)
{
	switch (error) {
	case ERROR_NOMEM:
		return "no memory";
	case ERROR_TIMEOUT:
		return "a command had no response";
	case ERROR_RESPONSE:
		return "the response to a command was an error";
	case ERROR_CAPSET:
		return "the device has no capability set that can be used";
	case ERROR_CONTEXT:
		return "the device created no context";
	default:
		return "the device broke the protocol";
	}
}

/* DRAW=gpu has no other path to fall back to. */
static int draw_check(struct gpu *gpu, int error)
{
	if (error && gpu->path == &gpu_path_draw)
		print("virtio-gpu: DRAW=gpu needs virgl: %s\n", virgl_trouble(error));
	if (error || gpu->path == &gpu_path_draw)
		return error;
	print("virtio-gpu: DRAW=gpu needs virgl: it is not offered\n");
	transport_fail(&gpu->transport);
	return ERROR_FEATURES;
}

int gpu_init(struct gpu *gpu, uint32_t width_px, uint32_t height_px)
{
	int error = gpu_open(gpu, fault_declines_virgl() ? 0 : GPU_F_VIRGL, width_px, height_px);

	if (OPTION(DRAW) == OPTION_DRAW_gpu) {
		error = draw_check(gpu, error);
	} else if (error && gpu->path == &gpu_path_virgl) {
		print("virtio-gpu: virgl is not used: %s\n", virgl_trouble(error));
		error = gpu_open(gpu, 0, width_px, height_px);
	} else if (!error && gpu->path != &gpu_path_virgl) {
		print("virtio-gpu: virgl is not used: it is not offered\n");
	}
	if (!error)
		print("virtio-gpu: %s\nvirtio-gpu: driver probe succeeded\n", gpu->path->name);
	return error;
}

static int transfer_add(struct gpu *gpu, struct gpu_rectangle rectangle)
{
	/* The lower half: QEMU copies the whole picture for any rectangle that starts at its first pixel. */
	if (fault_halves_transfer()) {
		rectangle.y += rectangle.height / 2;
		rectangle.height -= rectangle.height / 2;
	}
	gpu->timing.damage_px += (uint64_t)rectangle.width * rectangle.height;
	return gpu->path->transfer(gpu, &rectangle);
}

static int flush_add(struct gpu *gpu, struct gpu_rectangle rectangle)
{
	struct gpu_flush *flush = gpu_command(gpu, GPU_RESOURCE_FLUSH);

	flush->rectangle = rectangle;
	flush->resource = gpu_resource();
	return gpu_command_add(gpu, sizeof(*flush));
}

int gpu_present(struct gpu *gpu, const struct gpu_rectangle *damage, uint32_t count)
{
	uint64_t started, instructions;
	int error = 0;

	/* The queue has one owner, and its time is counted once: the clock is read when no other task can run here. */
	PREEMPT_GUARD();
	started = arch_ticks();
	instructions = arch_instructions();
	gpu->timing = (struct gpu_timing){0};
	for (uint32_t i = 0; i < count && !error && !fault_skips_transfer(); i++)
		error = transfer_add(gpu, damage[i]);
	if (!error && OPTION(BATCH) == OPTION_BATCH_off && gpu->slots_used) {
		gpu->timing.submit_insns = arch_instructions() - instructions;
		error = gpu_commands_run(gpu, started);
		instructions = arch_instructions();
		started = arch_ticks();
	}
	if (OPTION(MODES) == OPTION_MODES_on && !error)
		error = gpu_modes_show(gpu);
	for (uint32_t i = 0; i < count && !error && !fault_skips_flush(); i++)
		error = flush_add(gpu, damage[i]);
	gpu->timing.submit_insns += arch_instructions() - instructions;
	if (error || !gpu->slots_used)
		return error;
	return gpu_commands_run(gpu, started);
}
