/*
 * What the host's renderer calls itself (GL_RENDERER), from virgl's second capability set. Only a name: a device that
 * does not tell is as good.
 */
#include "arch/arch.h"
#include "base/heap.h"
#include "base/print.h"
#include "drivers/virtio/gpu_command.h"
#include "drivers/virtio/gpu_virgl_draw.h"
#include "drivers/virtio/gpu_virgl_protocol.h"

#define CAPSETS_MAX 16u
#define CAPSET_BYTES_MAX (16u << 10)
#define NAME_END (VIRGL_CAPSET_2_RENDERER + VIRGL_CAPSET_2_RENDERER_BYTES)

static int command_run(struct gpu *gpu, uint32_t request_length, void *response, uint32_t response_length,
		       uint32_t expected)
{
	int error = gpu_command_add_response(gpu, request_length, response, response_length, expected);

	return error ? error : gpu_commands_run(gpu, arch_ticks());
}

/* Bytes of the second capability set; 0 where there is none, or none that holds a name. */
static int capset_size(struct gpu *gpu, uint32_t *bytes)
{
	struct gpu_capset_info *info = heap_alloc(sizeof(*info), 16);
	uint64_t counts;

	*bytes = 0;
	if (!info || transport_config_read64(&gpu->transport, GPU_CONFIG_SCANOUTS, &counts))
		return 0;
	for (uint32_t index = 0; index < counts >> 32 && index < CAPSETS_MAX; index++) {
		struct gpu_get_capset_info *request = gpu_command(gpu, GPU_GET_CAPSET_INFO);
		int error;

		request->index = index;
		error = command_run(gpu, sizeof(*request), info, sizeof(*info), GPU_RESPONSE_OK_CAPSET_INFO);
		if (error)
			return error;
		if (info->id == VIRGL_CAPSET_2 && info->size_max >= NAME_END && info->size_max <= CAPSET_BYTES_MAX)
			*bytes = info->size_max;
	}
	return 0;
}

/* Whatever the device says, one line of printable characters. */
static void name_copy(char *name, const char *told)
{
	uint32_t i;

	for (i = 0; i < VIRGL_CAPSET_2_RENDERER_BYTES - 1 && told[i]; i++)
		name[i] = told[i] >= ' ' && told[i] <= '~' ? told[i] : '?';
	name[i] = 0;
}

int gpu_draw_renderer_print(struct gpu *gpu)
{
	char name[VIRGL_CAPSET_2_RENDERER_BYTES] = "";
	struct gpu_get_capset *request;
	struct gpu_header *capset;
	uint32_t bytes;
	int error = capset_size(gpu, &bytes);

	if (error)
		return error;
	capset = bytes ? heap_alloc(sizeof(*capset) + bytes, 16) : NULL;
	if (capset) {
		request = gpu_command(gpu, GPU_GET_CAPSET);
		request->id = VIRGL_CAPSET_2;
		request->version = 2;
		error = command_run(gpu, sizeof(*request), capset, (uint32_t)sizeof(*capset) + bytes,
				    GPU_RESPONSE_OK_CAPSET);
		if (error)
			return error;
		name_copy(name, (const char *)(capset + 1) + VIRGL_CAPSET_2_RENDERER);
	}
	print("virtio-gpu: drawn by %s\n", name[0] ? name : "a renderer that does not tell its name");
	return 0;
}
