#include "run/recording.h"

#include "base/string.h"

void recording_init(struct recording *recording, struct record_frame *ring, uint32_t capacity)
{
	*recording = (struct recording){.ring = ring, .capacity = capacity};
}

struct record_frame *recording_next(struct recording *recording)
{
	/* A full ring gives up its oldest record for the new one now: whether that is kept or not, its slot is used. */
	if (recording->written - recording->taken == recording->capacity) {
		recording->taken++;
		recording->lost++;
	}
	return memset(&recording->ring[recording->written % recording->capacity], 0, sizeof(struct record_frame));
}

void recording_keep(struct recording *recording)
{
	recording->written++;
}

const struct record_frame *recording_take(struct recording *recording)
{
	if (recording->taken == recording->written)
		return NULL;
	return &recording->ring[recording->taken++ % recording->capacity];
}

void recording_skip_to(struct recording *recording, uint64_t newest)
{
	if (recording->written - recording->taken > newest)
		recording->taken = recording->written - newest;
}
