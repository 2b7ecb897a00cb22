/* Faults of the drivers: commands, notifications, descriptors, blocks. */
#include "fault/fault.h"

FAULT_DECLARE(tear, "torn", 3, "", "the upper half of every 5th frame is not transferred", .halve_transfer = 5);
FAULT_DECLARE(skip_transfer, "sources", 3, "", "every 20th frame is flushed, but not transferred", .skip_transfer = 20);
FAULT_DECLARE(skip_flush, "sources", 3, "", "every 20th frame is transferred, but not flushed", .skip_flush = 20);
FAULT_DECLARE(lost_kick, "rekicks", 3, "", "every 50th notification is not sent", .drop_kick = 50);
FAULT_DECLARE(leak_descriptors, "failed", 3, "", "descriptors are not given back, until none is left",
	      .leak_descriptors = true);
FAULT_DECLARE(no_virgl, "fallback", 3, "VIRGL=1", "the 2D path is used although the device offers virgl",
	      .decline_virgl = true);
FAULT_DECLARE(cursor_race, "cursor", 3, "CURSOR=hw",
	      "the cursor queue refers to an image that the control queue has not brought yet", .race_cursor = true);
FAULT_DECLARE(refused_shader, "refused", 3, "DRAW=gpu",
	      "one of the shaders is a text that the host's renderer refuses: it draws nothing from then on",
	      .refuse_shader = true);
FAULT_DECLARE(blk_corrupt, "disk", 3, "blk=", "one bit of every 16th block read is changed", .spoil_block = 16);
FAULT_DECLARE(blk_timeout, "timeout", 3, "blk=", "every 16th request to the disk is never shown to it",
	      .hide_block = 16);
FAULT_DECLARE(config_changes, "disk", 3, "blk=", "the disk's configuration changes during every read",
	      .change_config = 1);
