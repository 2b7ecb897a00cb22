/* Faults of modes and heads. */
#include "fault/fault.h"

FAULT_DECLARE(old_pitch, "pitch", 3, "modes", "a new mode is drawn with the pitch of the mode before",
	      .keep_pitch = true);
FAULT_DECLARE(one_head, "head", 3, "HEADS=2", "the second head is never given a picture", .one_head = true);
