/* Faults of input. */
#include "fault/fault.h"

FAULT_DECLARE(late_input, "late", 3, "latency",
	      "the keyboard is read behind the drawing: what came before a frame is in the frame after it",
	      .late_input = true);
