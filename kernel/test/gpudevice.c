#include "test/gpudevice.h"

#include "base/minmax.h"
#include "base/string.h"
#include "drivers/virtio/gpu_cursor.h"
#include "drivers/virtio/gpu_modes.h"
#include "drivers/virtio/gpu_virgl_protocol.h"
#include "drivers/virtio/transport_config.h"

#define WIDTH GPUDEVICE_WIDTH
#define HEIGHT GPUDEVICE_HEIGHT
#define RESPONSE_INVALID 0x1203u
#define CAPSET_BYTES 308u

struct gpudevice gpudevice;

static struct transport_common common;
static volatile uint32_t configuration[4]; /* events_read, events_clear, num_scanouts, num_capsets */

static bool inside(uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	return width && height && x < gpudevice.width && y < gpudevice.height && width <= gpudevice.width - x &&
	       height <= gpudevice.height - y;
}

static void copy(const struct gpu_rectangle *rectangle, uint64_t offset, uint32_t stride)
{
	gpudevice.transfers++;
	if (!inside(rectangle->x, rectangle->y, rectangle->width, rectangle->height) || !gpudevice.backing) {
		gpudevice.strays++;
		return;
	}
	for (uint32_t y = 0; y < rectangle->height; y++)
		memcpy(&gpudevice.picture[(rectangle->y + y) * gpudevice.width + rectangle->x],
		       (const void *)(uintptr_t)(gpudevice.backing + offset + (uint64_t)y * stride),
		       rectangle->width * 4ul);
}

static void transfer_3d(const struct gpu_transfer_3d *request)
{
	struct gpu_rectangle rectangle = {request->box.x, request->box.y, request->box.width, request->box.height};

	gpudevice.strays += !gpudevice.attached || request->header.context != 1 || request->level || request->box.z ||
			    request->box.depth != 1 || request->stride < rectangle.width * 4;
	if (request->resource != GPU_RESOURCE) {
		gpudevice.other_transfers++;
		return;
	}
	copy(&rectangle, request->offset, request->stride);
}

/* Its picture, as pixels that someone else drew, into the backing. */
static void read_back(const struct gpu_transfer_3d *request)
{
	gpudevice.strays += request->resource != GPU_RESOURCE || request->header.context != 1 ||
			    !inside(request->box.x, request->box.y, request->box.width, request->box.height);
	for (uint32_t y = 0; y < request->box.height; y++)
		memcpy((void *)(uintptr_t)(gpudevice.backing + request->offset + (uint64_t)y * request->stride),
		       &gpudevice.picture[(request->box.y + y) * WIDTH + request->box.x], request->box.width * 4ul);
}

static void submit_3d(const struct gpu_submit_3d *request, const struct ringdevice_chain *chain)
{
	const void *words = (const void *)(uintptr_t)chain->pieces[1].address;

	gpudevice.submits++;
	gpudevice.strays += request->header.context != 1 || chain->count != 3 ||
			    request->size != chain->pieces[1].length || request->size > sizeof(gpudevice.stream);
	gpudevice.stream_bytes = min32((int32_t)request->size, sizeof(gpudevice.stream));
	memcpy(gpudevice.stream, words, gpudevice.stream_bytes);
}

static void create_3d(const struct gpu_create_3d *request)
{
	if (request->resource != GPU_RESOURCE) {
		gpudevice.others++;
		return;
	}
	gpudevice.texture = true;
	gpudevice.upside_down = !(request->flags & GPU_RESOURCE_Y_0_TOP);
	gpudevice.strays += request->target != GPU_TEXTURE_2D || request->format != GPU_FORMAT_B8G8R8X8 ||
			    request->width != WIDTH || request->height != HEIGHT || request->depth != 1 ||
			    request->layers != 1 || !(request->bind & GPU_BIND_RENDER_TARGET) || request->samples;
}

static void capset_info(const struct gpu_get_capset_info *request, struct gpu_capset_info *response)
{
	gpudevice.strays += request->index >= gpudevice.capsets;
	response->header.type = GPU_RESPONSE_OK_CAPSET_INFO;
	/* What is asked for comes last. */
	response->id = request->index + 1 == gpudevice.capsets ? gpudevice.capset_id : 77;
	response->version_max = 1;
	response->size_max = gpudevice.capset_bytes;
	if (!request->index && gpudevice.renderer) {
		response->id = VIRGL_CAPSET_2;
		response->version_max = 2;
		response->size_max = VIRGL_CAPSET_2_RENDERER + VIRGL_CAPSET_2_RENDERER_BYTES;
	}
}

static void capset(const struct gpu_get_capset *request, struct gpu_capset *response)
{
	if (request->id == VIRGL_CAPSET_2 && gpudevice.renderer) {
		response->header.type = GPU_RESPONSE_OK_CAPSET;
		strncpy((char *)(&response->header + 1) + VIRGL_CAPSET_2_RENDERER, gpudevice.renderer,
			VIRGL_CAPSET_2_RENDERER_BYTES);
		return;
	}
	gpudevice.strays += request->id != gpudevice.capset_id || request->version != 1;
	response->header.type = GPU_RESPONSE_OK_CAPSET;
	response->version_max = 1;
	response->sampler[0] = gpudevice.sampler;
	response->render[0] = gpudevice.render;
}

static void execute_3d(const void *body, struct gpu_header *response, const struct ringdevice_chain *chain)
{
	const struct gpu_header *request = body;

	switch (request->type) {
	case GPU_GET_CAPSET_INFO:
		capset_info(body, (void *)response);
		break;
	case GPU_GET_CAPSET:
		capset(body, (void *)response);
		break;
	case GPU_CTX_CREATE:
		gpudevice.strays += gpudevice.context || request->context != 1;
		gpudevice.context = true;
		break;
	case GPU_RESOURCE_CREATE_3D:
		create_3d(body);
		break;
	case GPU_CTX_ATTACH_RESOURCE:
		gpudevice.strays += !gpudevice.context || !gpudevice.texture || request->context != 1;
		gpudevice.attached = true;
		break;
	case GPU_TRANSFER_TO_HOST_3D:
		transfer_3d(body);
		break;
	case GPU_TRANSFER_FROM_HOST_3D:
		read_back(body);
		break;
	case GPU_SUBMIT_3D:
		submit_3d(body, chain);
		break;
	default:
		gpudevice.strays++;
	}
}

/* How an EDID is laid out that says one size, and nothing else. */
static void edid_write(uint8_t *edid, uint32_t width, uint32_t height)
{
	uint8_t sum = 0;

	memset(edid, 0, GPU_EDID_BYTES);
	memset(edid + 1, 0xff, 6);
	edid[54] = edid[55] = 1;
	edid[56] = (uint8_t)width;
	edid[58] = (uint8_t)(width >> 4 & 0xf0);
	edid[59] = (uint8_t)height;
	edid[61] = (uint8_t)(height >> 4 & 0xf0);
	for (unsigned i = 0; i < 127; i++)
		sum = (uint8_t)(sum + edid[i]);
	edid[127] = (uint8_t)-sum;
}

void gpudevice_resize(uint32_t width, uint32_t height)
{
	gpudevice.display_width = width;
	gpudevice.display_height = height;
	edid_write(gpudevice.edid, width, height);
	gpudevice.edid_size = GPU_EDID_BYTES;
	configuration[GPU_CONFIG_EVENTS / 4] = GPU_EVENT_DISPLAY;
	configuration[GPU_CONFIG_EVENTS_CLEAR / 4] = 0;
	transport_config_changed = true;
}

void gpudevice_heads(uint32_t count)
{
	configuration[GPU_CONFIG_SCANOUTS / 4] = count;
}

static void display_info(struct gpu_display_info *response)
{
	response->header.type = GPU_RESPONSE_OK_DISPLAY_INFO;
	response->scanouts[0].enabled = gpudevice.manner != GPUDEVICE_SCANOUT_OFF;
	response->scanouts[0].rectangle =
		(struct gpu_rectangle){0, 0, gpudevice.display_width, gpudevice.display_height};
	/* As the device does once it is told to: the model has no one to hear the write. */
	if (configuration[GPU_CONFIG_EVENTS_CLEAR / 4] & GPU_EVENT_DISPLAY)
		configuration[GPU_CONFIG_EVENTS / 4] = configuration[GPU_CONFIG_EVENTS_CLEAR / 4] = 0;
}

static void edid_respond(struct gpu_edid *response)
{
	response->header.type = GPU_RESPONSE_OK_EDID;
	response->size = gpudevice.edid_size;
	memcpy(response->bytes, gpudevice.edid, GPU_EDID_BYTES);
}

/* The picture is that of the resource created last. */
static void create_2d(const struct gpu_create_2d *request)
{
	gpudevice.strays += gpudevice.resources >> request->resource & 1;
	gpudevice.resources |= 1u << request->resource;
	if (request->resource == GPU_CURSOR_RESOURCE)
		return;
	gpudevice.strays += request->width * request->height > WIDTH * HEIGHT;
	gpudevice.resource = request->resource;
	gpudevice.width = request->width;
	gpudevice.height = request->height;
}

static void set_scanout(const struct gpu_set_scanout *request)
{
	gpudevice.scanout = request->resource;
	gpudevice.heads = request->scanout + 1 > gpudevice.heads ? request->scanout + 1 : gpudevice.heads;
	gpudevice.strays += request->scanout >= configuration[GPU_CONFIG_SCANOUTS / 4];
}

static void unref(const struct gpu_resource_unref *request)
{
	gpudevice.strays += !(gpudevice.resources >> request->resource & 1) || gpudevice.scanout == request->resource;
	gpudevice.resources &= ~(1u << request->resource);
}

static void execute(const void *body, struct gpu_header *response, const struct ringdevice_chain *chain)
{
	const struct gpu_header *request = body;
	const struct gpu_transfer_2d *transfer = body;
	const struct gpu_rectangle *flushed = &((const struct gpu_flush *)body)->rectangle;

	response->type = GPU_RESPONSE_OK_NODATA;
	switch (request->type) {
	case GPU_GET_DISPLAY_INFO:
		display_info((void *)response);
		break;
	case GPU_GET_EDID:
		edid_respond((void *)response);
		break;
	case GPU_RESOURCE_UNREF:
		unref(body);
		break;
	case GPU_RESOURCE_ATTACH_BACKING:
		if (((const struct gpu_attach_backing *)body)->resource == gpudevice.resource)
			gpudevice.backing = ((const struct gpu_attach_backing *)body)->entry.address;
		break;
	case GPU_TRANSFER_TO_HOST_2D:
		if (transfer->resource == GPU_CURSOR_RESOURCE)
			gpudevice.cursor_transfers++;
		else
			copy(&transfer->rectangle, transfer->offset, gpudevice.width * 4);
		break;
	case GPU_RESOURCE_FLUSH:
		gpudevice.flushes++;
		gpudevice.strays += !inside(flushed->x, flushed->y, flushed->width, flushed->height);
		break;
	case GPU_RESOURCE_CREATE_2D:
		create_2d(body);
		break;
	case GPU_SET_SCANOUT:
		set_scanout(body);
		gpudevice.shown = true;
		break;
	default:
		execute_3d(body, response, chain);
	}
}

/* Executes a command and writes the response that is right, or that of the manner; returns its bytes. */
static uint32_t respond(const struct ringdevice_chain *chain)
{
	const struct gpu_header *request = (const void *)(uintptr_t)chain->pieces[0].address;
	const struct virtqueue_descriptor *last = &chain->pieces[chain->count - 1];
	struct gpu_header *response = (struct gpu_header *)(uintptr_t)last->address;
	bool odd = !gpudevice.only || gpudevice.only == request->type;
	enum gpudevice_manner manner = odd ? gpudevice.manner : GPUDEVICE_HONEST;

	if (manner == GPUDEVICE_RESPONDS_NOTHING)
		return 0;
	execute(request, response, chain);
	if (request->flags & GPU_FLAG_FENCE && manner != GPUDEVICE_FORGETS_FENCE) {
		gpudevice.fenced++;
		response->flags = GPU_FLAG_FENCE;
		response->fence = request->fence;
	}
	if (manner == GPUDEVICE_RESPONDS_ERROR) {
		response->type = RESPONSE_INVALID;
		return sizeof(*response);
	}
	return manner == GPUDEVICE_RESPONDS_SHORT ? 8 : last->length;
}

static void serve(struct ringdevice *ring)
{
	struct ringdevice_chain chain;

	while (ringdevice_take(ring, &chain)) {
		const struct gpu_header *request = (const void *)(uintptr_t)chain.pieces[0].address;

		if (chain.count != (request->type == GPU_SUBMIT_3D ? 3 : 2) ||
		    chain.pieces[0].length < sizeof(struct gpu_header) ||
		    ringdevice_writable(&chain) < sizeof(struct gpu_header)) {
			gpudevice.strays++;
			continue;
		}
		if (gpudevice.manner == GPUDEVICE_SILENT && (!gpudevice.only || gpudevice.only == request->type))
			continue;
		ringdevice_complete(ring, chain.head, respond(&chain));
	}
}

void gpudevice_meet(struct gpu *gpu, const struct gpu_path *path)
{
	memset(gpu, 0, sizeof(*gpu));
	memset(&gpudevice, 0, sizeof(gpudevice));
	memset(gpudevice.picture, GPUDEVICE_UNTOUCHED & 0xff, sizeof(gpudevice.picture));
	gpu_modes_reset();
	gpudevice.resource = GPU_RESOURCE;
	gpudevice.width = gpudevice.display_width = WIDTH;
	gpudevice.height = gpudevice.display_height = HEIGHT;
	configuration[GPU_CONFIG_EVENTS / 4] = configuration[GPU_CONFIG_EVENTS_CLEAR / 4] = 0;
	configuration[GPU_CONFIG_SCANOUTS / 4] = 1;
	gpudevice.capsets = 2;
	gpudevice.capset_id = GPU_CAPSET_VIRGL;
	gpudevice.capset_bytes = CAPSET_BYTES;
	gpudevice.sampler = gpudevice.render = 1u << GPU_FORMAT_B8G8R8X8;
	gpu->transport.name = "virtio-gpu";
	gpu->transport.common = &common;
	gpu->transport.config = (volatile uint8_t *)configuration;
	gpu->transport.config_length = sizeof(configuration);
	gpu->control.transport = &gpu->transport;
	gpu->path = path;
	ringdevice_init(&gpudevice.ring, &gpu->control.queue, GPUDEVICE_RING, false);
	gpudevice.ring.on_notify = serve;
	configuration[3] = gpudevice.capsets;
}

bool gpudevice_shows(const struct gpu *gpu, struct gpu_rectangle rect)
{
	for (uint32_t y = 0; y < HEIGHT; y++)
		for (uint32_t x = 0; x < WIDTH; x++) {
			bool within = x - rect.x < rect.width && y - rect.y < rect.height;
			uint32_t want = within ? gpu->framebuffer.pixels[y * WIDTH + x] : GPUDEVICE_UNTOUCHED;

			if (gpudevice.picture[y * WIDTH + x] != want)
				return false;
		}
	return true;
}

void gpudevice_paint(struct gpu *gpu)
{
	for (uint32_t i = 0; i < WIDTH * HEIGHT; i++)
		gpu->framebuffer.pixels[i] = i * 2654435761u >> 8;
}
