/*
 * Another size of the picture while frames are drawn (MODES=on): the display's wish is followed between two frames.
 *
 * Context: the frame loop. What was done is printed, one line each; a size that cannot be is refused, and the run goes
 * on in its mode.
 */
#ifndef RUN_MODES_H
#define RUN_MODES_H

#include "drivers/virtio/gpu.h"
#include "scene/roulette.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Before frame `frame` is begun: scene and canvas become those of another mode where the display wants one. False where
 * the device does not work any more.
 */
bool modes_follow(struct gpu *gpu, struct roulette **scene, struct canvas *canvas, uint32_t seed, uint32_t frame);
/* Whether nothing was drawn on the canvas since it is there: for the frame that modes_follow was called for. */
bool modes_fresh(void);

#endif
