/*
 * What roulette_init prepares and the scene's own files share. No other file includes this, except to know the size of
 * struct roulette.
 *
 * All that stands still (felt, title, rim, hub, pointer, the banner's frame) is rendered once, into runs of pixels;
 * each frame computes only what turns. All lengths are in pixels; (cx, cy) is a corner of pixels, not the middle of
 * one.
 */
#ifndef SCENE_ROULETTE_SCENE_H
#define SCENE_ROULETTE_SCENE_H

#include "scene/canvas.h"
#include "scene/font.h"
#include "scene/roulette.h"
#include "scene/spin.h"

#include <stdbool.h>
#include <stdint.h>

#define LAYOUT_TITLE "ROULETTE"
#define BANNER_OPEN "PLACE YOUR BETS"
#define BANNER_CLOSED "NO MORE BETS"
#define BANNER_RED "RED "
#define BANNER_BLACK "BLACK "

struct layout {
	int32_t width, height;
	int32_t cx, cy;
	int32_t radius; /* of the segments */
	int32_t rim;    /* outer radius of the rim around them */
	int32_t ring;   /* radius of the ring between numbers and inner cone */
	int32_t hub;
	int32_t tip;     /* of the pointer, above the centre */
	int32_t shadow;  /* how far the rim's shadow reaches */
	int32_t diamond; /* half the width of those beside the wheel, halved */
	int32_t cell;    /* of title and banner text */
	int32_t label_cell_q8;
	struct canvas_rect title, banner;
	struct canvas_rect disc;    /* around everything that turns */
	struct canvas_rect pointer; /* around it and its outline */
};

/*
 * A run of a row's pixels that stand still, in one word, since drawing reads it whole: bits 0–15 its first column,
 * 16–31 the column behind its last one, 32–63 what it shows. That is
 * - where the column behind is 0: one pixel to blend, multiplied by its coverage; the top byte is the share of what
 * lies below, 1 … 255;
 * - with BACKDROP_PATTERN: two colours in backdrop_pixels that alternate, that of even columns first;
 * - else: as many pixels in backdrop_pixels.
 */
typedef uint64_t backdrop_run;
#define BACKDROP_PATTERN 0x80000000u

static inline int32_t backdrop_run_first(backdrop_run run)
{
	return (int32_t)(run & 0xffff);
}

static inline int32_t backdrop_run_behind(backdrop_run run)
{
	return (int32_t)(run >> 16 & 0xffff);
}

static inline uint32_t backdrop_run_shown(backdrop_run run)
{
	return (uint32_t)(run >> 32);
}

/* Nothing of the pointer is further below its tip than this. */
#define POINTER_OUTLINE 10

#define BACKDROP_RUNS_MAX (16 * ROULETTE_HEIGHT_MAX)
#define BACKDROP_PIXELS_MAX (320 * 1024)
#define MASK_BYTES_MAX (224 * 1024)
#define SPANS_MAX 8192
#define GLYPHS 36

/*
 * Pixels of one coverage in a row of a glyph, in one word for the reason that backdrop_run is one: from bit 0 the first
 * column, from 8 the column behind the last, from 16 the row, from 24 the coverage.
 */
typedef uint32_t text_span;

struct glyph {
	struct font_mask mask;
	const text_span *spans;
	uint32_t span_count;
};

struct roulette {
	struct layout layout;
	uint32_t seed;
	uint32_t felt[ROULETTE_HEIGHT_MAX][2];      /* colours of even and odd pixels of a row */
	uint16_t disc_half[ROULETTE_HEIGHT_MAX];    /* segments reach this far to both sides of cx */
	uint16_t cone_half[ROULETTE_HEIGHT_MAX];    /* the inner cone likewise; 0 where the row does not meet it */
	uint16_t hub_half[ROULETTE_HEIGHT_MAX];     /* half the width that the hub hides whole in this row */
	uint32_t row_runs[ROULETTE_HEIGHT_MAX + 1]; /* row y has runs row_runs[y] … row_runs[y + 1] - 1 */
	backdrop_run runs[BACKDROP_RUNS_MAX];
	uint32_t backdrop_pixels[BACKDROP_PIXELS_MAX];
	struct glyph glyphs[GLYPHS]; /* 0-9, A-Z at layout.cell */
	struct font_mask labels[SPIN_SEGMENTS];
	uint32_t run_count, backdrop_count, mask_count, span_count;
	text_span spans[SPANS_MAX];
	uint8_t masks[MASK_BYTES_MAX];
};

/* One frame being drawn: all that depends on its number. */
struct frame_view {
	const struct roulette *roulette;
	const struct canvas *canvas;
	struct spin spin;
	bool turning_only; /* redraw only the disc: around it the canvas holds what it should */
};

/* layout.c */
struct layout layout_of(uint32_t width_px, uint32_t height_px);

/* What stands still at one pixel. */
struct backdrop_layer {
	uint32_t colour; /* multiplied by its coverage */
	uint32_t rest;   /* share of what lies below, 0 … 256 */
};

/* backdrop.c: the runs of every row. -1 when they do not fit. */
int backdrop_render(struct roulette *roulette);

/* backdrop_draw.c: what stands still, over what turns. */
void backdrop_draw(const struct frame_view *view, struct canvas_rect clip);

/* backdrop_pixel.c: what stands still at one pixel; `rest` is COLOUR_ONE where everything turns. */
void backdrop_felt(struct roulette *roulette);
struct backdrop_layer backdrop_pixel(const struct roulette *roulette, int32_t x, int32_t y);

/* backdrop_wheel.c: the still parts of the wheel at one pixel. */
struct backdrop_layer backdrop_wheel(const struct layout *layout, int32_t x, int32_t y, struct backdrop_layer below);

/* text.c: masks of title, banner and numbers; -1 when they do not fit. */
int text_render(struct roulette *roulette);
void text_number(char *text, uint32_t number);
uint32_t text_level(const struct roulette *roulette, const char *text, int32_t x, int32_t y);
void text_draw(const struct frame_view *view, const char *text, struct canvas_rect clip, int32_t x, int32_t y,
	       uint32_t paper, uint32_t ink);

/* banner.c: the banner. */
void banner_draw(const struct frame_view *view, struct canvas_rect clip);
struct canvas_rect banner_inside(const struct layout *layout);

/* wheel_draw.c: the disc without its numbers. */
void wheel_draw(const struct frame_view *view, struct canvas_rect clip);

/* label.c: the numbers, upright as seen from the rim. */
void label_draw_all(const struct frame_view *view, struct canvas_rect clip);

#endif
