#include "drivers/virtio/gpu_modes.h"

#include "arch/arch.h"
#include "base/heap.h"
#include "drivers/virtio/gpu_command.h"
#include "drivers/virtio/gpu_heads.h"
#include "drivers/virtio/transport_config.h"
#include "fault/fault.h"

#define RESOURCE_OTHER 3u /* beside GPU_RESOURCE and the cursor's */
#define SCANOUT 0u
#define PAGE 4096

/* Memory of pictures, which never goes back to the heap: the next size that fits takes it again. */
struct area {
	uint32_t *pixels;
	uint64_t bytes;
};

static struct {
	struct gpu_display_info *info;
	struct gpu_edid *edid;
	struct area areas[2];
	unsigned used; /* which of them the framebuffer lies in; the other one is free once settled */
	bool to_show;  /* the framebuffer's resource is not on the scanout yet */
	bool retired;  /* the other resource exists still */
} modes;

uint32_t gpu_modes_resource = GPU_RESOURCE;

int gpu_modes_reset(void)
{
	gpu_modes_resource = GPU_RESOURCE;
	modes.areas[0] = modes.areas[1] = (struct area){0};
	modes.used = 0;
	modes.to_show = modes.retired = false;
	if (!modes.info)
		modes.info = heap_alloc(sizeof(*modes.info), 16);
	if (!modes.edid)
		modes.edid = heap_alloc(sizeof(*modes.edid), 16);
	if (!modes.info || !modes.edid)
		return gpu_error(ERROR_NOMEM, "no memory", GPU_GET_EDID, 0);
	return 0;
}

int gpu_modes_open(struct gpu *gpu)
{
	int error = gpu_modes_reset();

	return error ? error : transport_config_attach(&gpu->transport, &gpu->control);
}

static uint32_t other_resource(void)
{
	return gpu_modes_resource == GPU_RESOURCE ? RESOURCE_OTHER : GPU_RESOURCE;
}

/* The command begun last, with nothing else in flight. */
static int command_run(struct gpu *gpu, uint32_t request_length)
{
	int error = gpu_command_add(gpu, request_length);

	return error ? error : gpu_commands_run(gpu, arch_ticks());
}

/* Whether the host has changed a display since the last look (§5.7.4). */
static bool display_event(struct gpu *gpu)
{
	volatile uint8_t *config = gpu->transport.config;

	if (!transport_config_take() || !config || gpu->transport.config_length < GPU_CONFIG_EVENTS_CLEAR + 4)
		return false;
	if (!(*(volatile uint32_t *)(config + GPU_CONFIG_EVENTS) & GPU_EVENT_DISPLAY))
		return false;
	/* Before the display is asked: a change meanwhile is another event. */
	*(volatile uint32_t *)(config + GPU_CONFIG_EVENTS_CLEAR) = GPU_EVENT_DISPLAY;
	return true;
}

static int display_read(struct gpu *gpu, struct gpu_mode *mode)
{
	int error;

	gpu_command(gpu, GPU_GET_DISPLAY_INFO);
	error = gpu_command_add_response(gpu, sizeof(struct gpu_header), modes.info, sizeof(*modes.info),
					 GPU_RESPONSE_OK_DISPLAY_INFO);
	if (!error)
		error = gpu_commands_run(gpu, arch_ticks());
	mode->width_px = modes.info->scanouts[SCANOUT].rectangle.width;
	mode->height_px = modes.info->scanouts[SCANOUT].rectangle.height;
	return error;
}

/* The preferred timing of the display's EDID in place of its size, or in *note why not. */
static int edid_read(struct gpu *gpu, struct gpu_mode *mode, const char **note)
{
	struct gpu_get_edid *request;
	int error;

	*note = "it is not offered";
	if (!(gpu->transport.features & GPU_F_EDID))
		return 0;
	request = gpu_command(gpu, GPU_GET_EDID);
	request->scanout = SCANOUT;
	error = gpu_command_add_response(gpu, sizeof(*request), modes.edid, sizeof(*modes.edid), GPU_RESPONSE_OK_EDID);
	if (!error)
		error = gpu_commands_run(gpu, arch_ticks());
	*note = "the device does not give it";
	if (error)
		return error == ERROR_RESPONSE ? 0 : error;
	*note = gpu_edid_preferred(modes.edid->bytes, modes.edid->size, GPU_EDID_BYTES, mode);
	return 0;
}

int gpu_modes_asked(struct gpu *gpu, struct gpu_mode *mode, const char **note)
{
	int error;

	*note = NULL;
	if (!display_event(gpu))
		return 0;
	error = display_read(gpu, mode);
	/* A display that was switched off has no size, and keeps its picture. */
	if (error || !modes.info->scanouts[SCANOUT].enabled || !mode->width_px || !mode->height_px)
		return error;
	error = edid_read(gpu, mode, note);
	return error ? error : 1;
}

/* Sizes are powers of two, so that however often the mode changes, little memory is left behind. */
static bool area_find(struct area *area, uint64_t bytes)
{
	uint64_t rounded = PAGE;
	void *pixels;

	if (bytes <= area->bytes)
		return true;
	while (rounded < bytes)
		rounded *= 2;
	pixels = heap_alloc(rounded, PAGE);
	if (!pixels)
		return false;
	*area = (struct area){pixels, rounded};
	return true;
}

static int resource_end(struct gpu *gpu, uint32_t resource)
{
	struct gpu_resource_unref *unref = gpu_command(gpu, GPU_RESOURCE_UNREF);

	unref->resource = resource;
	return command_run(gpu, sizeof(*unref));
}

/* The host's side of gpu->framebuffer; ERROR_RESPONSE leaves nothing behind there. */
static int resource_create(struct gpu *gpu)
{
	struct gpu_attach_backing *attach;
	int error = gpu->path->create(gpu);

	if (!error)
		error = gpu_commands_run(gpu, arch_ticks());
	if (error)
		return error;
	attach = gpu_command(gpu, GPU_RESOURCE_ATTACH_BACKING);
	attach->resource = gpu_resource();
	attach->entries = 1;
	attach->entry.address = (uintptr_t)gpu->framebuffer.pixels;
	attach->entry.length = gpu->framebuffer.stride_px * gpu->framebuffer.height_px * 4;
	error = command_run(gpu, sizeof(*attach));
	if (error == ERROR_RESPONSE && resource_end(gpu, gpu_resource()))
		return ERROR_BROKEN;
	return error;
}

int gpu_modes_take(struct gpu *gpu, const struct gpu_mode *mode)
{
	const struct gpu_framebuffer before = gpu->framebuffer;
	const uint32_t pitch = fault_keeps_pitch() ? before.stride_px : mode->width_px;
	const uint64_t row_px = pitch > mode->width_px ? pitch : mode->width_px;
	struct area *area = &modes.areas[!modes.used];
	int error;

	if (!modes.areas[modes.used].bytes)
		modes.areas[modes.used] = (struct area){before.pixels, 4ull * before.stride_px * before.height_px};
	if (mode->width_px > GPU_MODE_SIDE_MAX || mode->height_px > GPU_MODE_SIDE_MAX ||
	    !area_find(area, 4 * row_px * mode->height_px))
		return ERROR_NOMEM;
	gpu->framebuffer = (struct gpu_framebuffer){area->pixels, mode->width_px, mode->height_px, pitch};
	gpu_modes_resource = other_resource();
	error = resource_create(gpu);
	if (error) {
		gpu->framebuffer = before;
		gpu_modes_resource = other_resource();
		return error;
	}
	modes.used = !modes.used;
	modes.to_show = modes.retired = true;
	return 0;
}

int gpu_modes_show(struct gpu *gpu)
{
	struct gpu_set_scanout *scanout;
	int error = 0;

	for (uint32_t head = 0; head < gpu_heads() && modes.to_show && !error; head++) {
		scanout = gpu_command(gpu, GPU_SET_SCANOUT);
		scanout->rectangle =
			(struct gpu_rectangle){0, 0, gpu->framebuffer.width_px, gpu->framebuffer.height_px};
		scanout->scanout = head;
		scanout->resource = gpu_resource();
		error = gpu_command_add(gpu, sizeof(*scanout));
	}
	modes.to_show = false;
	return error;
}

int gpu_modes_settle(struct gpu *gpu)
{
	if (!modes.retired || modes.to_show)
		return 0;
	modes.retired = false;
	return resource_end(gpu, other_resource());
}
