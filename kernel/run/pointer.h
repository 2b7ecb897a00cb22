/*
 * CURSOR=hw: a pointer as a hardware cursor over the picture, moved with each frame. Where it stands is a function of
 * the frame's number and the mode, as serial-protocol.md says, so that the harness knows it as well.
 *
 * Context: the boot CPU.
 */
#ifndef RUN_POINTER_H
#define RUN_POINTER_H

#include "drivers/virtio/gpu.h"

#include <stdbool.h>
#include <stdint.h>

/* Paints the pointer and shows it where it stands in this frame. */
bool pointer_start(struct gpu *gpu, uint32_t frame);
/* Behind a frame's presentation. */
bool pointer_move(uint32_t frame);

#endif
