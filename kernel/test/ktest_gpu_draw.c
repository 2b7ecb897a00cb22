/* drivers/virtio/gpu_virgl_encode, word by word, and gpu_virgl_draw against a modelled device. */
#include "test/ktest.h"

#include "base/string.h"
#include "drivers/virtio/gpu_virgl_draw.h"
#include "drivers/virtio/gpu_virgl_encode.h"
#include "options.h"
#include "test/gpudevice.h"

#define WORDS 64
#define SHORT_NS 2000000ull

static uint32_t words[WORDS];
static struct virgl_stream stream;
static struct gpu gpu;

static void begin(void)
{
	stream = (struct virgl_stream){words, 0, WORDS, false};
}

static bool holds(const uint32_t *wanted, uint32_t count)
{
	return !stream.full && stream.count == count && !memcmp(words, wanted, 4ul * count);
}

#define HOLDS(...) holds((const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

static void floats(void)
{
	ktest_check(virgl_float(0, 7) == 0 && virgl_float(1, 1) == 0x3f800000 && virgl_float(3, 2) == 0x3fc00000,
		    "0, 1 and 1.5 as floats");
	ktest_check(virgl_float(1, 65536) == 0x37800000 && virgl_float(1920, 2) == 0x44700000,
		    "1/65536 and 960 as floats");
	ktest_check(virgl_float(1, 3) == 0x3eaaaaab && virgl_float(2, 3) == 0x3f2aaaab, "a third is rounded");
	ktest_check(virgl_float(0xffffffff, 1) == 0x4f800000, "rounding up carries into the exponent");
	ktest_check(virgl_float(1, 0xffffffff) == 0x2f800000, "and the smallest quotient is a float");
}

static void objects(void)
{
	static const struct virgl_attribute attributes[] = {{0, 45}, {8, 67}};

	begin();
	virgl_create_blend(&stream, 1);
	ktest_check(HOLDS(0x000b0101, 1, 0, 0, 0x7cc22611, 0, 0, 0, 0, 0, 0, 0),
		    "a blend object: one and the rest of the opacity");
	begin();
	virgl_create_rasterizer(&stream, 2);
	ktest_check(HOLDS(0x00090201, 2, 0x20004002, 0x3f800000, 0, 0, 0x3f800000, 0, 0, 0), "a rasterizer");
	begin();
	virgl_create_dsa(&stream, 3);
	ktest_check(HOLDS(0x00050301, 3, 0, 0, 0, 0), "no test of depth");
	begin();
	virgl_create_vertex_elements(&stream, 4, attributes, 2);
	ktest_check(HOLDS(0x00090501, 4, 0, 0, 0, 45, 8, 0, 0, 67), "two attributes of a vertex");
	begin();
	virgl_create_surface(&stream, 5, 1, 2);
	ktest_check(HOLDS(0x00050801, 5, 1, 2, 0, 0), "a surface");
	begin();
	virgl_create_sampler_view(&stream, 6, 3, 1);
	ktest_check(HOLDS(0x00060601, 6, 3, 1, 0, 0, 0x688), "a view of a texture");
	begin();
	virgl_create_sampler_state(&stream, 7);
	ktest_check(HOLDS(0x00090701, 7, 0x1092, 0, 0, 0, 0, 0, 0, 0), "the nearest texel, to the edge");
	begin();
	virgl_create_shader(&stream, 8, 1, "FRAG\n");
	ktest_check(HOLDS(0x00070401, 8, 1, 6, 300, 0, 0x47415246, 0x0000000a), "a shader's text, with its zero");
}

static void state(void)
{
	static const uint32_t constants[2] = {0x3f800000, 0x40000000};

	begin();
	virgl_bind(&stream, VIRGL_DSA, 3);
	virgl_bind_shader(&stream, 8, 1);
	virgl_set_framebuffer(&stream, 5);
	ktest_check(HOLDS(0x00010302, 3, 0x0002001f, 8, 1, 0x00030005, 1, 0, 5), "objects are bound");
	begin();
	virgl_set_viewport(&stream, 1024, 768);
	ktest_check(HOLDS(0x00070004, 0, 0x44000000, 0x43c00000, 0x3f000000, 0x44000000, 0x43c00000, 0x3f000000),
		    "a viewport");
	begin();
	virgl_set_scissor(&stream, &(struct gpu_rectangle){16, 32, 100, 200});
	virgl_set_vertex_buffer(&stream, 4, 24);
	ktest_check(HOLDS(0x0003000f, 0, 0x00200010, 0x00e80074, 0x00030006, 24, 0, 4), "a scissor, a vertex buffer");
	begin();
	virgl_set_texture(&stream, 6, 7);
	virgl_set_constants(&stream, constants, 2);
	ktest_check(HOLDS(0x0003000a, 1, 0, 6, 0x00030012, 1, 0, 7, 0x0004000c, 0, 0, 0x3f800000, 0x40000000),
		    "a texture and constants");
	begin();
	virgl_write_buffer(&stream, 4, constants, 8);
	virgl_draw_triangles(&stream, 6, 9);
	ktest_check(HOLDS(0x000d0009, 4, 0, 0, 0, 0, 0, 0, 0, 8, 1, 1, 0x3f800000, 0x40000000, 0x000c0008, 6, 9, 4, 0,
			  1, 0, 0, 0, 0, 6, 14, 0),
		    "vertices and three triangles of them");
}

static void bounds(void)
{
	static const uint32_t data[WORDS];

	begin();
	stream.capacity = 5;
	virgl_create_dsa(&stream, 3);
	ktest_check(stream.full && stream.count == 5, "a full stream takes no word, and says so");
	begin();
	virgl_write_buffer(&stream, 4, data, sizeof(data));
	ktest_check(stream.full && stream.count <= WORDS, "nor data that do not fit");
	begin();
	virgl_write_buffer(&stream, 4, data, 0x40000);
	ktest_check(stream.full, "nor a command longer than its length can say");
}

static const struct gpu_draw_vertex triangle[3] = {{0, 0, 0, 0, 1, 2}, {65536, 0, 0, 0, 1, 2}, {0, 65536, 0, 0, 1, 2}};
static const struct gpu_draw_batch batch = {VIRGL_LABEL, 0, 3};

static int start(void)
{
	static uint32_t pixels[16];
	const struct gpu_framebuffer texture = {pixels, 4, 4, 4};
	int error;

	gpudevice_meet(&gpu, &gpu_path_draw);
	error = gpu_start(&gpu, GPUDEVICE_WIDTH, GPUDEVICE_HEIGHT);
	gpu.deadline_ns = SHORT_NS;
	return error ? error : gpu_draw_start(&gpu, &texture, 3, 1);
}

/* The command in what the renderer was told, and its words; NULL where there is none. */
static const uint32_t *told(uint32_t command)
{
	const uint32_t *at = gpudevice.stream, *end = at + gpudevice.stream_bytes / 4;

	for (; at < end; at += 1 + (*at >> 16)) {
		if ((*at & 0xff) == command)
			return at;
	}
	return NULL;
}

static void starts(void)
{
	ktest_check(!start() && gpudevice.context && gpudevice.shown && !gpudevice.strays,
		    "a texture is shown, into which the renderer draws");
	ktest_check(gpudevice.others == 2 && gpudevice.other_transfers == 1 && !gpudevice.transfers,
		    "one more for the texture, which is uploaded once, and one for the vertices");
	ktest_check(gpudevice.submits == 1 && told(VIRGL_SET_FRAMEBUFFER_STATE) && told(VIRGL_CREATE_OBJECT) &&
			    !told(VIRGL_DRAW_VBO),
		    "the renderer has its objects, and draws nothing yet");
}

static void frames(void)
{
	const struct gpu_rectangle whole = {0, 0, GPUDEVICE_WIDTH, GPUDEVICE_HEIGHT}, part = {0, 24, 64, 16};
	const uint32_t *scissor;

	ktest_check(!start() && !gpu_draw_frame(triangle, 3, &batch, 1) && !gpu_present(&gpu, &whole, 1),
		    "a frame is drawn");
	scissor = told(VIRGL_SET_SCISSOR_STATE);
	ktest_check(gpudevice.submits == 2 && gpudevice.flushes == 1 && !gpudevice.transfers && !gpudevice.strays,
		    "one command to draw it, one flush, and no pixel of it is transferred");
	ktest_check(scissor && scissor[2] == 0 && scissor[3] == (GPUDEVICE_WIDTH | GPUDEVICE_HEIGHT << 16),
		    "within the whole picture");
	ktest_check(told(VIRGL_DRAW_VBO) && told(VIRGL_DRAW_VBO)[2] == 3 && told(VIRGL_RESOURCE_INLINE_WRITE) &&
			    !memcmp(told(VIRGL_RESOURCE_INLINE_WRITE) + 12, triangle, sizeof(triangle)),
		    "with its vertices");
	ktest_check(gpudevice.fenced == (OPTION(GPU_FENCE) == OPTION_GPU_FENCE_on ? 4 : 0), "fenced as GPU_FENCE says");
	ktest_check(!gpu_present(&gpu, &part, 1) && told(VIRGL_SET_SCISSOR_STATE)[2] == 8u << 16 &&
			    gpudevice.flushes == 2,
		    "a part is drawn within its rectangle, rows counted from below");
	ktest_check(gpu_draw_frame(triangle, 3, (const struct gpu_draw_batch[5]){batch, batch, batch, batch, batch},
				   5) == ERROR_NOSPACE,
		    "more than was asked for at the start does not fit");
	ktest_check(gpu.control.queue.free_count == GPUDEVICE_RING, "and no descriptor stays behind");
}

static void reads(void)
{
	const struct gpu_rectangle part = {8, 4, 16, 2};
	bool right = true;

	if (start())
		return;
	for (uint32_t i = 0; i < GPUDEVICE_WIDTH * GPUDEVICE_HEIGHT; i++)
		gpudevice.picture[i] = i;
	ktest_check(!gpu_draw_frame(triangle, 3, &batch, 1) && !gpu_draw_unseen(&gpu) && gpudevice.submits == 2 &&
			    !gpudevice.flushes,
		    "a frame is drawn and not shown");
	ktest_check(!gpu_draw_read(&gpu, &part) && !gpudevice.strays, "a part of the picture is read back");
	for (uint32_t x = 8; x < 24; x++)
		right = right && gpu.framebuffer.pixels[5 * GPUDEVICE_WIDTH + x] == 5 * GPUDEVICE_WIDTH + x;
	ktest_check(right && !gpu.framebuffer.pixels[6 * GPUDEVICE_WIDTH + 8], "to its place");
}

/* Also of a name that fills its place, without a zero, and of one that would move a terminal's cursor. */
static void names(void)
{
	static const char *const told_names[] = {
		"llvmpipe (LLVM 15.0.6, 256 bits)",
		"a renderer whose name is as long as the place that there is for a name, or longer",
		"\x1b[2J",
	};
	bool fine = true;

	for (uint32_t i = 0; i < sizeof(told_names) / sizeof(told_names[0]); i++) {
		gpudevice_meet(&gpu, &gpu_path_draw);
		gpudevice.renderer = told_names[i];
		fine = fine && !gpu_start(&gpu, GPUDEVICE_WIDTH, GPUDEVICE_HEIGHT) && !gpudevice.strays;
	}
	ktest_check(fine, "the renderer's name is asked for, whatever it is");
}

static void refusals(void)
{
	const struct gpu_rectangle whole = {0, 0, GPUDEVICE_WIDTH, GPUDEVICE_HEIGHT};

	if (start() || gpu_draw_frame(triangle, 3, &batch, 1))
		return;
	gpudevice.only = GPU_SUBMIT_3D;
	gpudevice.manner = GPUDEVICE_RESPONDS_ERROR;
	ktest_check(gpu_present(&gpu, &whole, 1) == ERROR_RESPONSE, "a refused frame is an error");
	gpudevice.manner = GPUDEVICE_SILENT;
	ktest_check(gpu_present(&gpu, &whole, 1) == ERROR_TIMEOUT, "so is none before the deadline");
}

static void run(void)
{
	floats();
	objects();
	state();
	bounds();
	starts();
	frames();
	reads();
	names();
	refusals();
}

KTEST_SUITE(gpu_draw, run);
