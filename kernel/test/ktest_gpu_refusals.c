/*
 * drivers/virtio/gpu: malformed commands, sent on purpose to this machine's device; skipped where there is none.
 *
 * The device must refuse each with the error that VIRTIO 1.2 §5.7.6.7 names for it, the driver must report it, and
 * both must go on. Every response is noted, so that devices can be compared.
 */
#include "test/ktest.h"

#include "arch/arch.h"
#include "base/string.h"
#include "drivers/virtio/gpu_command.h"

#define WIDTH 320u
#define HEIGHT 240u
#define OTHER 7u    /* a resource of 32x32 without backing */
#define UNKNOWN 99u /* never created */
#define WORDS_MAX 10
#define WHOLE 0, 0, WIDTH, HEIGHT

/* §5.7.6.7; commands that the driver itself never sends. */
enum {
	RESOURCE_UNREF = 0x0102,
	DETACH_BACKING = 0x0107,
	SUBMIT_3D = 0x0207,
	NO_COMMAND = 0x01ff,
	RESPONSE_OK = 0x1100,
	UNSPECIFIED = 0x1200,
	OUT_OF_MEMORY = 0x1201,
	INVALID_SCANOUT = 0x1202,
	INVALID_RESOURCE = 0x1203,
	INVALID_PARAMETER = 0x1205,
};

struct refusal {
	const char *sent;
	uint32_t type;
	uint32_t response;         /* that the device must give */
	uint32_t count;            /* words behind the header that are sent */
	uint32_t words[WORDS_MAX]; /* as the command has them, rectangles first */
};

static struct gpu gpu;

static const struct refusal refusals[] = {
	{"a resource of number 0", GPU_RESOURCE_CREATE_2D, INVALID_RESOURCE, 4, {0, GPU_FORMAT_B8G8R8X8, 32, 32}},
	{"a resource that exists",
	 GPU_RESOURCE_CREATE_2D,
	 INVALID_RESOURCE,
	 4,
	 {GPU_RESOURCE, GPU_FORMAT_B8G8R8X8, 32, 32}},
	{"a format that there is not", GPU_RESOURCE_CREATE_2D, INVALID_PARAMETER, 4, {UNKNOWN, 0xffff, 32, 32}},
	{"a resource of 64 GiB",
	 GPU_RESOURCE_CREATE_2D,
	 OUT_OF_MEMORY,
	 4,
	 {UNKNOWN, GPU_FORMAT_B8G8R8X8, 131072, 131072}},
	{"the end of an unknown resource", RESOURCE_UNREF, INVALID_RESOURCE, 2, {UNKNOWN, 0}},
	{"the scanout of an unknown resource", GPU_SET_SCANOUT, INVALID_RESOURCE, 6, {WHOLE, 0, UNKNOWN}},
	{"a scanout that there is not", GPU_SET_SCANOUT, INVALID_SCANOUT, 6, {WHOLE, GPU_SCANOUTS, GPU_RESOURCE}},
	{"a scanout larger than its resource",
	 GPU_SET_SCANOUT,
	 INVALID_PARAMETER,
	 6,
	 {0, 0, WIDTH + 1, HEIGHT, 0, GPU_RESOURCE}},
	{"a scanout that begins outside of its resource",
	 GPU_SET_SCANOUT,
	 INVALID_PARAMETER,
	 6,
	 {WIDTH, 0, WIDTH, HEIGHT, 0, GPU_RESOURCE}},
	{"a flush of an unknown resource", GPU_RESOURCE_FLUSH, INVALID_RESOURCE, 6, {WHOLE, UNKNOWN, 0}},
	{"a flush that is too wide",
	 GPU_RESOURCE_FLUSH,
	 INVALID_PARAMETER,
	 6,
	 {0, 0, WIDTH + 1, HEIGHT, GPU_RESOURCE, 0}},
	{"a flush whose right edge wraps",
	 GPU_RESOURCE_FLUSH,
	 INVALID_PARAMETER,
	 6,
	 {UINT32_MAX, 0, 2, HEIGHT, GPU_RESOURCE, 0}},
	{"a transfer to an unknown resource", GPU_TRANSFER_TO_HOST_2D, INVALID_RESOURCE, 8, {WHOLE, 0, 0, UNKNOWN, 0}},
	{"a transfer that is too high",
	 GPU_TRANSFER_TO_HOST_2D,
	 INVALID_PARAMETER,
	 8,
	 {0, 0, WIDTH, HEIGHT + 1, 0, 0, GPU_RESOURCE, 0}},
	{"a transfer from no backing", GPU_TRANSFER_TO_HOST_2D, UNSPECIFIED, 8, {0, 0, 32, 32, 0, 0, OTHER, 0}},
	{"the end of a backing that there is not", DETACH_BACKING, UNSPECIFIED, 2, {OTHER, 0}},
	{"the end of an unknown resource's backing", DETACH_BACKING, INVALID_RESOURCE, 2, {UNKNOWN, 0}},
	{"backing for an unknown resource", GPU_RESOURCE_ATTACH_BACKING, INVALID_RESOURCE, 6, {UNKNOWN, 1}},
	{"a second backing", GPU_RESOURCE_ATTACH_BACKING, UNSPECIFIED, 6, {GPU_RESOURCE, 1}},
	{"backing of more entries than are sent", GPU_RESOURCE_ATTACH_BACKING, UNSPECIFIED, 2, {OTHER, UINT32_MAX}},
	{"a context without a 3D device", GPU_CTX_CREATE, UNSPECIFIED, WORDS_MAX, {0}},
	{"3D commands without a context", SUBMIT_3D, UNSPECIFIED, 2, {0}},
	{"a command that there is not", NO_COMMAND, UNSPECIFIED, 0, {0}},
};

/* The response to this many bytes of a command; 0 where there is none. */
static uint32_t response_to(uint32_t type, const uint32_t *words, uint32_t count, uint32_t bytes)
{
	uint8_t *request = gpu_command(&gpu, type);
	struct gpu_slot *slot = &gpu.slots[0];
	int error;

	memcpy(request + sizeof(struct gpu_header), words, count * sizeof(*words));
	error = gpu_command_add(&gpu, bytes);
	if (!error)
		error = gpu_commands_run(&gpu, arch_ticks());
	return error && error != ERROR_RESPONSE ? 0 : slot->header.type;
}

static uint32_t whole(uint32_t count)
{
	return (uint32_t)(sizeof(struct gpu_header) + count * sizeof(uint32_t));
}

static bool shows(void)
{
	const struct gpu_rectangle picture = {WHOLE};

	return !gpu_present(&gpu, &picture, 1);
}

static void refused(const struct refusal *refusal)
{
	uint32_t response = response_to(refusal->type, refusal->words, refusal->count, whole(refusal->count));

	ktest_note("refusal: %s: 0x%x", refusal->sent, response);
	ktest_check(response == refusal->response, refusal->sent);
}

/*
 * Commands that end before they are whole. The specification names no error, and QEMU 7.2 responds with OK and does
 * nothing: what is checked is that there is a response, and that the resource is still there. A command shorter than
 * its header is left out: QEMU never responds to it.
 */
static void cut_short(void)
{
	static const uint32_t end[] = {GPU_RESOURCE, 0}, flush[] = {WHOLE, GPU_RESOURCE, 0};
	uint32_t unref = response_to(RESOURCE_UNREF, end, 2, whole(1)),
		 part = response_to(GPU_RESOURCE_FLUSH, flush, 6, whole(3));

	ktest_note("refusal: the end of a resource, cut short: 0x%x", unref);
	ktest_note("refusal: a flush, cut short: 0x%x", part);
	ktest_check(unref && part, "commands cut short get a response");
	ktest_check(shows(), "and change nothing");
}

/* A resource ends once. */
static void twice(void)
{
	static const uint32_t other[] = {OTHER, 0};

	ktest_check(response_to(RESOURCE_UNREF, other, 2, whole(2)) == RESPONSE_OK, "a resource is given back");
	ktest_check(response_to(RESOURCE_UNREF, other, 2, whole(2)) == INVALID_RESOURCE,
		    "and cannot be given back twice");
}

static void run(void)
{
	static const uint32_t other[] = {OTHER, GPU_FORMAT_B8G8R8X8, 32, 32};

	if (!transport_present(GPU_DEVICE_TYPE) ||
	    transport_probe(&gpu.transport, "test", GPU_DEVICE_TYPE, 0, GPU_F_VIRGL)) {
		ktest_skip("the device refuses what is malformed", "this machine has none");
		return;
	}
	transport_fail(&gpu.transport);
	if (gpu.transport.features & GPU_F_VIRGL) {
		ktest_skip("the device refuses what is malformed", "the virgl path has other commands");
		return;
	}
	if (gpu_init(&gpu, WIDTH, HEIGHT)) {
		ktest_skip("the device refuses what is malformed", "this machine has no device that works");
		return;
	}
	ktest_check(response_to(GPU_RESOURCE_CREATE_2D, other, 4, whole(4)) == RESPONSE_OK,
		    "a second resource is made");
	for (unsigned i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		refused(&refusals[i]);
	ktest_check(shows(), "after every refusal a frame is shown");
	cut_short();
	twice();
	ktest_check(shows() && gpu.control.queue.free_count == gpu.control.queue.size, "no descriptor stays behind");
	transport_fail(&gpu.transport);
}

KTEST_SUITE(gpu_refusals, run);
