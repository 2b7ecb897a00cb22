/* The virtio-gpu wire format (VIRTIO 1.2 §5.7), little-endian, as the device reads and writes it. */
#ifndef DRIVERS_VIRTIO_GPU_PROTOCOL_H
#define DRIVERS_VIRTIO_GPU_PROTOCOL_H

#include <stdint.h>

#define GPU_DEVICE_TYPE 16      /* §5 */
#define GPU_F_VIRGL (1ull << 0) /* §5.7.3 */
#define GPU_F_EDID (1ull << 1)

/* §5.7.6.7, §5.7.6.9 */
enum gpu_command {
	GPU_GET_DISPLAY_INFO = 0x0100,
	GPU_RESOURCE_CREATE_2D = 0x0101,
	GPU_RESOURCE_UNREF = 0x0102,
	GPU_SET_SCANOUT = 0x0103,
	GPU_RESOURCE_FLUSH = 0x0104,
	GPU_TRANSFER_TO_HOST_2D = 0x0105,
	GPU_RESOURCE_ATTACH_BACKING = 0x0106,
	GPU_GET_CAPSET_INFO = 0x0108,
	GPU_GET_CAPSET = 0x0109,
	GPU_GET_EDID = 0x010a,
	GPU_CTX_CREATE = 0x0200,
	GPU_CTX_ATTACH_RESOURCE = 0x0202,
	GPU_RESOURCE_CREATE_3D = 0x0204,
	GPU_TRANSFER_TO_HOST_3D = 0x0205,
	GPU_TRANSFER_FROM_HOST_3D = 0x0206,
	GPU_SUBMIT_3D = 0x0207,
	GPU_UPDATE_CURSOR = 0x0300,
	GPU_MOVE_CURSOR = 0x0301,
	GPU_RESPONSE_OK_NODATA = 0x1100,
	GPU_RESPONSE_OK_DISPLAY_INFO = 0x1101,
	GPU_RESPONSE_OK_CAPSET_INFO = 0x1102,
	GPU_RESPONSE_OK_CAPSET = 0x1103,
	GPU_RESPONSE_OK_EDID = 0x1104,
};

#define GPU_FLAG_FENCE 1u
#define GPU_FORMAT_B8G8R8A8 1u /* §5.7.6.8 */
#define GPU_FORMAT_B8G8R8X8 2u
#define GPU_SCANOUTS 16

/* §5.7.4: offsets in the configuration; num_capsets follows num_scanouts. */
#define GPU_CONFIG_EVENTS 0
#define GPU_CONFIG_EVENTS_CLEAR 4
#define GPU_EVENT_DISPLAY 1u
#define GPU_CONFIG_SCANOUTS 8
#define GPU_CAPSET_VIRGL 1u /* §5.7.6.8 */

/* What virgl's own protocol says of resources (virglrenderer, virgl_hw.h, p_defines.h). */
#define GPU_TEXTURE_2D 2u
#define GPU_BIND_RENDER_TARGET (1u << 1)
#define GPU_BIND_SAMPLER_VIEW (1u << 3)
#define GPU_RESOURCE_Y_0_TOP 1u /* the first row of the picture is the uppermost, not the lowest */
#define GPU_FORMAT_WORDS 16

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

struct gpu_get_edid {
	struct gpu_header header;
	uint32_t scanout, padding;
};

#define GPU_EDID_BYTES 1024u

struct gpu_edid {
	struct gpu_header header;
	uint32_t size, padding; /* how many of the bytes are an EDID */
	uint8_t bytes[GPU_EDID_BYTES];
};

struct gpu_resource_unref {
	struct gpu_header header;
	uint32_t resource, padding;
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

struct gpu_get_capset_info {
	struct gpu_header header;
	uint32_t index, padding;
};

struct gpu_capset_info {
	struct gpu_header header;
	uint32_t id, version_max, size_max, padding;
};

struct gpu_get_capset {
	struct gpu_header header;
	uint32_t id, version;
};

/* How every version of virgl's capability set begins: a bit a format. */
struct gpu_capset {
	struct gpu_header header;
	uint32_t version_max;
	uint32_t sampler[GPU_FORMAT_WORDS], render[GPU_FORMAT_WORDS];
};

struct gpu_context_create {
	struct gpu_header header;
	uint32_t name_length, type;
	char name[64];
};

struct gpu_context_resource {
	struct gpu_header header;
	uint32_t resource, padding;
};

struct gpu_create_3d {
	struct gpu_header header;
	uint32_t resource, target, format, bind;
	uint32_t width, height, depth, layers;
	uint32_t last_level, samples, flags, padding;
};

struct gpu_transfer_3d {
	struct gpu_header header;
	struct {
		uint32_t x, y, z, width, height, depth;
	} box;
	uint64_t offset;
	uint32_t resource, level, stride, layer_stride; /* strides in bytes */
};

struct gpu_submit_3d {
	struct gpu_header header;
	uint32_t size, padding; /* of the renderer's commands, which follow, in bytes */
};

#endif
