/* The 2D path: a resource in the host's memory, uploaded by TRANSFER_TO_HOST_2D. */
#include "drivers/virtio/gpu_command.h"

static int create(struct gpu *gpu)
{
	struct gpu_create_2d *request = gpu_command(gpu, GPU_RESOURCE_CREATE_2D);

	request->resource = gpu_resource();
	request->format = GPU_FORMAT_B8G8R8X8;
	request->width = gpu->framebuffer.width_px;
	request->height = gpu->framebuffer.height_px;
	return gpu_command_add(gpu, sizeof(*request));
}

static int transfer(struct gpu *gpu, const struct gpu_rectangle *rectangle)
{
	struct gpu_transfer_2d *request = gpu_command(gpu, GPU_TRANSFER_TO_HOST_2D);

	request->rectangle = *rectangle;
	/* §5.7.6.8: where the rectangle's first pixel lies in the backing. */
	request->offset = ((uint64_t)rectangle->y * gpu->framebuffer.stride_px + rectangle->x) * 4;
	request->resource = gpu_resource();
	return gpu_command_add(gpu, sizeof(*request));
}

const struct gpu_path gpu_path_2d = {
	.name = "2d",
	.deadline_ns = 1000000000ull,
	.create = create,
	.transfer = transfer,
};
