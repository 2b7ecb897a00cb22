/* drivers/virtio/gpu_cursor: against a modelled cursor queue beside a modelled control queue. */
#include "test/ktest.h"

#include "base/heap.h"
#include "base/string.h"
#include "drivers/virtio/gpu_cursor.h"
#include "test/gpudevice.h"

#define RING 16
#define SHORT_NS 2000000ull

static struct gpu gpu;
static struct gpu_cursor cursor;
static struct ringdevice ring;
static struct gpu_cursor_command last;
static unsigned updates, moves, strays, too_early;
static bool silent;

static void serve(struct ringdevice *device)
{
	struct ringdevice_chain chain;

	while (!silent && ringdevice_take(device, &chain)) {
		strays += chain.count != 1 || chain.pieces[0].length != sizeof(last) || ringdevice_writable(&chain);
		memcpy(&last, (const void *)(uintptr_t)chain.pieces[0].address, sizeof(last));
		updates += last.header.type == GPU_UPDATE_CURSOR;
		moves += last.header.type == GPU_MOVE_CURSOR;
		strays += last.header.type != GPU_UPDATE_CURSOR && last.header.type != GPU_MOVE_CURSOR;
		too_early += !gpudevice.cursor_transfers;
		ringdevice_complete(device, chain.head, 0);
	}
}

static int start(void)
{
	gpudevice_meet(&gpu, &gpu_path_2d);
	if (gpu_start(&gpu, GPUDEVICE_WIDTH, GPUDEVICE_HEIGHT))
		return ERROR_BROKEN;
	memset(&cursor, 0, sizeof(cursor));
	updates = moves = strays = too_early = 0;
	silent = false;
	cursor.gpu = &gpu;
	cursor.hot_x = 5;
	cursor.hot_y = 60;
	cursor.queue.transport = &gpu.transport;
	cursor.queue.number = 1;
	cursor.command = heap_alloc(sizeof(*cursor.command), 16);
	cursor.pixels = heap_alloc(4ul * GPU_CURSOR_PX * GPU_CURSOR_PX, 4096);
	ringdevice_init(&ring, &cursor.queue.queue, RING, false);
	ring.on_notify = serve;
	return 0;
}

static void shows(void)
{
	const struct gpu_rectangle whole = {0, 0, GPUDEVICE_WIDTH, GPUDEVICE_HEIGHT};

	ktest_check(!start() && !gpu_cursor_show(&cursor, 30, 20) && updates == 1 && !moves && !strays,
		    "a cursor is shown by one update");
	ktest_check(last.position.x == 30 && last.position.y == 20 && last.resource == GPU_CURSOR_RESOURCE &&
			    last.hot_x == 5 && last.hot_y == 60,
		    "at its place, with its hot spot and its image");
	ktest_check(!too_early && gpudevice.cursor_transfers == 1, "once the control queue has brought the image");
	ktest_check(!gpu_cursor_move(&cursor, 31, 21) && moves == 1 && last.position.x == 31 && last.position.y == 21 &&
			    gpudevice.cursor_transfers == 1,
		    "it moves without another image");
	for (unsigned i = 0; i < 3 * RING; i++)
		gpu_cursor_move(&cursor, i, i);
	ktest_check(moves == 1 + 3 * RING && cursor.queue.queue.free_count == RING && !strays && !ring.faulty_driver,
		    "again and again, and no descriptor stays behind");
	gpudevice_paint(&gpu);
	ktest_check(!gpu_present(&gpu, &whole, 1) && gpudevice_shows(&gpu, whole) && !gpudevice.strays,
		    "the picture is shown as without it");
}

static void errors(void)
{
	ktest_check(!start() && !gpu_cursor_show(&cursor, 0, 0), "a cursor is shown");
	gpu.deadline_ns = SHORT_NS;
	silent = true;
	ktest_check(gpu_cursor_move(&cursor, 1, 1) == ERROR_TIMEOUT, "silence ends at the deadline");
	if (!start()) {
		gpudevice.manner = GPUDEVICE_RESPONDS_ERROR;
		gpudevice.only = GPU_TRANSFER_TO_HOST_2D;
		ktest_check(gpu_cursor_show(&cursor, 0, 0) == ERROR_RESPONSE && !updates,
			    "an image that could not be brought is not shown");
	}
}

static void run(void)
{
	shows();
	errors();
}

KTEST_SUITE(gpu_cursor, run);
