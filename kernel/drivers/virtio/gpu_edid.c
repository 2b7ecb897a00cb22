#include "drivers/virtio/gpu_edid.h"

#include <stddef.h>

/* Section 3.1: places in the first block. */
#define PREFERRED 54 /* the first descriptor of 18 bytes, which is the preferred timing */
#define EXTENSIONS 126

static const uint8_t header[] = {0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00};

/* Every block ends with what makes its sum 0. */
static uint8_t block_sum(const uint8_t *block)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < EDID_BLOCK_BYTES; i++)
		sum = (uint8_t)(sum + block[i]);
	return sum;
}

const char *gpu_edid_preferred(const uint8_t *bytes, uint32_t size, uint32_t room, struct gpu_mode *mode)
{
	const uint8_t *timing = bytes + PREFERRED;

	if (size < EDID_BLOCK_BYTES || size > room)
		return "its size is impossible";
	for (uint32_t i = 0; i < sizeof(header); i++)
		if (bytes[i] != header[i])
			return "its header is wrong";
	if ((bytes[EXTENSIONS] + 1u) * EDID_BLOCK_BYTES > size)
		return "it claims more blocks than there are";
	for (uint32_t block = 0; block <= bytes[EXTENSIONS]; block++)
		if (block_sum(bytes + block * EDID_BLOCK_BYTES))
			return "its checksum is wrong";
	/* Section 3.10.2: without a pixel clock it is another descriptor. */
	if (!timing[0] && !timing[1])
		return "it has no preferred timing";
	mode->width_px = timing[2] | (uint32_t)(timing[4] & 0xf0) << 4;
	mode->height_px = timing[5] | (uint32_t)(timing[7] & 0xf0) << 4;
	return mode->width_px && mode->height_px ? NULL : "its preferred timing has no size";
}
