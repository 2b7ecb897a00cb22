/* drivers/virtio/gpu_modes and gpu_heads: against a modelled device whose display changes. */
#include "test/ktest.h"

#include "drivers/virtio/gpu_heads.h"
#include "drivers/virtio/gpu_modes.h"
#include "drivers/virtio/transport_config.h"
#include "options.h"
#include "test/gpudevice.h"

#define WIDTH 40u
#define HEIGHT 30u

static struct gpu gpu;
static struct gpu_mode mode;
static const char *note;

static void start(void)
{
	gpudevice_meet(&gpu, &gpu_path_2d);
	gpu.transport.features = GPU_F_EDID;
	ktest_check(!gpu_start(&gpu, GPUDEVICE_WIDTH, GPUDEVICE_HEIGHT), "a picture is shown");
}

static int asked(void)
{
	mode = (struct gpu_mode){0};
	return gpu_modes_asked(&gpu, &mode, &note);
}

static bool present(void)
{
	const struct gpu_rectangle whole = {0, 0, gpu.framebuffer.width_px, gpu.framebuffer.height_px};

	for (uint32_t i = 0; i < whole.width * whole.height; i++)
		gpu.framebuffer.pixels[i] = i * 2654435761u >> 8;
	return !gpu_present(&gpu, &whole, 1);
}

static bool shows(void)
{
	for (uint32_t i = 0; i < gpudevice.width * gpudevice.height; i++)
		if (gpudevice.picture[i] != gpu.framebuffer.pixels[i])
			return false;
	return true;
}

static void follows(void)
{
	const uint32_t *first;

	start();
	first = gpu.framebuffer.pixels;
	ktest_check(!asked(), "a display that has not changed asks for nothing");
	gpudevice_resize(WIDTH, HEIGHT);
	ktest_check(asked() == 1 && mode.width_px == WIDTH && mode.height_px == HEIGHT && !note,
		    "a change is seen once");
	ktest_check(!asked(), "and no more");
	mode = (struct gpu_mode){WIDTH, HEIGHT};
	ktest_check(!gpu_modes_take(&gpu, &mode) && gpudevice.scanout == GPU_RESOURCE,
		    "the old picture stays until there is a new one");
	ktest_check(!gpu_modes_settle(&gpu) && gpudevice.resources >> GPU_RESOURCE & 1, "and so does its resource");
	ktest_check(present() && shows() && gpudevice.width == WIDTH && gpudevice.scanout != GPU_RESOURCE,
		    "the first frame of the new size is shown, every pixel");
	ktest_check(!gpu_modes_settle(&gpu) && !(gpudevice.resources >> GPU_RESOURCE & 1) && !gpudevice.strays,
		    "then the old resource is given back");
	gpudevice_resize(GPUDEVICE_WIDTH, GPUDEVICE_HEIGHT);
	ktest_check(asked() == 1 && !gpu_modes_take(&gpu, &mode) && present() && shows() && !gpu_modes_settle(&gpu) &&
			    gpu.framebuffer.pixels == first,
		    "memory of the first size is used again");
	ktest_check(gpu.control.queue.free_count == gpu.control.queue.size && !gpudevice.strays,
		    "no descriptor stays behind");
}

static void falls_back(void)
{
	start();
	gpudevice_resize(WIDTH, HEIGHT);
	gpudevice.edid[56] ^= 1;
	ktest_check(asked() == 1 && note && mode.width_px == WIDTH && mode.height_px == HEIGHT,
		    "for an EDID that is broken the display info stands in");
	gpudevice_resize(WIDTH, HEIGHT);
	gpudevice.edid_size = GPU_EDID_BYTES + 1;
	ktest_check(asked() == 1 && note && mode.width_px == WIDTH, "and for one that is too long");
	gpudevice_resize(WIDTH, HEIGHT);
	gpudevice.manner = GPUDEVICE_RESPONDS_ERROR;
	gpudevice.only = GPU_GET_EDID;
	ktest_check(asked() == 1 && note && mode.width_px == WIDTH, "and for one that the device does not give");
	gpu.transport.features = 0;
	gpudevice_resize(WIDTH, HEIGHT);
	ktest_check(asked() == 1 && note && mode.width_px == WIDTH, "and for one that is not offered");
	gpudevice_resize(0, 0);
	ktest_check(!asked(), "a display without a size asks for nothing");
	gpudevice_resize(WIDTH, HEIGHT);
	gpudevice.manner = GPUDEVICE_SCANOUT_OFF;
	gpudevice.only = 0;
	ktest_check(!asked(), "nor does one that is off");
}

static void refused(const char *what)
{
	ktest_check(gpu.framebuffer.width_px == GPUDEVICE_WIDTH && gpudevice.scanout == GPU_RESOURCE && present(),
		    what);
	ktest_check(!gpu_modes_settle(&gpu) && gpudevice.resources == 1u << GPU_RESOURCE, "and nothing stays behind");
}

static void refuses(void)
{
	const struct gpu_mode endless = {UINT32_MAX, UINT32_MAX}, small = {WIDTH, HEIGHT};

	start();
	ktest_check(gpu_modes_take(&gpu, &endless) == ERROR_NOMEM, "a size beyond all memory is refused");
	refused("frames are shown as before");
	gpudevice.manner = GPUDEVICE_RESPONDS_ERROR;
	gpudevice.only = GPU_RESOURCE_ATTACH_BACKING;
	ktest_check(gpu_modes_take(&gpu, &small) == ERROR_RESPONSE, "so is one that the host has no room for");
	gpudevice.manner = GPUDEVICE_HONEST;
	/* The model takes the size of what was created last for its picture's. */
	gpudevice.width = GPUDEVICE_WIDTH;
	gpudevice.height = GPUDEVICE_HEIGHT;
	refused("frames are shown as before it");
}

static void heads(void)
{
	start();
	ktest_check(!gpu_heads_start(&gpu) && gpudevice.heads == 1, "a device with one head shows the picture there");
	gpudevice_heads(2);
	ktest_check(!gpu_heads_start(&gpu) && gpudevice.heads == 2, "both heads show the picture");
}

static void run(void)
{
	if (OPTION(MODES) == OPTION_MODES_off) {
		ktest_skip("the driver follows the display", "the suites were built with MODES=off");
		return;
	}
	follows();
	falls_back();
	refuses();
	heads();
}

KTEST_SUITE(gpu_modes, run);
