#include "drivers/virtio/gpu_virgl_draw.h"

#include "arch/arch.h"
#include "base/heap.h"
#include "base/print.h"
#include "base/string.h"
#include "drivers/virtio/gpu_command.h"
#include "drivers/virtio/gpu_virgl_encode.h"
#include "fault/fault.h"
#include "options.h"

#define CONTEXT 1u
#define DEADLINE_NS 5000000000ull
#define SETUP_WORDS 2048u
/* Of a frame, besides its vertices. */
#define FRAME_WORDS 64u
#define BATCH_WORDS 16u

/* Handles of the renderer's objects. */
enum {
	HANDLE_BLEND = 1,
	HANDLE_RASTERIZER,
	HANDLE_DSA,
	HANDLE_VERTEX_ELEMENTS,
	HANDLE_SURFACE,
	HANDLE_VIEW,
	HANDLE_SAMPLER,
	HANDLE_VERTEX_SHADER,
	HANDLE_FRAGMENT_SHADERS,
};

/* FAULT=refused_shader: a text that no renderer takes. */
static const char no_shader[] = "FRAG\nNONSENSE\n";

static struct {
	struct virgl_stream stream;
	uint32_t scissor; /* where the words of the rectangle stand: it is known last */
} frame;

/* Words that a scissor's command has, its first included. */
#define SCISSOR_WORDS 4u

/* A command to the renderer; the stream must stay as it is until the response is there. */
static int submit_add(struct gpu *gpu, const struct virgl_stream *stream)
{
	struct gpu_submit_3d *request = gpu_command(gpu, GPU_SUBMIT_3D);
	struct gpu_slot *slot = &gpu->slots[gpu->slots_used - 1];
	const uint32_t bytes = 4 * stream->count;
	const struct virtqueue_buffer buffers[] = {
		{(uintptr_t)request, sizeof(*request), false},
		{(uintptr_t)stream->words, bytes, false},
		{(uintptr_t)&slot->header, sizeof(slot->header), true},
	};

	request->header.context = CONTEXT;
	request->size = bytes;
	if (OPTION(GPU_FENCE) == OPTION_GPU_FENCE_on) {
		request->header.flags = GPU_FLAG_FENCE;
		request->header.fence = ++gpu->fence;
	}
	slot->response = &slot->header;
	slot->response_length = sizeof(slot->header);
	slot->expected = GPU_RESPONSE_OK_NODATA;
	if (virtqueue_add(&gpu->control.queue, buffers, 3, slot))
		return gpu_error(ERROR_BROKEN, "no descriptors left", GPU_SUBMIT_3D, 0);
	return 0;
}

static int resource_add(struct gpu *gpu, const struct gpu_create_3d *wanted)
{
	struct gpu_create_3d *request = gpu_command(gpu, GPU_RESOURCE_CREATE_3D);
	struct gpu_context_resource *attach;
	struct gpu_header header = request->header;
	int error;

	*request = *wanted;
	request->header = header;
	request->depth = 1;
	request->layers = 1;
	error = gpu_command_add(gpu, sizeof(*request));
	if (error)
		return error;
	attach = gpu_command(gpu, GPU_CTX_ATTACH_RESOURCE);
	attach->header.context = CONTEXT;
	attach->resource = wanted->resource;
	return gpu_command_add(gpu, sizeof(*attach));
}

static int texture_add(struct gpu *gpu, const struct gpu_framebuffer *texture)
{
	struct gpu_attach_backing *attach;
	int error = resource_add(gpu, &(struct gpu_create_3d){.resource = GPU_DRAW_TEXTURE_RESOURCE,
							      .target = GPU_TEXTURE_2D,
							      .format = GPU_FORMAT_B8G8R8A8,
							      .bind = GPU_BIND_SAMPLER_VIEW,
							      .width = texture->width_px,
							      .height = texture->height_px});

	if (error)
		return error;
	attach = gpu_command(gpu, GPU_RESOURCE_ATTACH_BACKING);
	attach->resource = GPU_DRAW_TEXTURE_RESOURCE;
	attach->entries = 1;
	attach->entry.address = (uintptr_t)texture->pixels;
	attach->entry.length = texture->stride_px * texture->height_px * 4;
	return gpu_command_add(gpu, sizeof(*attach));
}

static int transfer_run(struct gpu *gpu, uint32_t type, uint32_t resource, uint32_t stride_px,
			const struct gpu_rectangle *rectangle)
{
	struct gpu_transfer_3d *request = gpu_command(gpu, type);
	int error;

	request->header.context = CONTEXT;
	request->box.x = rectangle->x;
	request->box.y = rectangle->y;
	request->box.width = rectangle->width;
	request->box.height = rectangle->height;
	request->box.depth = 1;
	request->stride = stride_px * 4;
	request->offset = ((uint64_t)rectangle->y * stride_px + rectangle->x) * 4;
	request->resource = resource;
	error = gpu_command_add(gpu, sizeof(*request));
	return error ? error : gpu_commands_run(gpu, arch_ticks());
}

static const char *shader_text(enum virgl_fragment_shader shader)
{
	return fault_refuses_shader() && shader == VIRGL_BAND ? no_shader : virgl_fragment_shaders[shader];
}

static void objects_encode(struct virgl_stream *stream)
{
	static const struct virgl_attribute attributes[] = {
		{0, VIRGL_R32G32_SSCALED},
		{8, VIRGL_R32G32_SSCALED},
		{16, VIRGL_R8G8B8A8_UNORM},
		{20, VIRGL_R8G8B8A8_UNORM},
	};

	_Static_assert(sizeof(struct gpu_draw_vertex) == 24, "the attributes above");
	virgl_create_blend(stream, HANDLE_BLEND);
	virgl_create_rasterizer(stream, HANDLE_RASTERIZER);
	virgl_create_dsa(stream, HANDLE_DSA);
	virgl_create_vertex_elements(stream, HANDLE_VERTEX_ELEMENTS, attributes, 4);
	virgl_create_surface(stream, HANDLE_SURFACE, GPU_RESOURCE, GPU_FORMAT_B8G8R8X8);
	virgl_create_sampler_view(stream, HANDLE_VIEW, GPU_DRAW_TEXTURE_RESOURCE, GPU_FORMAT_B8G8R8A8);
	virgl_create_sampler_state(stream, HANDLE_SAMPLER);
	virgl_create_shader(stream, HANDLE_VERTEX_SHADER, VIRGL_SHADER_VERTEX, virgl_vertex_shader);
	for (uint32_t shader = 0; shader < VIRGL_FRAGMENT_SHADERS; shader++)
		virgl_create_shader(stream, HANDLE_FRAGMENT_SHADERS + shader, VIRGL_SHADER_FRAGMENT,
				    shader_text((enum virgl_fragment_shader)shader));
}

/* All state that no frame changes. */
static void state_encode(struct virgl_stream *stream, const struct gpu_framebuffer *picture,
			 const struct gpu_framebuffer *texture)
{
	/* OpenGL's rows begin at the bottom; the picture's, as GPU_RESOURCE_Y_0_TOP says, at the top. */
	const uint32_t constants[VIRGL_CONSTANT_WORDS] = {
		[0] = virgl_float(2, picture->width_px << 16),
		[1] = VIRGL_FLOAT_NEGATIVE | virgl_float(2, picture->height_px << 16),
		[4] = virgl_float(1, 1u << 16),
		[5] = virgl_float(1, 1u << 16),
		[6] = virgl_float(1, texture->width_px << 16),
		[7] = virgl_float(1, texture->height_px << 16),
	};

	virgl_bind(stream, VIRGL_BLEND, HANDLE_BLEND);
	virgl_bind(stream, VIRGL_RASTERIZER, HANDLE_RASTERIZER);
	virgl_bind(stream, VIRGL_DSA, HANDLE_DSA);
	virgl_bind(stream, VIRGL_VERTEX_ELEMENTS, HANDLE_VERTEX_ELEMENTS);
	virgl_bind_shader(stream, HANDLE_VERTEX_SHADER, VIRGL_SHADER_VERTEX);
	virgl_set_framebuffer(stream, HANDLE_SURFACE);
	virgl_set_viewport(stream, picture->width_px, picture->height_px);
	virgl_set_texture(stream, HANDLE_VIEW, HANDLE_SAMPLER);
	virgl_set_vertex_buffer(stream, GPU_DRAW_VERTEX_RESOURCE, sizeof(struct gpu_draw_vertex));
	virgl_set_constants(stream, constants, VIRGL_CONSTANT_WORDS);
}

static int setup_run(struct gpu *gpu, const struct gpu_framebuffer *texture)
{
	struct virgl_stream stream = {heap_alloc(4ul * SETUP_WORDS, 16), 0, SETUP_WORDS, false};
	int error;

	if (!stream.words)
		return gpu_error(ERROR_NOMEM, "no memory for the renderer's objects", GPU_SUBMIT_3D, 0);
	objects_encode(&stream);
	state_encode(&stream, &gpu->framebuffer, texture);
	if (stream.full)
		return gpu_error(ERROR_NOSPACE, "the renderer's objects do not fit", GPU_SUBMIT_3D, stream.count);
	error = submit_add(gpu, &stream);
	return error ? error : gpu_commands_run(gpu, arch_ticks());
}

int gpu_draw_start(struct gpu *gpu, const struct gpu_framebuffer *texture, uint32_t vertices_max, uint32_t batches_max)
{
	const struct gpu_rectangle whole = {0, 0, texture->width_px, texture->height_px};
	const uint32_t bytes = vertices_max * (uint32_t)sizeof(struct gpu_draw_vertex);
	const uint32_t words = FRAME_WORDS + batches_max * BATCH_WORDS + bytes / 4;
	int error;

	frame.stream = (struct virgl_stream){heap_alloc(4ul * words, 16), 0, words, false};
	if (!frame.stream.words)
		return gpu_error(ERROR_NOMEM, "no memory for a frame's commands", GPU_SUBMIT_3D, 0);
	error = texture_add(gpu, texture);
	if (!error)
		error = resource_add(gpu, &(struct gpu_create_3d){.resource = GPU_DRAW_VERTEX_RESOURCE,
								  .target = VIRGL_TARGET_BUFFER,
								  .format = VIRGL_R8_UNORM,
								  .bind = VIRGL_BIND_VERTEX_BUFFER,
								  .width = bytes,
								  .height = 1});
	if (!error)
		error = gpu_commands_run(gpu, arch_ticks());
	if (!error)
		error = transfer_run(gpu, GPU_TRANSFER_TO_HOST_3D, GPU_DRAW_TEXTURE_RESOURCE, texture->stride_px,
				     &whole);
	return error ? error : setup_run(gpu, texture);
}

int gpu_draw_frame(const struct gpu_draw_vertex *vertices, uint32_t vertex_count, const struct gpu_draw_batch *batches,
		   uint32_t batch_count)
{
	struct virgl_stream *stream = &frame.stream;

	stream->count = 0;
	stream->full = false;
	virgl_write_buffer(stream, GPU_DRAW_VERTEX_RESOURCE, vertices, vertex_count * (uint32_t)sizeof(*vertices));
	frame.scissor = stream->count;
	virgl_set_scissor(stream, &(struct gpu_rectangle){0, 0, 0, 0});
	for (uint32_t i = 0; i < batch_count; i++) {
		virgl_bind_shader(stream, HANDLE_FRAGMENT_SHADERS + batches[i].shader, VIRGL_SHADER_FRAGMENT);
		virgl_draw_triangles(stream, batches[i].first, batches[i].count);
	}
	if (stream->full)
		return gpu_error(ERROR_NOSPACE, "a frame's commands do not fit", GPU_SUBMIT_3D, stream->count);
	return 0;
}

/* Draws the frame within the rectangle, whose rows the renderer counts from the bottom. */
static int draw(struct gpu *gpu, const struct gpu_rectangle *rectangle)
{
	struct virgl_stream scissor = {&frame.stream.words[frame.scissor], 0, SCISSOR_WORDS, false};
	struct gpu_rectangle within = *rectangle;

	within.y = gpu->framebuffer.height_px - rectangle->y - rectangle->height;
	virgl_set_scissor(&scissor, &within);
	return submit_add(gpu, &frame.stream);
}

int gpu_draw_unseen(struct gpu *gpu)
{
	const struct gpu_rectangle whole = {0, 0, gpu->framebuffer.width_px, gpu->framebuffer.height_px};
	int error = draw(gpu, &whole);

	return error ? error : gpu_commands_run(gpu, arch_ticks());
}

int gpu_draw_read(struct gpu *gpu, const struct gpu_rectangle *rectangle)
{
	return transfer_run(gpu, GPU_TRANSFER_FROM_HOST_3D, GPU_RESOURCE, gpu->framebuffer.stride_px, rectangle);
}

static int prepare(struct gpu *gpu)
{
	int error = gpu_path_virgl.prepare(gpu);

	return error ? error : gpu_draw_renderer_print(gpu);
}

static int create(struct gpu *gpu)
{
	return gpu_path_virgl.create(gpu);
}

const struct gpu_path gpu_path_draw = {
	.name = "virgl draw",
	.deadline_ns = DEADLINE_NS,
	.prepare = prepare,
	.create = create,
	.transfer = draw,
};
