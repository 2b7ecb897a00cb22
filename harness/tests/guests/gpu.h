/*
 * The driver of the stand-ins: two queues, a few commands. How it orders, waits and checks is the guest's habit. A
 * command lies in a slot of its own, unless the habit is to use one slot for all.
 */
#ifndef GPU_H
#define GPU_H

#include "guest.h"

#define CONTROL 0
#define CURSOR 1

struct gpu_counts {
	uint64_t fences, turns, answers;
};

extern struct gpu_counts gpu_counts;

bool gpu_start(const struct guest_habits *habits);
/* From here on the driver waits as its guest does; setting up is done with patience by all. */
void gpu_begin_habits(void);
/* Adds a command to what the next gpu_send() publishes. */
void gpu_create(uint32_t resource, uint32_t width_px, uint32_t height_px);
void gpu_attach(uint32_t resource, const void *memory, uint32_t bytes);
void gpu_scanout(uint32_t head, uint32_t resource, uint32_t width_px, uint32_t height_px);
void gpu_transfer(uint32_t resource, struct rectangle box, uint32_t width_px);
void gpu_flush(uint32_t resource, struct rectangle box);
/* Puts the cursor's picture in place, or moves it; on the cursor queue, and sent at once. */
void gpu_cursor(bool picture, uint32_t resource, uint32_t x, uint32_t y);
/* Publishes, notifies, and waits as the guest does. */
void gpu_send(void);

#endif
