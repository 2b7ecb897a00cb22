/* What a PVH loader hands over (Xen's public/arch-x86/hvm/start_info.h, version 1). Pure, boot CPU. */
#ifndef FIRMWARE_PVH_H
#define FIRMWARE_PVH_H

#include <stdbool.h>
#include <stdint.h>

struct pvh_start_info {
	uint32_t magic, version, flags, modules_count;
	uint64_t modules, command_line, rsdp, memory_map;
	uint32_t memory_map_entries, reserved;
};

struct pvh_memory {
	uint64_t start, size;
	uint32_t type, reserved;
};

#define PVH_MAGIC 0x336ec578u
#define PVH_MEMORY_RAM 1u

/* Whether this is what it should be, in a version that has a memory map. */
bool pvh_is_valid(const struct pvh_start_info *info);

/* The largest run of whole pages of RAM inside of [floor, ceiling); start = end when there is none. */
struct pvh_run {
	uint64_t start, end;
};
struct pvh_run pvh_largest_run(const struct pvh_memory *map, uint32_t entries, uint64_t floor, uint64_t ceiling);

#endif
