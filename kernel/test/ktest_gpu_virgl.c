/* drivers/virtio/gpu_virgl: the virgl path against a modelled device, and what it falls back from. */
#include "test/ktest.h"

#include "arch/arch.h"
#include "base/string.h"
#include "drivers/virtio/gpu_command.h"
#include "options.h"
#include "test/gpudevice.h"

#define SHORT_NS 2000000ull

static struct gpu gpu;

static int start(void)
{
	int error;

	error = gpu_start(&gpu, GPUDEVICE_WIDTH, GPUDEVICE_HEIGHT);
	gpu.deadline_ns = SHORT_NS;
	return error;
}

/* The result of starting when a single command gets a response of this kind. */
static int start_with(enum gpudevice_manner manner, uint32_t command)
{
	gpudevice_meet(&gpu, &gpu_path_virgl);
	gpudevice.manner = manner;
	gpudevice.only = command;
	return start();
}

static void presents(void)
{
	const struct gpu_rectangle part = {5, 7, 25, 13}, whole = {0, 0, GPUDEVICE_WIDTH, GPUDEVICE_HEIGHT};
	uint64_t completions;

	gpudevice_meet(&gpu, &gpu_path_virgl);
	ktest_check(!start() && gpudevice.context && gpudevice.attached && gpudevice.shown && !gpudevice.strays,
		    "a texture is made in a context, and shown");
	ktest_check(gpudevice.backing == (uintptr_t)gpu.framebuffer.pixels, "its backing is the framebuffer");
	ktest_check(!gpudevice.upside_down, "its first row is the uppermost");
	gpudevice_paint(&gpu);
	completions = gpu.control.queue.counters.count[COUNTER_completions];
	ktest_check(!gpu_present(&gpu, &part, 1) && gpudevice_shows(&gpu, part),
		    "a part is uploaded to its place, and no more");
	ktest_check(gpudevice.transfers == 1 && gpudevice.flushes == 1 &&
			    gpu.control.queue.counters.count[COUNTER_completions] == completions + 2,
		    "one upload, one flush, two completions");
	ktest_check(gpudevice.fenced == (OPTION(GPU_FENCE) == OPTION_GPU_FENCE_on ? 2 : 0), "fenced as GPU_FENCE says");
	ktest_check(!gpu_present(&gpu, &whole, 1) && gpudevice_shows(&gpu, whole), "the whole picture is uploaded");
	ktest_check(!gpudevice.strays && !gpudevice.ring.faulty_driver &&
			    gpu.control.queue.free_count == GPUDEVICE_RING,
		    "nothing else was sent, and no descriptor stays behind");
}

/* The result of starting on a device with these capability sets. */
static int start_with_capsets(uint32_t count, uint32_t id, uint32_t bytes, uint32_t sampler, uint32_t render)
{
	static const uint32_t format = 1u << GPU_FORMAT_B8G8R8X8;

	gpudevice_meet(&gpu, &gpu_path_virgl);
	gpudevice.capsets = count;
	((volatile uint32_t *)gpu.transport.config)[3] = count;
	gpudevice.capset_id = id;
	gpudevice.capset_bytes = bytes;
	gpudevice.sampler = sampler ? format : ~format;
	gpudevice.render = render ? format : ~format;
	return start();
}

static void capsets(void)
{
	ktest_check(!start_with_capsets(1, GPU_CAPSET_VIRGL, 308, 1, 1), "one capability set is enough");
	ktest_check(!start_with_capsets(16, GPU_CAPSET_VIRGL, 132, 1, 1), "the last of 16 is found");
	ktest_check(start_with_capsets(0, GPU_CAPSET_VIRGL, 308, 1, 1) == ERROR_CAPSET, "none is an error");
	ktest_check(start_with_capsets(UINT32_MAX, GPU_CAPSET_VIRGL, 308, 1, 1) == ERROR_CAPSET,
		    "a search through any number of them ends");
	ktest_check(start_with_capsets(2, 3, 308, 1, 1) == ERROR_CAPSET, "one of another kind is an error");
	ktest_check(start_with_capsets(2, GPU_CAPSET_VIRGL, 131, 1, 1) == ERROR_CAPSET, "so is one that is too short");
	ktest_check(start_with_capsets(2, GPU_CAPSET_VIRGL, UINT32_MAX, 1, 1) == ERROR_CAPSET,
		    "or longer than any memory");
	ktest_check(start_with_capsets(2, GPU_CAPSET_VIRGL, 308, 0, 1) == ERROR_CAPSET &&
			    start_with_capsets(2, GPU_CAPSET_VIRGL, 308, 1, 0) == ERROR_CAPSET,
		    "or does not know the canvas's format");
	gpudevice_meet(&gpu, &gpu_path_virgl);
	gpu.transport.config_length = 12;
	ktest_check(start() == ERROR_CAPSET, "a configuration that does not count them is an error");
}

static void refusals(void)
{
	ktest_check(start_with(GPUDEVICE_RESPONDS_ERROR, GPU_GET_CAPSET_INFO) == ERROR_CAPSET &&
			    start_with(GPUDEVICE_RESPONDS_ERROR, GPU_GET_CAPSET) == ERROR_CAPSET,
		    "a capability set that is refused is named");
	ktest_check(start_with(GPUDEVICE_RESPONDS_SHORT, GPU_GET_CAPSET) == ERROR_BROKEN,
		    "one that is cut off is an error");
	ktest_check(start_with(GPUDEVICE_RESPONDS_ERROR, GPU_CTX_CREATE) == ERROR_CONTEXT && !gpudevice.texture,
		    "a context that is refused is named, and nothing is made in it");
	ktest_check(start_with(GPUDEVICE_RESPONDS_ERROR, GPU_RESOURCE_CREATE_3D) == ERROR_RESPONSE &&
			    start_with(GPUDEVICE_RESPONDS_ERROR, GPU_CTX_ATTACH_RESOURCE) == ERROR_RESPONSE &&
			    start_with(GPUDEVICE_RESPONDS_ERROR, GPU_SET_SCANOUT) == ERROR_RESPONSE,
		    "so is a texture that cannot be made, attached or shown");
}

/* The result of a frame when one command of it gets a response of this kind. */
static int present_while(enum gpudevice_manner manner, uint32_t command)
{
	const struct gpu_rectangle part = {0, 0, 8, 8};
	int error = start_with(GPUDEVICE_HONEST, command);

	gpudevice.manner = manner;
	return error ? error : gpu_present(&gpu, &part, 1);
}

static void frames(void)
{
	ktest_check(!present_while(GPUDEVICE_HONEST, 0), "a frame is taken");
	ktest_check(present_while(GPUDEVICE_RESPONDS_ERROR, GPU_TRANSFER_TO_HOST_3D) == ERROR_RESPONSE &&
			    present_while(GPUDEVICE_RESPONDS_ERROR, GPU_RESOURCE_FLUSH) == ERROR_RESPONSE,
		    "an error response in a frame is an error");
	ktest_check(present_while(GPUDEVICE_RESPONDS_NOTHING, GPU_TRANSFER_TO_HOST_3D) == ERROR_BROKEN,
		    "so is an empty one");
	ktest_check(present_while(GPUDEVICE_SILENT, GPU_TRANSFER_TO_HOST_3D) == ERROR_TIMEOUT,
		    "so is none before the deadline");
	if (OPTION(GPU_FENCE) == OPTION_GPU_FENCE_on)
		ktest_check(present_while(GPUDEVICE_FORGETS_FENCE, GPU_TRANSFER_TO_HOST_3D) == ERROR_RESPONSE,
			    "so is an upload's fence that does not come back");
	else
		ktest_skip("so is an upload's fence that does not come back", "GPU_FENCE=off sends none");
}

/* QEMU 7.2 crashes when a reset finds a texture on the scanout, and suites after this one reset the device. */
static bool scanout_given_back(void)
{
	struct gpu_set_scanout *scanout = gpu_command(&gpu, GPU_SET_SCANOUT);

	scanout->rectangle = (struct gpu_rectangle){0, 0, 0, 0};
	scanout->scanout = 0;
	scanout->resource = 0;
	return !gpu_command_add(&gpu, sizeof(*scanout)) && !gpu_commands_run(&gpu, arch_ticks());
}

static void real(void)
{
	static const struct gpu_rectangle whole = {0, 0, 320, 240};
	struct transport transport;
	bool offered;

	if (!transport_present(GPU_DEVICE_TYPE) ||
	    transport_probe(&transport, "test", GPU_DEVICE_TYPE, 0, GPU_F_VIRGL)) {
		ktest_skip("the device of this machine offers virgl", "there is none");
		return;
	}
	offered = transport.features & GPU_F_VIRGL;
	transport_fail(&transport);
	ktest_check(!gpu_init(&gpu, 320, 240) && (gpu.path == &gpu_path_virgl) == offered,
		    "virgl is used exactly where the device offers it");
	ktest_check(!gpu_present(&gpu, &whole, 1), "and a frame is taken");
	ktest_check(scanout_given_back(), "and the scanout is given back");
	transport_fail(&gpu.transport);
}

static void run(void)
{
	presents();
	capsets();
	refusals();
	frames();
	real();
}

KTEST_SUITE(gpu_virgl, run);
