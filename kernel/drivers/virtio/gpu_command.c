#include "drivers/virtio/gpu_command.h"

#include "arch/arch.h"
#include "base/panic.h"
#include "base/print.h"
#include "base/string.h"
#include "options.h"

int gpu_error(int error, const char *what, uint32_t command, uint32_t response)
{
	print("virtio-gpu: %s, command 0x%x response 0x%x\n", what, command, response);
	return error;
}

static struct gpu_header *slot_request(struct gpu_slot *slot)
{
	return (struct gpu_header *)(void *)slot->request;
}

static bool command_is_fenced(uint32_t type)
{
	return OPTION(GPU_FENCE) == OPTION_GPU_FENCE_on &&
	       (type == GPU_TRANSFER_TO_HOST_2D || type == GPU_TRANSFER_TO_HOST_3D || type == GPU_RESOURCE_FLUSH);
}

void *gpu_command(struct gpu *gpu, uint32_t type)
{
	struct gpu_slot *slot = &gpu->slots[gpu->slots_used];
	struct gpu_header *header = slot_request(slot);

	ASSERT(gpu->slots_used < GPU_COMMANDS_MAX);
	gpu->slots_used++;
	memset(slot, 0, sizeof(*slot));
	header->type = type;
	if (command_is_fenced(type)) {
		header->flags = GPU_FLAG_FENCE;
		header->fence = ++gpu->fence;
	}
	return slot->request;
}

int gpu_command_add_response(struct gpu *gpu, uint32_t request_length, void *response, uint32_t response_length,
			     uint32_t expected)
{
	struct gpu_slot *slot = &gpu->slots[gpu->slots_used - 1];
	struct virtqueue_buffer buffers[] = {
		{(uintptr_t)slot->request, request_length, false},
		{(uintptr_t)response, response_length, true},
	};

	slot->response = response;
	slot->response_length = response_length;
	slot->expected = expected;
	if (virtqueue_add(&gpu->control.queue, buffers, 2, slot))
		return gpu_error(ERROR_BROKEN, "no descriptors left", slot_request(slot)->type, 0);
	return 0;
}

int gpu_command_add(struct gpu *gpu, uint32_t request_length)
{
	struct gpu_slot *slot = &gpu->slots[gpu->slots_used - 1];

	return gpu_command_add_response(gpu, request_length, &slot->header, sizeof(slot->header),
					GPU_RESPONSE_OK_NODATA);
}

/* Checks a response: a header at least, of the type that the command has, with its fence. */
static int response_check(struct gpu_slot *slot, uint32_t length)
{
	const struct gpu_header *request = slot_request(slot), *response = slot->response;

	if (length < sizeof(*response) || length > slot->response_length)
		return gpu_error(ERROR_BROKEN, "response of an impossible length", request->type, length);
	if (response->type != slot->expected)
		return gpu_error(ERROR_RESPONSE, "error response", request->type, response->type);
	/* A response of more than a header is whole. */
	if (length != slot->response_length)
		return gpu_error(ERROR_BROKEN, "response of an impossible length", request->type, length);
	if (request->flags & GPU_FLAG_FENCE &&
	    (!(response->flags & GPU_FLAG_FENCE) || response->fence != request->fence))
		return gpu_error(ERROR_RESPONSE, "fence not echoed", request->type, response->type);
	return 0;
}

/*
 * Waits for the responses to everything added, in whatever order they come. An error response is reported once all have
 * come back, so that the device can be used again; where the ring is broken or silent, nothing more comes back.
 */
static int responses_wait(struct gpu *gpu)
{
	int first = 0;

	for (; gpu->slots_used; gpu->slots_used--) {
		struct virtqueue_completion completion = {0};
		uint64_t before = arch_instructions();
		int error = transport_wait(&gpu->control, &completion, gpu->deadline_ns, "command");
		uint64_t popped = arch_instructions();

		gpu->timing.poll_insns += popped - before;
		if (error)
			return error == ERROR_TIMEOUT ? ERROR_TIMEOUT : ERROR_BROKEN;
		error = response_check(completion.token, completion.length);
		if (error == ERROR_BROKEN)
			return error;
		if (!first)
			first = error;
		gpu->timing.complete_insns += arch_instructions() - popped;
	}
	return first;
}

int gpu_commands_run(struct gpu *gpu, uint64_t started)
{
	uint64_t published, notified;
	int error;

	virtqueue_publish(&gpu->control.queue);
	published = arch_ticks();
	virtqueue_kick(&gpu->control.queue);
	notified = arch_ticks();
	error = responses_wait(gpu);
	gpu->timing.submit_ticks += published - started;
	gpu->timing.notify_ticks += notified - published;
	gpu->timing.wait_ticks += arch_ticks() - notified;
	return error;
}
