/* drivers/virtio/gpu: the 2D path against a modelled device, which keeps a picture of its own, and against the real
 * one. */
#include "test/ktest.h"

#include "base/string.h"
#include "options.h"
#include "test/gpudevice.h"

#define SHORT_NS 2000000ull

static struct gpu gpu;

/* A driver that has just met this device. */
static int start(enum gpudevice_manner manner)
{
	gpudevice_meet(&gpu, &gpu_path_2d);
	gpudevice.manner = manner;
	return gpu_start(&gpu, GPUDEVICE_WIDTH, GPUDEVICE_HEIGHT);
}

static void presents(void)
{
	const struct gpu_rectangle part = {5, 7, 25, 13}, whole = {0, 0, GPUDEVICE_WIDTH, GPUDEVICE_HEIGHT};
	const struct gpu_rectangle two[] = {{0, 0, 8, 8}, {40, 40, 24, 8}};
	const struct virtqueue_counters *counters = &gpu.control.queue.counters;
	uint64_t notifies, completions;

	ktest_check(!start(GPUDEVICE_HONEST) && !gpudevice.strays && gpudevice.shown &&
			    gpudevice.backing == (uintptr_t)gpu.framebuffer.pixels,
		    "a display is set up: resource, backing, scanout");
	gpudevice_paint(&gpu);
	notifies = counters->count[COUNTER_notifies];
	completions = counters->count[COUNTER_completions];
	ktest_check(!gpu_present(&gpu, &part, 1) && gpudevice_shows(&gpu, part),
		    "a part is transferred to its place, and no more");
	ktest_check(gpudevice.transfers == 1 && gpudevice.flushes == 1 &&
			    counters->count[COUNTER_completions] == completions + 2,
		    "one transfer, one flush, two completions");
	ktest_check(counters->count[COUNTER_notifies] - notifies == (OPTION(BATCH) == OPTION_BATCH_on ? 1 : 2),
		    "behind as many notifies as BATCH says");
	ktest_check(gpu.timing.damage_px == 25 * 13, "the pixels transferred are counted");
	ktest_check(!gpu_present(&gpu, &whole, 1) && gpudevice_shows(&gpu, whole), "the whole picture is transferred");
	ktest_check(!gpu_present(&gpu, two, 2) && gpudevice.transfers == 4 && gpudevice.flushes == 4 &&
			    !gpudevice.strays && !gpudevice.ring.faulty_driver,
		    "two parts are two transfers and two flushes");
	ktest_check(gpu.control.queue.free_count == GPUDEVICE_RING, "no descriptor stays behind");
}

/* The result of a frame on a device that goes wrong after its start. */
static int present_while(enum gpudevice_manner manner)
{
	const struct gpu_rectangle part = {0, 0, 8, 8};
	int error = start(GPUDEVICE_HONEST);

	gpudevice.manner = manner;
	gpu.deadline_ns = SHORT_NS;
	return error ? error : gpu_present(&gpu, &part, 1);
}

/* Whether a frame is shown after one that the device refused. */
static bool goes_on(void)
{
	const struct gpu_rectangle part = {5, 7, 25, 13};

	if (present_while(GPUDEVICE_RESPONDS_ERROR) != ERROR_RESPONSE || gpu.slots_used)
		return false;
	gpudevice.manner = GPUDEVICE_HONEST;
	gpudevice_paint(&gpu);
	memset(gpudevice.picture, GPUDEVICE_UNTOUCHED & 0xff, sizeof(gpudevice.picture));
	return !gpu_present(&gpu, &part, 1) && gpudevice_shows(&gpu, part) &&
	       gpu.control.queue.free_count == GPUDEVICE_RING;
}

static void errors(void)
{
	int error = start(GPUDEVICE_RESPONDS_SHORT);

	ktest_check(error == ERROR_BROKEN || error == ERROR_RESPONSE,
		    "a display's response that is too short is an error");
	ktest_check(start(GPUDEVICE_RESPONDS_ERROR) == ERROR_RESPONSE,
		    "an error response to the first command is an error");
	ktest_check(start(GPUDEVICE_SCANOUT_OFF) == ERROR_NODEV, "a scanout that is off is an error");
	ktest_check(present_while(GPUDEVICE_RESPONDS_ERROR) == ERROR_RESPONSE,
		    "an error response in a frame is an error");
	ktest_check(present_while(GPUDEVICE_RESPONDS_SHORT) == ERROR_BROKEN,
		    "so is a response that is too short to be one");
	ktest_check(present_while(GPUDEVICE_RESPONDS_NOTHING) == ERROR_BROKEN, "so is none at all");
	ktest_check(present_while(GPUDEVICE_SILENT) == ERROR_TIMEOUT &&
			    gpu.control.queue.counters.count[COUNTER_timeouts] >= 1,
		    "silence ends at the deadline and is counted");
	ktest_check(goes_on(), "after an error response everything has come back, and the next frame is shown");
	if (OPTION(GPU_FENCE) == OPTION_GPU_FENCE_on)
		ktest_check(present_while(GPUDEVICE_FORGETS_FENCE) == ERROR_RESPONSE,
			    "a fence that does not come back is an error");
	else
		ktest_skip("a fence that does not come back is an error", "GPU_FENCE=off sends none");
}

static void real(void)
{
	static const struct gpu_rectangle whole = {0, 0, 320, 240}, outside = {300, 200, 40, 40};

	if (!transport_present(GPU_DEVICE_TYPE)) {
		ktest_skip("the device of this machine shows a picture", "there is none");
		return;
	}
	ktest_check(!gpu_init(&gpu, 320, 240), "the device of this machine shows a picture");
	ktest_check(!gpu_present(&gpu, &whole, 1), "and takes a frame");
	if (gpu.path == &gpu_path_2d)
		ktest_check(gpu_present(&gpu, &outside, 1) == ERROR_RESPONSE,
			    "and refuses a rectangle outside of the resource");
	else
		ktest_skip("and refuses a rectangle outside of the resource",
			   "QEMU responds with OK to any on the virgl path");
	transport_fail(&gpu.transport);
}

static void run(void)
{
	presents();
	errors();
	real();
}

KTEST_SUITE(gpu, run);
