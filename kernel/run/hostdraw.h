/*
 * DRAW=gpu: the roulette as pieces that the host's renderer draws.
 *
 * Context: boot CPU, once gpu_init has succeeded. Failures are printed on one line.
 */
#ifndef RUN_HOSTDRAW_H
#define RUN_HOSTDRAW_H

#include "drivers/virtio/gpu.h"
#include "scene/roulette.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Uploads what does not change from frame to frame, and has a frame drawn, which is not shown: reads its stamps back,
 * since no command's response tells that the renderer refused it. scratch: the picture's size; what is on it is lost.
 */
bool hostdraw_start(struct gpu *gpu, const struct roulette *roulette, const struct canvas *scratch, uint32_t frame);
/* Makes a frame of which the next gpu_present is to show a part or all. */
bool hostdraw_frame(uint32_t frame);

#endif
