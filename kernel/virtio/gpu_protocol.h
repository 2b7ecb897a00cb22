/* The virtio-gpu wire format (VIRTIO 1.2 §5.7), little-endian, as the device reads and writes it. */
#ifndef VIRTIO_GPU_PROTOCOL_H
#define VIRTIO_GPU_PROTOCOL_H

#include <stdint.h>

#define GPU_DEVICE_TYPE 16      /* §5 */
#define GPU_F_VIRGL (1ull << 0) /* §5.7.3 */

/* §5.7.6.7 */
enum gpu_command {
	GPU_GET_DISPLAY_INFO = 0x0100,
	GPU_RESOURCE_CREATE_2D = 0x0101,
	GPU_SET_SCANOUT = 0x0103,
	GPU_RESOURCE_FLUSH = 0x0104,
	GPU_TRANSFER_TO_HOST_2D = 0x0105,
	GPU_RESOURCE_ATTACH_BACKING = 0x0106,
	GPU_TRANSFER_TO_HOST_3D = 0x0205,
	GPU_RESPONSE_OK_NODATA = 0x1100,
	GPU_RESPONSE_OK_DISPLAY_INFO = 0x1101,
};

#define GPU_FLAG_FENCE 1u
#define GPU_FORMAT_B8G8R8X8 2u /* §5.7.6.8 */
#define GPU_SCANOUTS 16

struct gpu_header {
	uint32_t type, flags;
	uint64_t fence;
	uint32_t context;
	uint8_t ring, padding[3];
};

struct gpu_rectangle {
	uint32_t x, y, width, height;
};

struct gpu_display_info {
	struct gpu_header header;
	struct {
		struct gpu_rectangle rectangle;
		uint32_t enabled, flags;
	} scanouts[GPU_SCANOUTS];
};

struct gpu_create_2d {
	struct gpu_header header;
	uint32_t resource, format, width, height;
};

struct gpu_attach_backing {
	struct gpu_header header;
	uint32_t resource, entries;
	struct {
		uint64_t address;
		uint32_t length, padding;
	} entry;
};

struct gpu_set_scanout {
	struct gpu_header header;
	struct gpu_rectangle rectangle;
	uint32_t scanout, resource;
};

struct gpu_transfer_2d {
	struct gpu_header header;
	struct gpu_rectangle rectangle;
	uint64_t offset;
	uint32_t resource, padding;
};

struct gpu_flush {
	struct gpu_header header;
	struct gpu_rectangle rectangle;
	uint32_t resource, padding;
};

#endif
