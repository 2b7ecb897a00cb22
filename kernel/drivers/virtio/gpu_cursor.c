#include "drivers/virtio/gpu_cursor.h"

#include "arch/arch.h"
#include "base/heap.h"
#include "base/print.h"
#include "base/string.h"
#include "drivers/virtio/gpu_command.h"
#include "fault/fault.h"

#define QUEUE_CURSOR 1 /* §5.7.2 */
#define QUEUE_SIZE 16
#define PAGE 4096
#define BYTES (GPU_CURSOR_PX * GPU_CURSOR_PX * 4u)

struct gpu_cursor gpu_cursor;

int gpu_cursor_open(struct gpu_cursor *cursor, struct gpu *gpu)
{
	memset(cursor, 0, sizeof(*cursor));
	cursor->gpu = gpu;
	if (gpu->transport.common->num_queues <= QUEUE_CURSOR) {
		print("virtio-gpu: the device offers no cursor queue\n");
		transport_fail(&gpu->transport);
		return ERROR_NODEV;
	}
	if (transport_queue_init(&gpu->transport, &cursor->queue, QUEUE_CURSOR, QUEUE_SIZE))
		return ERROR_BROKEN;
	cursor->command = heap_alloc(sizeof(*cursor->command), 16);
	cursor->pixels = heap_alloc(BYTES, PAGE);
	return cursor->command && cursor->pixels ? 0 : gpu_error(ERROR_NOMEM, "no memory", GPU_UPDATE_CURSOR, 0);
}

/* One command, and its completion: the device writes no response (§5.7.6.10). */
static int cursor_run(struct gpu_cursor *cursor, uint32_t type, uint32_t x, uint32_t y)
{
	struct virtqueue_buffer buffer = {(uintptr_t)cursor->command, sizeof(*cursor->command), false};
	struct virtqueue_completion completion;
	int error;

	*cursor->command = (struct gpu_cursor_command){.header.type = type,
						       .position = {.x = x, .y = y},
						       .resource = GPU_CURSOR_RESOURCE,
						       .hot_x = cursor->hot_x,
						       .hot_y = cursor->hot_y};
	if (virtqueue_add(&cursor->queue.queue, &buffer, 1, cursor))
		return gpu_error(ERROR_BROKEN, "no descriptors left", type, 0);
	virtqueue_publish(&cursor->queue.queue);
	virtqueue_kick(&cursor->queue.queue);
	error = transport_wait(&cursor->queue, &completion, cursor->gpu->deadline_ns, "command");
	return error == ERROR_TIMEOUT || !error ? error : ERROR_BROKEN;
}

static int control_run(struct gpu_cursor *cursor, uint32_t length)
{
	int error = gpu_command_add(cursor->gpu, length);

	return error ? error : gpu_commands_run(cursor->gpu, arch_ticks());
}

static int image_create(struct gpu_cursor *cursor)
{
	struct gpu_create_2d *create = gpu_command(cursor->gpu, GPU_RESOURCE_CREATE_2D);
	struct gpu_attach_backing *attach;
	int error;

	create->resource = GPU_CURSOR_RESOURCE;
	create->format = GPU_FORMAT_B8G8R8A8;
	create->width = create->height = GPU_CURSOR_PX;
	error = control_run(cursor, sizeof(*create));
	if (error)
		return error;
	attach = gpu_command(cursor->gpu, GPU_RESOURCE_ATTACH_BACKING);
	attach->resource = GPU_CURSOR_RESOURCE;
	attach->entries = 1;
	attach->entry.address = (uintptr_t)cursor->pixels;
	attach->entry.length = BYTES;
	return control_run(cursor, sizeof(*attach));
}

static int image_transfer(struct gpu_cursor *cursor)
{
	struct gpu_transfer_2d *transfer = gpu_command(cursor->gpu, GPU_TRANSFER_TO_HOST_2D);

	transfer->rectangle = (struct gpu_rectangle){0, 0, GPU_CURSOR_PX, GPU_CURSOR_PX};
	transfer->resource = GPU_CURSOR_RESOURCE;
	return control_run(cursor, sizeof(*transfer));
}

int gpu_cursor_show(struct gpu_cursor *cursor, uint32_t x, uint32_t y)
{
	int error = image_create(cursor);

	/* The fault: the cursor's queue overtakes the control queue, which is to bring the image. */
	if (!error && fault_races_cursor())
		error = cursor_run(cursor, GPU_UPDATE_CURSOR, x, y);
	if (!error)
		error = image_transfer(cursor);
	if (error || fault_races_cursor())
		return error;
	return cursor_run(cursor, GPU_UPDATE_CURSOR, x, y);
}

int gpu_cursor_move(struct gpu_cursor *cursor, uint32_t x, uint32_t y)
{
	return cursor_run(cursor, GPU_MOVE_CURSOR, x, y);
}
