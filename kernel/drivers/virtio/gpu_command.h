/*
 * Commands to virtio-gpu's control queue: written one by one, shown to the device together, completed in any order.
 *
 * Only gpu*.c calls this. A failure is printed on one line and returned as a negative enum error.
 */
#ifndef DRIVERS_VIRTIO_GPU_COMMAND_H
#define DRIVERS_VIRTIO_GPU_COMMAND_H

#include "drivers/virtio/gpu.h"

#include <stdint.h>

#define GPU_COMMAND_BYTES 96

/* A command in flight: memory that the device reads and writes. */
struct gpu_slot {
	uint8_t request[GPU_COMMAND_BYTES];
	struct gpu_header header;    /* for commands whose response is the header alone */
	struct gpu_header *response; /* where the device writes: the above, or the caller's memory */
	uint32_t response_length;
	uint32_t expected; /* the response's type */
};

/* Prints `virtio-gpu: <what>` with the command and what came back for it; returns error. */
int gpu_error(int error, const char *what, uint32_t command, uint32_t response);

/* A zeroed request of this type in the next free slot; fenced if GPU_FENCE says so and it is a transfer or a flush. */
void *gpu_command(struct gpu *gpu, uint32_t type);
/* Lays the command begun last into the ring; request_length bytes of it. Its response is a bare header. */
int gpu_command_add(struct gpu *gpu, uint32_t request_length);
/* The same for a command whose response is longer than a header, of this type. */
int gpu_command_add_response(struct gpu *gpu, uint32_t request_length, void *response, uint32_t response_length,
			     uint32_t expected);
/* Publishes what was added, notifies the device, waits for every response. `started`, in ticks: when building began. */
int gpu_commands_run(struct gpu *gpu, uint64_t started);

#endif
