#include "virtio/gpu.h"

#include "arch/arch.h"
#include "fault/fault.h"
#include "lib/assert.h"
#include "lib/heap.h"
#include "lib/print.h"
#include "lib/string.h"
#include "options.h"

#define RESOURCE 1u
#define SCANOUT 0u
#define QUEUE_CONTROL 0
#define QUEUE_SIZE 64
#define COMMAND_NS 1000000000ull
#define PAGE 4096

static int gpu_error(int error, const char *what, uint32_t command, uint32_t response)
{
	print("virtio-gpu: %s, command 0x%x response 0x%x\n", what, command, response);
	return error;
}

/* The next free slot with a zeroed request of this type; published by nobody yet. */
static void *slot_take(struct gpu *gpu, uint32_t command, uint32_t expected)
{
	struct gpu_slot *slot = &gpu->slots[gpu->slots_used];
	struct gpu_header *header = (struct gpu_header *)(void *)slot->request;

	ASSERT(gpu->slots_used < GPU_COMMANDS_MAX);
	gpu->slots_used++;
	memset(slot, 0, sizeof(*slot));
	header->type = command;
	slot->expected = expected;
	if (OPTION(GPU_FENCE) == OPTION_GPU_FENCE_on &&
	    (command == GPU_TRANSFER_TO_HOST_2D || command == GPU_RESOURCE_FLUSH)) {
		header->flags = GPU_FLAG_FENCE;
		header->fence = ++gpu->fence;
	}
	return slot->request;
}

static int slot_add(struct gpu *gpu, struct gpu_slot *slot, uint32_t request_length, void *response,
		    uint32_t response_length)
{
	struct virtqueue_buffer buffers[] = {
		{(uintptr_t)slot->request, request_length, false},
		{(uintptr_t)response, response_length, true},
	};

	if (virtqueue_add(&gpu->control.queue, buffers, 2, slot))
		return gpu_error(GPU_EBROKEN, "no descriptors left", slot->request[0] | slot->request[1] << 8, 0);
	return 0;
}

static int answer_wait(struct gpu *gpu, struct virtqueue_completion *completion)
{
	int error = transport_wait(&gpu->control, completion, gpu->deadline_ns, "command");

	if (!error)
		return 0;
	return error == VIRTQUEUE_ETIMEOUT ? GPU_ETIMEOUT : GPU_EBROKEN;
}

/* Takes the answers to everything added, in whatever order they come. */
static int slots_complete(struct gpu *gpu, uint32_t response_length)
{
	for (uint32_t pending = gpu->slots_used; pending; pending--) {
		struct virtqueue_completion completion = {0};
		uint64_t before = arch_instructions();
		int error = answer_wait(gpu, &completion);
		uint64_t taken = arch_instructions();
		struct gpu_slot *slot = completion.token;
		const struct gpu_header *request;

		gpu->timing.poll_insns += taken - before;
		if (error)
			return error;
		request = (const struct gpu_header *)(const void *)slot->request;
		if (completion.length < sizeof(struct gpu_header) || completion.length > response_length)
			return gpu_error(GPU_EBROKEN, "response of an impossible length", request->type,
					 completion.length);
		if (slot->response.type != slot->expected)
			return gpu_error(GPU_ERESPONSE, "error response", request->type, slot->response.type);
		if (request->flags & GPU_FLAG_FENCE &&
		    (!(slot->response.flags & GPU_FLAG_FENCE) || slot->response.fence != request->fence))
			return gpu_error(GPU_ERESPONSE, "fence not echoed", request->type, slot->response.type);
		gpu->timing.complete_insns += arch_instructions() - taken;
	}
	gpu->slots_used = 0;
	return 0;
}

/* Publishes what was added, rings the doorbell, waits for every answer; adds up where the time went. */
static int commands_run(struct gpu *gpu, uint64_t started)
{
	uint64_t published, notified;
	int error;

	virtqueue_publish(&gpu->control.queue);
	published = arch_ticks();
	virtqueue_kick(&gpu->control.queue);
	notified = arch_ticks();
	error = slots_complete(gpu, sizeof(struct gpu_header));
	gpu->timing.submit_ticks += published - started;
	gpu->timing.notify_ticks += notified - published;
	gpu->timing.wait_ticks += arch_ticks() - notified;
	return error;
}

/* One command outside of a frame, its response a bare header. */
static int command_run(struct gpu *gpu, uint32_t request_length)
{
	struct gpu_slot *slot = &gpu->slots[gpu->slots_used - 1];

	if (slot_add(gpu, slot, request_length, &slot->response, sizeof(slot->response)))
		return GPU_EBROKEN;
	return commands_run(gpu, arch_ticks());
}

static int display_check(struct gpu *gpu, uint32_t width_px, uint32_t height_px)
{
	struct gpu_display_info *info = heap_alloc(sizeof(*info), 16);
	struct virtqueue_completion completion;
	struct gpu_slot *slot = gpu->slots;
	int error;

	if (!info)
		return gpu_error(GPU_ENOMEM, "no memory", GPU_GET_DISPLAY_INFO, 0);
	slot_take(gpu, GPU_GET_DISPLAY_INFO, GPU_RESPONSE_OK_DISPLAY_INFO);
	gpu->slots_used = 0;
	if (slot_add(gpu, slot, sizeof(struct gpu_header), info, sizeof(*info)))
		return GPU_EBROKEN;
	virtqueue_publish(&gpu->control.queue);
	virtqueue_kick(&gpu->control.queue);
	error = answer_wait(gpu, &completion);
	if (error)
		return error;
	if (completion.length != sizeof(*info) || info->header.type != GPU_RESPONSE_OK_DISPLAY_INFO)
		return gpu_error(GPU_ERESPONSE, "error response", GPU_GET_DISPLAY_INFO, info->header.type);
	if (!info->scanouts[SCANOUT].enabled)
		return gpu_error(GPU_ENODEV, "scanout 0 is not enabled", GPU_GET_DISPLAY_INFO, info->header.type);
	print("virtio-gpu: display %ux%u, mode %ux%u\n", info->scanouts[SCANOUT].rectangle.width,
	      info->scanouts[SCANOUT].rectangle.height, width_px, height_px);
	return 0;
}

static int scanout_show(struct gpu *gpu)
{
	struct gpu_rectangle whole = {0, 0, gpu->canvas.width_px, gpu->canvas.height_px};
	struct gpu_attach_backing *attach;
	struct gpu_set_scanout *scanout;
	struct gpu_create_2d *create;
	int error;

	create = slot_take(gpu, GPU_RESOURCE_CREATE_2D, GPU_RESPONSE_OK_NODATA);
	create->resource = RESOURCE;
	create->format = GPU_FORMAT_B8G8R8X8;
	create->width = whole.width;
	create->height = whole.height;
	error = command_run(gpu, sizeof(*create));
	if (error)
		return error;
	attach = slot_take(gpu, GPU_RESOURCE_ATTACH_BACKING, GPU_RESPONSE_OK_NODATA);
	attach->resource = RESOURCE;
	attach->entries = 1;
	attach->entry.address = (uintptr_t)gpu->canvas.pixels;
	attach->entry.length = gpu->canvas.stride_px * gpu->canvas.height_px * 4;
	error = command_run(gpu, sizeof(*attach));
	if (error)
		return error;
	scanout = slot_take(gpu, GPU_SET_SCANOUT, GPU_RESPONSE_OK_NODATA);
	scanout->rectangle = whole;
	scanout->scanout = SCANOUT;
	scanout->resource = RESOURCE;
	return command_run(gpu, sizeof(*scanout));
}

int gpu_start(struct gpu *gpu, uint32_t width_px, uint32_t height_px)
{
	size_t bytes = (size_t)width_px * height_px * 4;
	int error;

	gpu->deadline_ns = COMMAND_NS;
	gpu->slots = heap_alloc(sizeof(struct gpu_slot) * GPU_COMMANDS_MAX, 16);
	gpu->canvas = (struct canvas){heap_alloc(bytes, PAGE), width_px, height_px, width_px};
	if (!gpu->slots || !gpu->canvas.pixels)
		return gpu_error(GPU_ENOMEM, "no memory for the picture", GPU_RESOURCE_ATTACH_BACKING, 0);
	error = display_check(gpu, width_px, height_px);
	return error ? error : scanout_show(gpu);
}

int gpu_init(struct gpu *gpu, uint32_t width_px, uint32_t height_px)
{
	int error;

	memset(gpu, 0, sizeof(*gpu));
	if (transport_probe(&gpu->transport, "virtio-gpu", GPU_DEVICE_TYPE, 0, 0) ||
	    transport_queue_init(&gpu->transport, &gpu->control, QUEUE_CONTROL, QUEUE_SIZE))
		return GPU_ENODEV;
	transport_ready(&gpu->transport);
	error = gpu_start(gpu, width_px, height_px);
	if (error) {
		transport_fail(&gpu->transport);
		return error;
	}
	print("virtio-gpu: 2d\nvirtio-gpu: driver probe succeeded\n");
	return 0;
}

static struct gpu_rectangle wire_rectangle(const struct canvas_rect *rect)
{
	return (struct gpu_rectangle){
		(uint32_t)rect->x0,
		(uint32_t)rect->y0,
		(uint32_t)(rect->x1 - rect->x0),
		(uint32_t)(rect->y1 - rect->y0),
	};
}

static int transfer_add(struct gpu *gpu, const struct canvas_rect *rect)
{
	struct gpu_slot *slot = &gpu->slots[gpu->slots_used];
	struct gpu_transfer_2d *transfer = slot_take(gpu, GPU_TRANSFER_TO_HOST_2D, GPU_RESPONSE_OK_NODATA);

	transfer->rectangle = wire_rectangle(rect);
	if (fault_halves_transfer()) {
		/* The lower half: QEMU copies the whole picture for any rectangle that starts at its first pixel. */
		transfer->rectangle.y += transfer->rectangle.height / 2;
		transfer->rectangle.height -= transfer->rectangle.height / 2;
	}
	/* §5.7.6.8: where the rectangle's first pixel lies in the backing. */
	transfer->offset = ((uint64_t)transfer->rectangle.y * gpu->canvas.stride_px + transfer->rectangle.x) * 4;
	transfer->resource = RESOURCE;
	gpu->timing.damage_px += (uint64_t)transfer->rectangle.width * transfer->rectangle.height;
	return slot_add(gpu, slot, sizeof(*transfer), &slot->response, sizeof(slot->response));
}

static int flush_add(struct gpu *gpu, const struct canvas_rect *rect)
{
	struct gpu_slot *slot = &gpu->slots[gpu->slots_used];
	struct gpu_flush *flush = slot_take(gpu, GPU_RESOURCE_FLUSH, GPU_RESPONSE_OK_NODATA);

	flush->rectangle = wire_rectangle(rect);
	flush->resource = RESOURCE;
	return slot_add(gpu, slot, sizeof(*flush), &slot->response, sizeof(slot->response));
}

int gpu_present(struct gpu *gpu, const struct canvas_rect *damage, uint32_t count)
{
	uint64_t started = arch_ticks(), instructions = arch_instructions();
	int error = 0;

	gpu->timing = (struct gpu_timing){0};
	for (uint32_t i = 0; i < count && !error && !fault_skips_transfer(); i++)
		error = transfer_add(gpu, &damage[i]);
	if (!error && OPTION(BATCH) == OPTION_BATCH_off && gpu->slots_used) {
		error = commands_run(gpu, started);
		started = arch_ticks();
	}
	for (uint32_t i = 0; i < count && !error && !fault_skips_flush(); i++)
		error = flush_add(gpu, &damage[i]);
	gpu->timing.submit_insns = arch_instructions() - instructions;
	if (error || !gpu->slots_used)
		return error;
	return commands_run(gpu, started);
}
