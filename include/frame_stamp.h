/*
 * Frame numbers for any kernel: one header, C99 or C++, no libc, no other file. Call frame_stamp_draw() last, before
 * the picture is transferred, and frame_stamp_print() once a frame, outside of what is timed. A target file then says
 *     frame = { by = "stamp" }
 *     serial = { perf = "protocol" }
 * and frame numbers, their order, repeated and torn frames are checked, and the guest's own times against the host's.
 * The layout of a stamp stands in kernel/scene/framestamp.h, the line in kernel/run/serial-protocol.md.
 */
#ifndef FRAME_STAMP_H
#define FRAME_STAMP_H

#include <stdint.h>

#define FRAME_STAMP_ROWS 4u
#define FRAME_STAMP_WIDTH_PX 288u
#define FRAME_STAMP_FIELDS 9u

/* One frame; times are nanoseconds since boot, durations that are not known are 0. */
struct frame_stamp_record {
	uint64_t fences, spins, completions; /* fences and turns of the wait, and answers that it brought */
	uint64_t frame, t_ns;                /* the number in the stamp, and when drawing began */
	uint64_t render_ns, submit_ns, notify_ns, wait_ns;
};

static inline uint32_t frame_stamp_crc(const uint32_t words[4])
{
	uint32_t crc = 0xffffffffu;

	for (unsigned bit = 0; bit < 128; bit++) {
		crc ^= words[bit / 32] >> bit % 32 & 1;
		crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/*
 * Draws the number into the first and the last rows of a framebuffer of 32-bit pixels, any order of channels. Pictures
 * narrower than FRAME_STAMP_WIDTH_PX have no room and stay as they are.
 */
static inline void frame_stamp_draw(void *pixels, uint32_t width_px, uint32_t height_px, uint32_t stride_bytes,
				    uint32_t frame)
{
	for (uint32_t strip = 0; strip < 2 && width_px >= FRAME_STAMP_WIDTH_PX; strip++) {
		const uint32_t words[4] = {frame, width_px, height_px, strip};
		const uint32_t cells[3] = {0xb2000000u, frame, frame_stamp_crc(words)};

		for (uint32_t y = 0; y < FRAME_STAMP_ROWS && y < height_px; y++) {
			uint32_t row = strip ? height_px - 1 - y : y;
			uint32_t *to = (uint32_t *)(void *)((char *)pixels + (uintptr_t)stride_bytes * row);

			for (uint32_t x = 0; x < width_px; x++) {
				uint32_t bit = x / 4 < 8 ? x / 4 : x / 4 + 24; /* 8 bits of sync, then 64 */
				uint32_t lit = x < FRAME_STAMP_WIDTH_PX && cells[bit / 32] >> (31 - bit % 32) & 1;

				to[x] = lit ? 0x003a3a3au : 0x00161616u;
			}
		}
	}
}

/* Without a division: on 32-bit machines that of 64 bits is a call into a library. */
static inline void frame_stamp_number(void (*put)(char), uint64_t value)
{
	int begun = 0;

	for (int place = 19; place >= 0; place--) {
		uint64_t power = 1;
		char digit = '0';

		for (int i = 0; i < place; i++)
			power *= 10;
		for (; value >= power; value -= power)
			digit++;
		begun |= digit != '0' || !place;
		if (begun)
			put(digit);
	}
}

/* Prints one [VIRTIO PERF] line through the caller's output of one character. */
static inline void frame_stamp_print(void (*put)(char), const struct frame_stamp_record *record)
{
	static const char *const names[FRAME_STAMP_FIELDS] = {
		"[VIRTIO PERF] fences=", " spins=",     " completions=", " frame=",  " t_ns=",
		" render_ns=",           " submit_ns=", " notify_ns=",   " wait_ns="};
	const uint64_t values[FRAME_STAMP_FIELDS] = {record->fences,    record->spins,     record->completions,
						     record->frame,     record->t_ns,      record->render_ns,
						     record->submit_ns, record->notify_ns, record->wait_ns};

	for (uint32_t field = 0; field < FRAME_STAMP_FIELDS; field++) {
		for (const char *c = names[field]; *c; c++)
			put(*c);
		frame_stamp_number(put, values[field]);
	}
	put('\n');
}

#endif
