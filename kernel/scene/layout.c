#include "base/minmax.h"
#include "scene/framestamp.h"
#include "scene/roulette_scene.h"

static struct canvas_rect centred(int32_t cx, int32_t width, int32_t y0, int32_t y1)
{
	return (struct canvas_rect){cx - width / 2, y0, cx - width / 2 + width, y1};
}

/* From the top: stamp, title, wheel, banner, stamp, with the same gap between them. */
struct layout layout_of(uint32_t width_px, uint32_t height_px)
{
	struct layout layout = {.width = (int32_t)width_px, .height = (int32_t)height_px};
	int32_t unit = min32(layout.height, layout.width * 3 / 4);
	int32_t gap = unit / 40, frame, top, bottom, outer;

	layout.cell = max32(unit / 150, 2);
	frame = layout.cell * 3;
	layout.cx = layout.width / 2;
	top = FRAMESTAMP_HEIGHT + gap + FONT_ROWS * layout.cell;
	layout.title = centred(layout.cx, font_width(LAYOUT_TITLE) * layout.cell, FRAMESTAMP_HEIGHT + gap, top);
	bottom = layout.height - FRAMESTAMP_HEIGHT - gap - FONT_ROWS * layout.cell - 2 * frame;
	layout.banner = centred(layout.cx, (font_width(BANNER_OPEN) + 6) * layout.cell, bottom,
				bottom + FONT_ROWS * layout.cell + 2 * frame);

	layout.cy = (top + bottom) / 2 + gap / 4;
	outer = min32((bottom - top) / 2 - gap, layout.width / 2 - 2 * gap);
	layout.rim = outer;
	layout.radius = outer - max32(outer * 7 / 64, 8);
	layout.ring = layout.radius * 39 / 64;
	layout.hub = layout.radius * 14 / 64;
	layout.tip = layout.radius * 57 / 64;
	layout.shadow = gap * 3 / 4;
	layout.diamond = min32((layout.cx - outer) / 10, outer / 12);
	layout.label_cell_q8 = layout.radius * 4;
	layout.disc = (struct canvas_rect){layout.cx - layout.radius - 1, layout.cy - layout.radius - 1,
					   layout.cx + layout.radius + 1, layout.cy + layout.radius + 1};
	layout.pointer = (struct canvas_rect){layout.cx - layout.radius / 8, 0, layout.cx + layout.radius / 8,
					      layout.cy - layout.tip + POINTER_OUTLINE};
	return layout;
}
