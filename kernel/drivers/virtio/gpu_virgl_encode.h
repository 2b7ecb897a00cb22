/*
 * Encodes virgl's command stream (gpu_virgl_protocol.h) into memory. It knows no device and allocates nothing.
 *
 * A stream that is full takes no more words and says so: its commands must not be submitted. Handles name objects of
 * the host's renderer; the caller chooses them, from 1.
 */
#ifndef DRIVERS_VIRTIO_GPU_VIRGL_ENCODE_H
#define DRIVERS_VIRTIO_GPU_VIRGL_ENCODE_H

#include "drivers/virtio/gpu_protocol.h"
#include "drivers/virtio/gpu_virgl_protocol.h"

#include <stdbool.h>
#include <stdint.h>

struct virgl_stream {
	uint32_t *words;
	uint32_t count, capacity;
	bool full;
};

/* Where a vertex has one of its attributes. */
struct virgl_attribute {
	uint32_t offset, format;
};

/* The float nearest to a quotient, as its bits: the kernel computes in integers. denominator: not 0. */
uint32_t virgl_float(uint32_t numerator, uint32_t denominator);
#define VIRGL_FLOAT_NEGATIVE 0x80000000u

/* Objects: each one is created, and bound or set by its handle later. */
void virgl_create_blend(struct virgl_stream *stream, uint32_t handle);
void virgl_create_rasterizer(struct virgl_stream *stream, uint32_t handle);
void virgl_create_dsa(struct virgl_stream *stream, uint32_t handle);
/* text: TGSI. */
void virgl_create_shader(struct virgl_stream *stream, uint32_t handle, uint32_t type, const char *text);
void virgl_create_vertex_elements(struct virgl_stream *stream, uint32_t handle,
				  const struct virgl_attribute *attributes, uint32_t count);
void virgl_create_surface(struct virgl_stream *stream, uint32_t handle, uint32_t resource, uint32_t format);
void virgl_create_sampler_view(struct virgl_stream *stream, uint32_t handle, uint32_t resource, uint32_t format);
void virgl_create_sampler_state(struct virgl_stream *stream, uint32_t handle);

/* State of the context, until it is set again. */
void virgl_bind(struct virgl_stream *stream, enum virgl_object object, uint32_t handle);
void virgl_bind_shader(struct virgl_stream *stream, uint32_t handle, uint32_t type);
void virgl_set_framebuffer(struct virgl_stream *stream, uint32_t surface);
/* Clip space onto a target of this size. */
void virgl_set_viewport(struct virgl_stream *stream, uint32_t width_px, uint32_t height_px);
/* Rows count from the bottom. */
void virgl_set_scissor(struct virgl_stream *stream, const struct gpu_rectangle *rectangle);
void virgl_set_vertex_buffer(struct virgl_stream *stream, uint32_t resource, uint32_t stride);
void virgl_set_texture(struct virgl_stream *stream, uint32_t view, uint32_t state);
void virgl_set_constants(struct virgl_stream *stream, const uint32_t *words, uint32_t count);

/* Writes the beginning of a buffer; bytes: a multiple of 4. */
void virgl_write_buffer(struct virgl_stream *stream, uint32_t resource, const void *bytes, uint32_t length);
void virgl_draw_triangles(struct virgl_stream *stream, uint32_t first, uint32_t count);

#endif
