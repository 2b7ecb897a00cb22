/*
 * The virgl path: a texture of the host's renderer, uploaded by TRANSFER_TO_HOST_3D. Only uploads: nothing is drawn by
 * the host.
 */
#include "arch/arch.h"
#include "base/heap.h"
#include "base/print.h"
#include "base/string.h"
#include "drivers/virtio/gpu_command.h"

#define CONTEXT 1u
#define CAPSETS_MAX 16u
/* What is read of it, without the header before and the padding behind. */
#define CAPSET_BYTES_MIN (sizeof(uint32_t) * (1 + 2 * GPU_FORMAT_WORDS))
#define CAPSET_BYTES_MAX (16u << 10)
/* The device starts its renderer when the first command comes. */
#define DEADLINE_NS 5000000000ull

static const char context_name[] = "roulette";

static int command_run(struct gpu *gpu, uint32_t request_length, void *response, uint32_t response_length,
		       uint32_t expected)
{
	int error = gpu_command_add_response(gpu, request_length, response, response_length, expected);

	return error ? error : gpu_commands_run(gpu, arch_ticks());
}

/* Finds virgl's first capability set; later ones begin with the same. */
static int capset_find(struct gpu *gpu, struct gpu_capset_info *info)
{
	uint64_t counts;

	if (transport_config_read64(&gpu->transport, GPU_CONFIG_SCANOUTS, &counts))
		return ERROR_CAPSET;
	for (uint32_t index = 0; index < counts >> 32 && index < CAPSETS_MAX; index++) {
		struct gpu_get_capset_info *request = gpu_command(gpu, GPU_GET_CAPSET_INFO);
		int error;

		request->index = index;
		error = command_run(gpu, sizeof(*request), info, sizeof(*info), GPU_RESPONSE_OK_CAPSET_INFO);
		if (error)
			return error;
		if (info->id == GPU_CAPSET_VIRGL)
			return 0;
	}
	return gpu_error(ERROR_CAPSET, "virgl has no capability set", GPU_GET_CAPSET_INFO, (uint32_t)(counts >> 32));
}

static bool format_is_in(const uint32_t formats[GPU_FORMAT_WORDS], uint32_t format)
{
	return formats[format / 32] & 1u << format % 32;
}

/* Whether textures of the framebuffer's format can be rendered to and sampled, which showing them needs. */
static int capset_check(struct gpu *gpu)
{
	struct gpu_capset_info *info = heap_alloc(sizeof(*info), 16);
	struct gpu_get_capset *request;
	struct gpu_capset *capset;
	uint32_t bytes;
	int error;

	if (!info)
		return ERROR_NOMEM;
	error = capset_find(gpu, info);
	if (error)
		return error;
	bytes = info->size_max;
	if (bytes < CAPSET_BYTES_MIN || bytes > CAPSET_BYTES_MAX)
		return gpu_error(ERROR_CAPSET, "virgl's capability set has an impossible size", GPU_GET_CAPSET, bytes);
	bytes += sizeof(capset->header);
	capset = heap_alloc(bytes, 16);
	if (!capset)
		return ERROR_NOMEM;
	request = gpu_command(gpu, GPU_GET_CAPSET);
	request->id = info->id;
	request->version = info->version_max;
	error = command_run(gpu, sizeof(*request), capset, bytes, GPU_RESPONSE_OK_CAPSET);
	if (error)
		return error;
	if (!format_is_in(capset->sampler, GPU_FORMAT_B8G8R8X8) || !format_is_in(capset->render, GPU_FORMAT_B8G8R8X8))
		return gpu_error(ERROR_CAPSET, "virgl does not know the canvas's format", GPU_GET_CAPSET,
				 GPU_FORMAT_B8G8R8X8);
	print("virtio-gpu: virgl capability set version %u, %u bytes\n", info->version_max, info->size_max);
	return 0;
}

static int prepare(struct gpu *gpu)
{
	struct gpu_context_create *request;
	int error = capset_check(gpu);

	if (error == ERROR_RESPONSE)
		return ERROR_CAPSET;
	if (error)
		return error;
	request = gpu_command(gpu, GPU_CTX_CREATE);
	request->header.context = CONTEXT;
	request->name_length = sizeof(context_name) - 1;
	memcpy(request->name, context_name, sizeof(context_name));
	error = gpu_command_add(gpu, sizeof(*request));
	if (!error)
		error = gpu_commands_run(gpu, arch_ticks());
	return error == ERROR_RESPONSE ? ERROR_CONTEXT : error;
}

static int create(struct gpu *gpu)
{
	struct gpu_create_3d *request = gpu_command(gpu, GPU_RESOURCE_CREATE_3D);
	struct gpu_context_resource *attach;
	int error;

	request->resource = gpu_resource();
	request->target = GPU_TEXTURE_2D;
	request->format = GPU_FORMAT_B8G8R8X8;
	request->bind = GPU_BIND_RENDER_TARGET | GPU_BIND_SAMPLER_VIEW;
	request->width = gpu->framebuffer.width_px;
	request->height = gpu->framebuffer.height_px;
	request->depth = 1;
	request->layers = 1;
	request->flags = GPU_RESOURCE_Y_0_TOP;
	error = gpu_command_add(gpu, sizeof(*request));
	if (error)
		return error;
	attach = gpu_command(gpu, GPU_CTX_ATTACH_RESOURCE);
	attach->header.context = CONTEXT;
	attach->resource = gpu_resource();
	return gpu_command_add(gpu, sizeof(*attach));
}

static int transfer(struct gpu *gpu, const struct gpu_rectangle *rectangle)
{
	struct gpu_transfer_3d *request = gpu_command(gpu, GPU_TRANSFER_TO_HOST_3D);

	request->header.context = CONTEXT;
	request->box.x = rectangle->x;
	request->box.y = rectangle->y;
	request->box.width = rectangle->width;
	request->box.height = rectangle->height;
	request->box.depth = 1;
	request->stride = gpu->framebuffer.stride_px * 4;
	/* Where the box's first pixel lies in the backing. */
	request->offset = (uint64_t)rectangle->y * request->stride + rectangle->x * 4ull;
	request->resource = gpu_resource();
	return gpu_command_add(gpu, sizeof(*request));
}

const struct gpu_path gpu_path_virgl = {
	.name = "virgl transfer",
	.deadline_ns = DEADLINE_NS,
	.prepare = prepare,
	.create = create,
	.transfer = transfer,
};
