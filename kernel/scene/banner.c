#include "scene/colour.h"
#include "scene/palette.h"
#include "scene/roulette_scene.h"
#include "scene/segment.h"

/* Everything within the gold edge. */
struct canvas_rect banner_inside(const struct layout *layout)
{
	int32_t edge = (layout->cell + 1) / 2;

	return (struct canvas_rect){layout->banner.x0 + edge, layout->banner.y0 + edge, layout->banner.x1 - edge,
				    layout->banner.y1 - edge};
}

/* Fills what lies within the edge; the cut corners' steps of one pixel are half edge, half paper. */
static void paper_draw(const struct frame_view *view, struct canvas_rect clip, uint32_t paper)
{
	const struct layout *layout = &view->roulette->layout;
	struct canvas_rect inside = banner_inside(layout);
	int32_t cut = 2 * layout->cell - (layout->cell + 1) / 2 * 150 / 256;

	for (int32_t y = clip.y0; y < clip.y1; y++) {
		int32_t from_end = y - inside.y0 < inside.y1 - 1 - y ? y - inside.y0 : inside.y1 - 1 - y;
		int32_t inset = cut - 1 - from_end;
		struct canvas_rect row = {inside.x0, y, inside.x1, y + 1}, half;

		if (inset >= 0) {
			half = (struct canvas_rect){inside.x0 + inset, y, inside.x1 - inset, y + 1};
			canvas_fill(view->canvas, canvas_clip(half, clip),
				    colour_mix(paper, PALETTE_GOLD, COLOUR_ONE / 2));
			row.x0 += inset + 1;
			row.x1 -= inset + 1;
		}
		canvas_fill(view->canvas, canvas_clip(row, clip), paper);
	}
}

static void result_text(char *text, uint32_t winner)
{
	const char *colour = segment_is_red(winner) ? BANNER_RED : BANNER_BLACK;

	while (*colour)
		*text++ = *colour++;
	text_number(text, winner + 1);
}

void banner_draw(const struct frame_view *view, struct canvas_rect clip)
{
	const struct layout *layout = &view->roulette->layout;
	struct canvas_rect inside = canvas_clip(banner_inside(layout), clip);
	uint32_t paper = PALETTE_BANNER, ink = PALETTE_GOLD;
	char text[16] = BANNER_OPEN;
	const char *shown = text;

	if (inside.x0 >= inside.x1 || inside.y0 >= inside.y1)
		return;
	if (view->spin.phase == SPIN_SLOWER) {
		shown = BANNER_CLOSED;
	} else if (view->spin.phase == SPIN_REST) {
		result_text(text, view->spin.winner);
		paper = segment_is_red(view->spin.winner) ? PALETTE_RED : PALETTE_BLACK;
		ink = PALETTE_GOLD_LIGHT;
	}
	if (view->spin.phase == SPIN_REST)
		paper_draw(view, inside, paper);
	text_draw(view, shown, inside, layout->cx - font_width(shown) * layout->cell / 2,
		  layout->banner.y0 + 3 * layout->cell, paper, ink);
}
