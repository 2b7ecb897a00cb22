/*
 * virgl's command stream, as far as DRAW=gpu speaks it: words of 32 bits in a buffer that SUBMIT_3D hands to the host's
 * renderer. virtio leaves their meaning to virglrenderer; names and numbers are those of its headers virgl_protocol.h
 * (commands, objects, fields), virgl_hw.h (formats, binding flags, capabilities) and p_defines.h (states).
 */
#ifndef DRIVERS_VIRTIO_GPU_VIRGL_PROTOCOL_H
#define DRIVERS_VIRTIO_GPU_VIRGL_PROTOCOL_H

#include <stdint.h>

/* virgl_protocol.h, VIRGL_CMD0: a command's first word; length: of the words behind it. */
#define VIRGL_COMMAND(command, object, length)                                                                         \
	((uint32_t)(command) | (uint32_t)(object) << 8 | (uint32_t)(length) << 16)

/* virgl_protocol.h, enum virgl_context_cmd: VIRGL_CCMD_… */
enum virgl_command {
	VIRGL_CREATE_OBJECT = 1,
	VIRGL_BIND_OBJECT = 2,
	VIRGL_SET_VIEWPORT_STATE = 4,
	VIRGL_SET_FRAMEBUFFER_STATE = 5,
	VIRGL_SET_VERTEX_BUFFERS = 6,
	VIRGL_DRAW_VBO = 8,
	VIRGL_RESOURCE_INLINE_WRITE = 9,
	VIRGL_SET_SAMPLER_VIEWS = 10,
	VIRGL_SET_CONSTANT_BUFFER = 12,
	VIRGL_SET_SCISSOR_STATE = 15,
	VIRGL_BIND_SAMPLER_STATES = 18,
	VIRGL_BIND_SHADER = 31,
};

/* virgl_protocol.h, enum virgl_object_type: VIRGL_OBJECT_… */
enum virgl_object {
	VIRGL_NO_OBJECT = 0,
	VIRGL_BLEND = 1,
	VIRGL_RASTERIZER = 2,
	VIRGL_DSA = 3,
	VIRGL_SHADER = 4,
	VIRGL_VERTEX_ELEMENTS = 5,
	VIRGL_SAMPLER_VIEW = 6,
	VIRGL_SAMPLER_STATE = 7,
	VIRGL_SURFACE = 8,
};

/* virgl_protocol.h: words behind the first one. */
#define VIRGL_BLEND_WORDS 11
#define VIRGL_RASTERIZER_WORDS 9
#define VIRGL_DSA_WORDS 5
#define VIRGL_SHADER_WORDS 5 /* and the text, which ends in a zero byte */
#define VIRGL_SAMPLER_VIEW_WORDS 6
#define VIRGL_SAMPLER_STATE_WORDS 9
#define VIRGL_SURFACE_WORDS 5
#define VIRGL_DRAW_VBO_WORDS 12
#define VIRGL_INLINE_WRITE_WORDS 11 /* and the data */
#define VIRGL_LENGTH_MAX 0xffffu

/* virgl_protocol.h, VIRGL_OBJ_BLEND_S2_RT_…: source * 1 + target * (1 - source's opacity), all four channels. */
#define VIRGL_BLEND_ENABLE 1u
#define VIRGL_BLEND_RGB_SOURCE(factor) ((uint32_t)(factor) << 4)
#define VIRGL_BLEND_RGB_TARGET(factor) ((uint32_t)(factor) << 9)
#define VIRGL_BLEND_ALPHA_SOURCE(factor) ((uint32_t)(factor) << 17)
#define VIRGL_BLEND_ALPHA_TARGET(factor) ((uint32_t)(factor) << 22)
#define VIRGL_BLEND_CHANNELS(mask) ((uint32_t)(mask) << 27)

/* virgl_protocol.h, VIRGL_OBJ_RS_S0_… */
#define VIRGL_RASTERIZER_DEPTH_CLIP (1u << 1)
#define VIRGL_RASTERIZER_SCISSOR (1u << 14)
#define VIRGL_RASTERIZER_HALF_PIXEL_CENTRE (1u << 29)

/* virgl_protocol.h, VIRGL_OBJ_SAMPLE_STATE_S0_…; filters of 0 take the nearest texel. */
#define VIRGL_SAMPLER_WRAP(mode) ((uint32_t)(mode) | (uint32_t)(mode) << 3 | (uint32_t)(mode) << 6)
#define VIRGL_SAMPLER_MIPMAP(filter) ((uint32_t)(filter) << 11)

/* virgl_protocol.h, VIRGL_OBJ_SAMPLER_VIEW_SWIZZLE_…: red, green, blue and opacity as they are. */
#define VIRGL_SWIZZLE_NONE (0u | 1u << 3 | 2u << 6 | 3u << 9)

/* p_defines.h: PIPE_SHADER_…, PIPE_BLENDFACTOR_…, PIPE_MASK_…, PIPE_TEX_…, PIPE_PRIM_…, PIPE_BUFFER */
#define VIRGL_SHADER_VERTEX 0u
#define VIRGL_SHADER_FRAGMENT 1u
#define VIRGL_FACTOR_ONE 0x01u
#define VIRGL_FACTOR_INVERSE_ALPHA 0x13u
#define VIRGL_MASK_ALL 0xfu
#define VIRGL_WRAP_TO_EDGE 2u
#define VIRGL_MIPMAP_NONE 2u
#define VIRGL_TRIANGLES 4u
#define VIRGL_TARGET_BUFFER 0u

/* virgl_hw.h: VIRGL_FORMAT_…, VIRGL_BIND_…; SSCALED: whole numbers that the shader sees as floats. */
#define VIRGL_R32G32_SSCALED 45u
#define VIRGL_R8_UNORM 64u
#define VIRGL_R8G8B8A8_UNORM 67u
#define VIRGL_BIND_VERTEX_BUFFER (1u << 4)

/* virgl_hw.h, struct virgl_caps_v2: where the name of the host's renderer (GL_RENDERER) lies, and its length. */
#define VIRGL_CAPSET_2 2u
#define VIRGL_CAPSET_2_RENDERER 696u
#define VIRGL_CAPSET_2_RENDERER_BYTES 64u

#endif
