/*
 * A stand-in for a kernel that somebody else wrote: small, with one virtio-gpu driver and one habit at a time. Nothing
 * here is shared with kernel/. habits.c lists the guests; -DGUEST=name chooses one.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUFFERS 2
#define MODE_WIDTH_PX 640
#define MODE_HEIGHT_PX 480
#define PIXELS_MAX (800 * 608)

/* How the driver waits for the device. */
enum guest_wait {
	WAIT_POLL,       /* reads used->idx until it moves, for a second at most */
	WAIT_ITERATIONS, /* a number of turns, whatever time they take */
	WAIT_FENCED,     /* a full fence before every read */
	WAIT_MMIO,       /* reads a register of the device in every turn */
	WAIT_DELAY,      /* a fixed time, without a look */
	WAIT_NEVER,      /* goes on with the same buffers at once */
};

/* What of a frame is transferred, and what flushed. */
enum guest_show {
	SHOW_WHOLE,     /* all of it, in one batch */
	SHOW_STEPS,     /* all of it, one command a notification */
	SHOW_DIRTY,     /* what changed */
	SHOW_BANDS,     /* eight bands, each transferred and flushed */
	SHOW_TWICE,     /* all of it, flushed twice */
	SHOW_FLIP,      /* all of it, into the buffer that is not shown; then the scanout is set to that one */
	SHOW_PIXELS,    /* small pieces, each followed by a flush of all */
	SHOW_UNFLUSHED, /* all of it is transferred, and every third time flushed */
};

enum guest_picture {
	PICTURE_WAVE,   /* everything changes */
	PICTURE_BOX,    /* a box moves */
	PICTURE_STATIC, /* nothing changes after the first frame */
	PICTURE_DITHER, /* a dithered desktop, on which a box moves */
	PICTURE_TEXT,   /* lines of letters that scroll */
	PICTURE_BLANK,  /* one colour */
};

struct guest_habits {
	const char *name;
	enum guest_wait wait;
	enum guest_show show;
	enum guest_picture picture;
	uint32_t period_ms;       /* 0: as fast as it can */
	uint32_t tick_ms;         /* each frame begins at a timer tick; the CPU rests until then, where it can */
	uint32_t frames;          /* then the machine is switched off; 0: never */
	uint32_t stride_extra_px; /* rows are this much longer in memory than the device is told */
	uint32_t torn_every;      /* one frame in this many shows the frame before in its upper half */
	uint32_t logo_ms;         /* something else is shown first */
	uint32_t mode_after;      /* frames until another resolution is set */
	uint32_t mode_every;      /* frames between two changes of the resolution, to and fro */
	uint32_t still_after;     /* frames until nothing is drawn any more */
	uint32_t turns;           /* of WAIT_ITERATIONS */
	uint32_t draws;           /* how often each frame is drawn; many make the device's part small */
	bool swapped;             /* red and blue */
	bool draw_once;           /* the same picture is shown again and again, as fast as it can */
	bool unchecked;           /* each frame sends a command that is refused, and goes on */
	bool asks;                /* reads registers of the device before each notification, none while it waits */
	bool late_publish;        /* the index is stored before the ring's entry */
	bool cursor;              /* a cursor moves */
	bool cursor_early;        /* a cursor is set before its picture was transferred */
	bool prompt;              /* waits at a prompt until somebody types */
	bool chatty;              /* colours, long lines, and bytes that are not text, on the serial line */
	bool silent;              /* prints nothing */
	bool second_head;         /* sets a second scanout, and flushes it as well */
	bool stamp;               /* frame_stamp.h */
	bool panics;              /* after half a second */
	bool columns;             /* draws column by column: each pixel is on another page than the one before */
	bool forgets;             /* forgets its translations after each of the first frames */
	bool lottery;             /* does so in one launch of two, as chance has it */
};

/* habits.c. The guest that this image is; NULL when its name is not in the list. */
const struct guest_habits *guest_chosen(void);

struct rectangle {
	uint32_t x, y, width, height;
};

/* What is drawn into: rows of stride_px pixels, 0x00RRGGBB. */
struct picture {
	uint32_t *pixels;
	uint32_t width_px, height_px, stride_px;
};

/* picture.c. Draws a frame whole, and says what of it differs from the frame before. */
struct rectangle picture_draw(const struct picture *picture, const struct guest_habits *guest, uint32_t frame);

/* machine_*.c: what differs between machines. */
void machine_start(void);
void machine_put(char c);
bool machine_typed(char *c);
uint64_t machine_now_us(void);
/* Lets the CPU rest until a time, where it can be woken; waits busily where not. */
void machine_rest_until_us(uint64_t until_us);
void machine_fence(void);
/* Forgets every translation of an address; QEMU chooses a new size for its table then. */
void machine_forget(void);
_Noreturn void machine_off(void);

void say(const char *text);
_Noreturn void give_up(const char *why);

#endif
