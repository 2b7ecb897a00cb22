#include "firmware/pvh.h"

#define ENTRIES_MAX 128u
#define PAGE 4096ull

bool pvh_is_valid(const struct pvh_start_info *info)
{
	return info->magic == PVH_MAGIC && info->version >= 1;
}

struct pvh_run pvh_largest_run(const struct pvh_memory *map, uint32_t entries, uint64_t floor, uint64_t ceiling)
{
	struct pvh_run best = {0, 0};

	for (uint32_t i = 0; i < entries && i < ENTRIES_MAX; i++) {
		uint64_t start = map[i].start, end = map[i].start + map[i].size;

		if (map[i].type != PVH_MEMORY_RAM || end < start)
			continue;
		start = start < floor ? floor : start;
		end = (end > ceiling ? ceiling : end) & ~(PAGE - 1);
		if (start >= end)
			continue;
		start = (start + PAGE - 1) & ~(PAGE - 1);
		if (end > start && end - start > best.end - best.start)
			best = (struct pvh_run){start, end};
	}
	return best;
}
