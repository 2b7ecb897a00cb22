#include "scene/canvas.h"

#include "base/minmax.h"
#include "scene/canvas_row.h"

struct canvas_rect canvas_clip(struct canvas_rect a, struct canvas_rect b)
{
	return (struct canvas_rect){max32(a.x0, b.x0), max32(a.y0, b.y0), min32(a.x1, b.x1), min32(a.y1, b.y1)};
}

void canvas_span(const struct canvas *canvas, int32_t y, int32_t x0, int32_t x1, uint32_t colour)
{
	if (y < 0 || y >= (int32_t)canvas->height_px)
		return;
	x0 = max32(x0, 0);
	x1 = min32(x1, (int32_t)canvas->width_px);
	if (x0 < x1)
		canvas_row_fill(canvas_row(canvas, y) + x0, x1 - x0, colour);
}

void canvas_fill(const struct canvas *canvas, struct canvas_rect rect, uint32_t colour)
{
	int32_t y1 = min32(rect.y1, (int32_t)canvas->height_px);

	for (int32_t y = max32(rect.y0, 0); y < y1; y++)
		canvas_span(canvas, y, rect.x0, rect.x1, colour);
}
