#include "drivers/virtio/gpu_heads.h"

#include "arch/arch.h"
#include "base/print.h"
#include "drivers/virtio/gpu_command.h"
#include "fault/fault.h"

#define HEADS_HERE 2u

uint32_t gpu_heads_shown = 1;

static int head_set(struct gpu *gpu, uint32_t head)
{
	struct gpu_set_scanout *scanout = gpu_command(gpu, GPU_SET_SCANOUT);
	int error;

	scanout->rectangle = (struct gpu_rectangle){0, 0, gpu->framebuffer.width_px, gpu->framebuffer.height_px};
	scanout->scanout = head;
	scanout->resource = gpu_resource();
	error = gpu_command_add(gpu, sizeof(*scanout));
	return error ? error : gpu_commands_run(gpu, arch_ticks());
}

int gpu_heads_start(struct gpu *gpu)
{
	uint64_t counts = 0;
	int error = transport_config_read64(&gpu->transport, GPU_CONFIG_SCANOUTS, &counts);

	gpu_heads_shown = (uint32_t)counts < HEADS_HERE ? (uint32_t)counts : HEADS_HERE;
	if (!error && gpu_heads_shown < HEADS_HERE)
		print("virtio-gpu: HEADS=2, and the device has %u: there the picture is shown\n", gpu_heads_shown);
	for (uint32_t head = 1; head < gpu_heads_shown && !error && !fault_forgets_head(); head++)
		error = head_set(gpu, head);
	return error;
}
