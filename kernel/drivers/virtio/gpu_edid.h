/*
 * A display's own description of itself, EDID 1.4 (VESA E-EDID standard, release A2, section 3), checked. Pure.
 */
#ifndef DRIVERS_VIRTIO_GPU_EDID_H
#define DRIVERS_VIRTIO_GPU_EDID_H

#include <stdint.h>

#define EDID_BLOCK_BYTES 128u

struct gpu_mode {
	uint32_t width_px, height_px;
};

/*
 * NULL with *mode filled from the preferred timing, or what is wrong with it. size: as the device gives it, of which at
 * most `room` bytes are there.
 */
const char *gpu_edid_preferred(const uint8_t *bytes, uint32_t size, uint32_t room, struct gpu_mode *mode);

#endif
