/* virtio/gpu: the 2D driver against a modelled device, which keeps a picture of its own, and against the real one. */
#include "test/suites.h"

#include "lib/string.h"
#include "options.h"
#include "test/ringdevice.h"
#include "virtio/gpu.h"

#define WIDTH 64u
#define HEIGHT 48u
#define RING 64
#define SHORT_NS 2000000ull
#define ERROR_INVALID 0x1203u

/* How the device answers. */
enum manner {
	HONEST,
	ANSWERS_ERROR,
	ANSWERS_SHORT,
	ANSWERS_NOTHING, /* used, but no response written */
	FORGETS_FENCE,
	SCANOUT_OFF,
	SILENT,
};

static struct ringdevice device;
static struct gpu gpu;
static enum manner manner;
static uint32_t picture[WIDTH * HEIGHT]; /* the device's resource */
static uint64_t backing;
static unsigned transfers, flushes, strays; /* strays: commands that no driver should send */

static bool inside(const struct gpu_rectangle *rectangle)
{
	return rectangle->width && rectangle->height && rectangle->x < WIDTH && rectangle->y < HEIGHT &&
	       rectangle->width <= WIDTH - rectangle->x && rectangle->height <= HEIGHT - rectangle->y;
}

static void transfer(const struct gpu_transfer_2d *request)
{
	const struct gpu_rectangle *rectangle = &request->rectangle;

	transfers++;
	if (!inside(rectangle) || !backing) {
		strays++;
		return;
	}
	for (uint32_t y = 0; y < rectangle->height; y++)
		memcpy(&picture[(rectangle->y + y) * WIDTH + rectangle->x],
		       (const void *)(uintptr_t)(backing + request->offset + (uint64_t)y * WIDTH * 4),
		       rectangle->width * 4ul);
}

static void execute(const struct gpu_header *request, struct gpu_header *response)
{
	const void *body = request;

	if (manner == ANSWERS_NOTHING)
		return;
	response->type = GPU_RESPONSE_OK_NODATA;
	switch (request->type) {
	case GPU_GET_DISPLAY_INFO:
		response->type = GPU_RESPONSE_OK_DISPLAY_INFO;
		((struct gpu_display_info *)(void *)response)->scanouts[0].enabled = manner != SCANOUT_OFF;
		break;
	case GPU_RESOURCE_ATTACH_BACKING:
		backing = ((const struct gpu_attach_backing *)body)->entry.address;
		break;
	case GPU_TRANSFER_TO_HOST_2D:
		transfer(body);
		break;
	case GPU_RESOURCE_FLUSH:
		flushes++;
		strays += !inside(&((const struct gpu_flush *)body)->rectangle);
		break;
	case GPU_RESOURCE_CREATE_2D:
	case GPU_SET_SCANOUT:
		break;
	default:
		strays++;
	}
	if (request->flags & GPU_FLAG_FENCE && manner != FORGETS_FENCE) {
		response->flags = GPU_FLAG_FENCE;
		response->fence = request->fence;
	}
	if (manner == ANSWERS_ERROR)
		response->type = ERROR_INVALID;
}

static uint32_t answer_length(uint32_t whole)
{
	return manner == ANSWERS_SHORT ? 8 : manner == ANSWERS_NOTHING ? 0 : whole;
}

static void serve(struct ringdevice *ring)
{
	struct ringdevice_chain chain;

	while (manner != SILENT && ringdevice_take(ring, &chain)) {
		const void *request = (const void *)(uintptr_t)chain.pieces[0].address;

		if (chain.count != 2 || chain.pieces[0].length < sizeof(struct gpu_header) ||
		    ringdevice_writable(&chain) < sizeof(struct gpu_header)) {
			strays++;
			continue;
		}
		execute(request, (struct gpu_header *)(uintptr_t)chain.pieces[1].address);
		ringdevice_answer(ring, chain.head, answer_length(chain.pieces[1].length));
	}
}

/* A driver that has just met this device. */
static int start(enum manner how)
{
	memset(&gpu, 0, sizeof(gpu));
	gpu.transport.name = "virtio-gpu";
	gpu.control.transport = &gpu.transport;
	gpu.path = &gpu_path_2d;
	ringdevice_init(&device, &gpu.control.queue, RING, false);
	device.on_notify = serve;
	manner = how;
	backing = transfers = flushes = strays = 0;
	memset(picture, 0xee, sizeof(picture));
	return gpu_start(&gpu, WIDTH, HEIGHT);
}

static bool picture_matches(struct canvas_rect rect)
{
	for (int32_t y = 0; y < (int32_t)HEIGHT; y++)
		for (int32_t x = 0; x < (int32_t)WIDTH; x++) {
			bool within = x >= rect.x0 && x < rect.x1 && y >= rect.y0 && y < rect.y1;
			uint32_t want = within ? gpu.canvas.pixels[y * (int32_t)WIDTH + x] : 0xeeeeeeee;

			if (picture[y * (int32_t)WIDTH + x] != want)
				return false;
		}
	return true;
}

static void presents(void)
{
	const struct canvas_rect part = {5, 7, 30, 20}, whole = {0, 0, WIDTH, HEIGHT};
	const struct canvas_rect two[] = {{0, 0, 8, 8}, {40, 40, 64, 48}};
	const struct virtqueue_counters *counters = &gpu.control.queue.counters;
	uint64_t notifies, completions;

	ktest_check(!start(HONEST) && !strays && backing == (uintptr_t)gpu.canvas.pixels,
		    "a display is set up: resource, backing, scanout");
	for (uint32_t i = 0; i < WIDTH * HEIGHT; i++)
		gpu.canvas.pixels[i] = i * 2654435761u >> 8;
	notifies = counters->notifies;
	completions = counters->completions;
	ktest_check(!gpu_present(&gpu, &part, 1) && picture_matches(part),
		    "a part is transferred to its place, and no more");
	ktest_check(transfers == 1 && flushes == 1 && counters->completions == completions + 2,
		    "one transfer, one flush, two completions");
	ktest_check(counters->notifies - notifies == (OPTION(BATCH) == OPTION_BATCH_on ? 1 : 2),
		    "behind as many doorbells as BATCH says");
	ktest_check(gpu.timing.damage_px == 25 * 13, "the pixels transferred are counted");
	ktest_check(!gpu_present(&gpu, &whole, 1) && picture_matches(whole), "the whole picture is transferred");
	ktest_check(!gpu_present(&gpu, two, 2) && transfers == 4 && flushes == 4 && !strays && !device.faulty_driver,
		    "two parts are two transfers and two flushes");
	ktest_check(gpu.control.queue.free_count == RING, "no descriptor stays behind");
}

static void errors(void)
{
	const struct canvas_rect part = {0, 0, 8, 8};

	ktest_check(start(ANSWERS_ERROR) == GPU_ERESPONSE, "an error response to the first command is an error");
	ktest_check(start(SCANOUT_OFF) == GPU_ENODEV, "a scanout that is off is an error");
	ktest_check(start(ANSWERS_SHORT) == GPU_EBROKEN || start(ANSWERS_SHORT) == GPU_ERESPONSE,
		    "a display's answer that is too short is an error");
	ktest_check(!start(HONEST) && (manner = ANSWERS_ERROR, gpu_present(&gpu, &part, 1)) == GPU_ERESPONSE,
		    "an error response in a frame is an error");
	ktest_check(!start(HONEST) && (manner = ANSWERS_SHORT, gpu_present(&gpu, &part, 1)) == GPU_EBROKEN,
		    "so is a response that is too short to be one");
	ktest_check(!start(HONEST) && (manner = ANSWERS_NOTHING, gpu_present(&gpu, &part, 1)) == GPU_EBROKEN,
		    "so is none at all");
	start(HONEST);
	gpu.deadline_ns = SHORT_NS;
	manner = SILENT;
	ktest_check(gpu_present(&gpu, &part, 1) == GPU_ETIMEOUT && gpu.control.queue.counters.timeouts >= 1,
		    "silence ends at the deadline and is counted");
	if (OPTION(GPU_FENCE) == OPTION_GPU_FENCE_on)
		ktest_check(!start(HONEST) && (manner = FORGETS_FENCE, gpu_present(&gpu, &part, 1)) == GPU_ERESPONSE,
			    "a fence that does not come back is an error");
	else
		ktest_skip("a fence that does not come back is an error", "GPU_FENCE=off sends none");
}

static void real(void)
{
	static const struct canvas_rect whole = {0, 0, 320, 240}, outside = {300, 200, 340, 240};

	if (!transport_present(GPU_DEVICE_TYPE)) {
		ktest_skip("the device of this machine shows a picture", "there is none");
		return;
	}
	ktest_check(!gpu_init(&gpu, 320, 240), "the device of this machine shows a picture");
	ktest_check(!gpu_present(&gpu, &whole, 1), "and takes a frame");
	ktest_check(gpu_present(&gpu, &outside, 1) == GPU_ERESPONSE, "and refuses a rectangle outside of the resource");
	transport_fail(&gpu.transport);
}

static void run(void)
{
	presents();
	errors();
	real();
}

const struct ktest_suite ktest_gpu = {"gpu", run};
