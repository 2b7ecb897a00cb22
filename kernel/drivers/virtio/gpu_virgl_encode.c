#include "drivers/virtio/gpu_virgl_encode.h"

#include "base/string.h"

/* As many as a parsed shader may have; those here have fewer than 100. */
#define SHADER_TOKENS 300u

#define EVERY_CHANNEL                                                                                                  \
	(VIRGL_BLEND_ENABLE | VIRGL_BLEND_RGB_SOURCE(VIRGL_FACTOR_ONE) |                                               \
	 VIRGL_BLEND_RGB_TARGET(VIRGL_FACTOR_INVERSE_ALPHA) | VIRGL_BLEND_ALPHA_SOURCE(VIRGL_FACTOR_ONE) |             \
	 VIRGL_BLEND_ALPHA_TARGET(VIRGL_FACTOR_INVERSE_ALPHA) | VIRGL_BLEND_CHANNELS(VIRGL_MASK_ALL))

uint32_t virgl_float(uint32_t numerator, uint32_t denominator)
{
	uint64_t over = numerator, under = denominator;
	uint32_t exponent = 127;

	if (!over)
		return 0;
	for (; over >= 2 * under; exponent++)
		under *= 2;
	for (; over < under; exponent--)
		over *= 2;
	/* 1 <= over / under < 2. What rounding carries out of the fraction belongs into the exponent. */
	return (exponent << 23) + (uint32_t)((((over - under) << 24) / under + 1) >> 1);
}

static void put(struct virgl_stream *stream, uint32_t word)
{
	if (stream->count == stream->capacity)
		stream->full = true;
	else
		stream->words[stream->count++] = word;
}

static void put_zeros(struct virgl_stream *stream, uint32_t count)
{
	while (count--)
		put(stream, 0);
}

/* length: of the words that follow. */
static void begin(struct virgl_stream *stream, enum virgl_command command, enum virgl_object object, uint32_t length)
{
	if (length > VIRGL_LENGTH_MAX)
		stream->full = true;
	put(stream, VIRGL_COMMAND(command, object, length));
}

/* length: of the words that follow the handle. */
static void create(struct virgl_stream *stream, enum virgl_object object, uint32_t handle, uint32_t length)
{
	begin(stream, VIRGL_CREATE_OBJECT, object, length + 1);
	put(stream, handle);
}

/* Bytes as words; the last word is filled up with zeros. */
static void put_bytes(struct virgl_stream *stream, const void *bytes, uint32_t length)
{
	uint32_t words = (length + 3) / 4;

	if (words > stream->capacity - stream->count) {
		stream->full = true;
		return;
	}
	if (words)
		stream->words[stream->count + words - 1] = 0;
	memcpy(&stream->words[stream->count], bytes, length);
	stream->count += words;
}

/* Two words, of which all other targets have zeros behind. */
void virgl_create_blend(struct virgl_stream *stream, uint32_t handle)
{
	create(stream, VIRGL_BLEND, handle, VIRGL_BLEND_WORDS - 1);
	put_zeros(stream, 2);
	put(stream, EVERY_CHANNEL);
	put_zeros(stream, VIRGL_BLEND_WORDS - 4);
}

void virgl_create_rasterizer(struct virgl_stream *stream, uint32_t handle)
{
	create(stream, VIRGL_RASTERIZER, handle, VIRGL_RASTERIZER_WORDS - 1);
	put(stream, VIRGL_RASTERIZER_DEPTH_CLIP | VIRGL_RASTERIZER_SCISSOR | VIRGL_RASTERIZER_HALF_PIXEL_CENTRE);
	put(stream, virgl_float(1, 1)); /* size of points */
	put_zeros(stream, 2);
	put(stream, virgl_float(1, 1)); /* width of lines */
	put_zeros(stream, VIRGL_RASTERIZER_WORDS - 6);
}

/* Neither depth nor stencil nor a test of opacity. */
void virgl_create_dsa(struct virgl_stream *stream, uint32_t handle)
{
	create(stream, VIRGL_DSA, handle, VIRGL_DSA_WORDS - 1);
	put_zeros(stream, VIRGL_DSA_WORDS - 1);
}

void virgl_create_shader(struct virgl_stream *stream, uint32_t handle, uint32_t type, const char *text)
{
	uint32_t bytes = (uint32_t)strlen(text) + 1;

	create(stream, VIRGL_SHADER, handle, VIRGL_SHADER_WORDS - 1 + (bytes + 3) / 4);
	put(stream, type);
	put(stream, bytes);
	put(stream, SHADER_TOKENS);
	put(stream, 0); /* outputs that are streamed out */
	put_bytes(stream, text, bytes);
}

void virgl_create_vertex_elements(struct virgl_stream *stream, uint32_t handle,
				  const struct virgl_attribute *attributes, uint32_t count)
{
	create(stream, VIRGL_VERTEX_ELEMENTS, handle, 4 * count);
	for (uint32_t i = 0; i < count; i++) {
		put(stream, attributes[i].offset);
		put_zeros(stream, 2); /* not instanced; vertex buffer 0 */
		put(stream, attributes[i].format);
	}
}

void virgl_create_surface(struct virgl_stream *stream, uint32_t handle, uint32_t resource, uint32_t format)
{
	create(stream, VIRGL_SURFACE, handle, VIRGL_SURFACE_WORDS - 1);
	put(stream, resource);
	put(stream, format);
	put_zeros(stream, 2); /* level and layers */
}

void virgl_create_sampler_view(struct virgl_stream *stream, uint32_t handle, uint32_t resource, uint32_t format)
{
	create(stream, VIRGL_SAMPLER_VIEW, handle, VIRGL_SAMPLER_VIEW_WORDS - 1);
	put(stream, resource);
	put(stream, format);
	put_zeros(stream, 2); /* layers and levels */
	put(stream, VIRGL_SWIZZLE_NONE);
}

void virgl_create_sampler_state(struct virgl_stream *stream, uint32_t handle)
{
	create(stream, VIRGL_SAMPLER_STATE, handle, VIRGL_SAMPLER_STATE_WORDS - 1);
	put(stream, VIRGL_SAMPLER_WRAP(VIRGL_WRAP_TO_EDGE) | VIRGL_SAMPLER_MIPMAP(VIRGL_MIPMAP_NONE));
	put_zeros(stream, VIRGL_SAMPLER_STATE_WORDS - 2);
}

void virgl_bind(struct virgl_stream *stream, enum virgl_object object, uint32_t handle)
{
	begin(stream, VIRGL_BIND_OBJECT, object, 1);
	put(stream, handle);
}

void virgl_bind_shader(struct virgl_stream *stream, uint32_t handle, uint32_t type)
{
	begin(stream, VIRGL_BIND_SHADER, VIRGL_NO_OBJECT, 2);
	put(stream, handle);
	put(stream, type);
}

void virgl_set_framebuffer(struct virgl_stream *stream, uint32_t surface)
{
	begin(stream, VIRGL_SET_FRAMEBUFFER_STATE, VIRGL_NO_OBJECT, 3);
	put(stream, 1); /* target of colour */
	put(stream, 0); /* none of depth */
	put(stream, surface);
}

void virgl_set_viewport(struct virgl_stream *stream, uint32_t width_px, uint32_t height_px)
{
	const uint32_t half[3] = {virgl_float(width_px, 2), virgl_float(height_px, 2), virgl_float(1, 2)};

	begin(stream, VIRGL_SET_VIEWPORT_STATE, VIRGL_NO_OBJECT, 7);
	put(stream, 0);                        /* the first viewport */
	put_bytes(stream, half, sizeof(half)); /* scale */
	put_bytes(stream, half, sizeof(half)); /* and translation */
}

void virgl_set_scissor(struct virgl_stream *stream, const struct gpu_rectangle *rectangle)
{
	begin(stream, VIRGL_SET_SCISSOR_STATE, VIRGL_NO_OBJECT, 3);
	put(stream, 0); /* the first viewport */
	put(stream, rectangle->x | rectangle->y << 16);
	put(stream, (rectangle->x + rectangle->width) | (rectangle->y + rectangle->height) << 16);
}

void virgl_set_vertex_buffer(struct virgl_stream *stream, uint32_t resource, uint32_t stride)
{
	begin(stream, VIRGL_SET_VERTEX_BUFFERS, VIRGL_NO_OBJECT, 3);
	put(stream, stride);
	put(stream, 0); /* offset */
	put(stream, resource);
}

void virgl_set_texture(struct virgl_stream *stream, uint32_t view, uint32_t state)
{
	begin(stream, VIRGL_SET_SAMPLER_VIEWS, VIRGL_NO_OBJECT, 3);
	put(stream, VIRGL_SHADER_FRAGMENT);
	put(stream, 0);
	put(stream, view);
	begin(stream, VIRGL_BIND_SAMPLER_STATES, VIRGL_NO_OBJECT, 3);
	put(stream, VIRGL_SHADER_FRAGMENT);
	put(stream, 0);
	put(stream, state);
}

void virgl_set_constants(struct virgl_stream *stream, const uint32_t *words, uint32_t count)
{
	begin(stream, VIRGL_SET_CONSTANT_BUFFER, VIRGL_NO_OBJECT, count + 2);
	put(stream, VIRGL_SHADER_VERTEX);
	put(stream, 0);
	put_bytes(stream, words, 4 * count);
}

/* The box of a buffer is as wide as its bytes; a stride of 0 means that they lie close together. */
void virgl_write_buffer(struct virgl_stream *stream, uint32_t resource, const void *bytes, uint32_t length)
{
	begin(stream, VIRGL_RESOURCE_INLINE_WRITE, VIRGL_NO_OBJECT, VIRGL_INLINE_WRITE_WORDS + length / 4);
	put(stream, resource);
	put_zeros(stream, 7); /* level, usage, strides, origin */
	put(stream, length);
	put(stream, 1);
	put(stream, 1);
	put_bytes(stream, bytes, length);
}

void virgl_draw_triangles(struct virgl_stream *stream, uint32_t first, uint32_t count)
{
	begin(stream, VIRGL_DRAW_VBO, VIRGL_NO_OBJECT, VIRGL_DRAW_VBO_WORDS);
	put(stream, first);
	put(stream, count);
	put(stream, VIRGL_TRIANGLES);
	put(stream, 0); /* not indexed */
	put(stream, 1); /* instance */
	put_zeros(stream, 4);
	put(stream, first); /* lowest and highest vertex */
	put(stream, first + count - 1);
	put(stream, 0);
}
