#include "scene/roulette.h"

#include "scene/framestamp.h"
#include "scene/roulette_scene.h"

uint32_t roulette_size(void)
{
	return sizeof(struct roulette);
}

int roulette_init(struct roulette *roulette, uint32_t width_px, uint32_t height_px, uint32_t seed)
{
	if (width_px < ROULETTE_WIDTH_MIN || width_px > ROULETTE_WIDTH_MAX || height_px < ROULETTE_HEIGHT_MIN ||
	    height_px > ROULETTE_HEIGHT_MAX)
		return -1;
	roulette->layout = layout_of(width_px, height_px);
	roulette->seed = seed;
	return text_render(roulette) || backdrop_render(roulette) ? -1 : 0;
}

/* Everything but the stamps, within a rectangle. */
static void draw_within(const struct frame_view *view, struct canvas_rect clip)
{
	wheel_draw(view, clip);
	backdrop_draw(view, clip);
	label_draw_all(view, canvas_clip(clip, view->roulette->layout.disc));
	banner_draw(view, clip);
}

static struct canvas_rect between_strips(const struct layout *layout)
{
	return (struct canvas_rect){0, FRAMESTAMP_HEIGHT, layout->width, layout->height - FRAMESTAMP_HEIGHT};
}

void roulette_draw(const struct roulette *roulette, const struct canvas *canvas, uint32_t frame)
{
	struct frame_view view = {.roulette = roulette, .canvas = canvas, .spin = spin_at(roulette->seed, frame)};

	framestamp_draw(canvas, frame, FRAMESTAMP_TOP);
	draw_within(&view, between_strips(&roulette->layout));
	framestamp_draw(canvas, frame, FRAMESTAMP_BOTTOM);
}

void roulette_draw_part(const struct roulette *roulette, const struct canvas *canvas, uint32_t frame,
			struct canvas_rect part)
{
	struct frame_view view = {.roulette = roulette, .canvas = canvas, .spin = spin_at(roulette->seed, frame)};

	draw_within(&view, canvas_clip(part, between_strips(&roulette->layout)));
}

static void damage_add(struct roulette_damage *damage, struct canvas_rect rect)
{
	damage->rects[damage->count++] = rect;
}

/* While the wheel rests only the winner glows: it lies within 30 degrees of the top. */
static struct canvas_rect winner_rect(const struct layout *layout)
{
	return (struct canvas_rect){layout->cx - layout->radius / 2 - 2, layout->disc.y0,
				    layout->cx + layout->radius / 2 + 2, layout->cy};
}

static void redraw_disc(struct frame_view *view, struct canvas_rect rect, struct roulette_damage *damage)
{
	damage_add(damage, rect);
	view->turning_only = true;
	wheel_draw(view, rect);
	backdrop_draw(view, rect);
	label_draw_all(view, rect);
}

static void redraw_banner(struct frame_view *view, struct roulette_damage *damage)
{
	struct canvas_rect rect = banner_inside(&view->roulette->layout);

	damage_add(damage, rect);
	view->turning_only = false;
	wheel_draw(view, rect);
	backdrop_draw(view, rect);
	banner_draw(view, rect);
}

void roulette_draw_dirty(const struct roulette *roulette, const struct canvas *canvas, uint32_t previous,
			 uint32_t frame, struct roulette_damage *damage)
{
	struct spin before = spin_at(roulette->seed, previous), now = spin_at(roulette->seed, frame);
	struct frame_view view = {.roulette = roulette, .canvas = canvas, .spin = now};

	damage->count = 0;
	if (previous == frame)
		return;
	damage_add(damage, framestamp_rect(canvas->height_px, FRAMESTAMP_TOP));
	framestamp_draw(canvas, frame, FRAMESTAMP_TOP);
	if (before.angle != now.angle || before.winner != now.winner)
		redraw_disc(&view, roulette->layout.disc, damage);
	else if (before.glow != now.glow)
		redraw_disc(&view, winner_rect(&roulette->layout), damage);
	if (before.phase != now.phase || before.winner != now.winner)
		redraw_banner(&view, damage);
	damage_add(damage, framestamp_rect(canvas->height_px, FRAMESTAMP_BOTTOM));
	framestamp_draw(canvas, frame, FRAMESTAMP_BOTTOM);
}
