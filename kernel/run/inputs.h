/*
 * The keyboard of input=1, as the frame loop has it: read once a frame, as late as a frame can still show it. Inputs
 * are numbered by the keys pressed, from 1.
 *
 * Context: the boot CPU.
 */
#ifndef RUN_INPUTS_H
#define RUN_INPUTS_H

#include "run/record.h"

#include <stdbool.h>

/* Finds the keyboard; says why when there is none. */
bool inputs_start(void);
/* Right before a frame is drawn: what has arrived is in this frame. */
bool inputs_before_draw(struct record_frame *record);
/* Right behind the drawing. */
bool inputs_after_draw(void);
void inputs_summary(struct record_summary *summary);

#endif
