/*
 * A virtio-gpu modelled for tests, in the kernel and natively: it executes what the driver sends, 2D and virgl, on a
 * picture of its own, counts, and misbehaves on demand.
 */
#ifndef TEST_GPUDEVICE_H
#define TEST_GPUDEVICE_H

#include "drivers/virtio/gpu.h"
#include "test/ringdevice.h"

#include <stdbool.h>
#include <stdint.h>

#define GPUDEVICE_WIDTH 64u
#define GPUDEVICE_HEIGHT 48u
#define GPUDEVICE_RING 64
#define GPUDEVICE_STREAM_WORDS 2048
#define GPUDEVICE_UNTOUCHED 0xeeeeeeeeu

/* How it responds. */
enum gpudevice_manner {
	GPUDEVICE_HONEST,
	GPUDEVICE_RESPONDS_ERROR,
	GPUDEVICE_RESPONDS_SHORT,
	GPUDEVICE_RESPONDS_NOTHING, /* used, but no response written */
	GPUDEVICE_FORGETS_FENCE,
	GPUDEVICE_SCANOUT_OFF,
	GPUDEVICE_SILENT,
};

struct gpudevice {
	struct ringdevice ring;
	enum gpudevice_manner manner;
	uint32_t only; /* the command without an honest response; 0: all */

	/* What it claims of virgl. */
	uint32_t capsets, capset_id, capset_bytes, sampler, render; /* the last two: the first words of the masks */

	const char *renderer; /* what a second set, the first of all, calls the renderer; NULL: there is none */

	/* What its display is, and its resource, by number and size; what GET_EDID responds with. */
	uint32_t resource, display_width, display_height, width, height;
	uint8_t edid[GPU_EDID_BYTES];
	uint32_t edid_size;

	uint32_t picture[GPUDEVICE_WIDTH * GPUDEVICE_HEIGHT]; /* its resource */
	uint64_t backing;
	bool context, texture, attached, shown;
	bool upside_down; /* the texture's first row is its lowest */
	unsigned transfers, flushes, fenced, cursor_transfers;
	/* What the renderer was told last, and how often; resources besides the picture, and uploads to them. */
	uint32_t stream[GPUDEVICE_STREAM_WORDS], stream_bytes;
	unsigned submits, others, other_transfers;
	unsigned heads;     /* that were given a resource, the highest of them */
	uint32_t scanout;   /* the resource that is shown */
	uint32_t resources; /* a bit for each that exists */
	unsigned strays;    /* commands that no driver should send, or not in this state */
};

extern struct gpudevice gpudevice;

/* A driver on this path that has just met an honest device, with nothing started; then gpu_start. */
void gpudevice_meet(struct gpu *gpu, const struct gpu_path *path);
/* Its display gets another size, and an EDID that says so. */
void gpudevice_resize(uint32_t width, uint32_t height);
/* It has this many heads. */
void gpudevice_heads(uint32_t count);
/* Whether the device's picture is the driver's inside the rectangle, and was never touched outside. */
bool gpudevice_shows(const struct gpu *gpu, struct gpu_rectangle rect);
/* A picture in which no two pixels nearby are the same. */
void gpudevice_paint(struct gpu *gpu);

#endif
