/*
 * Deliberate faults, one a build (FAULT=<name>), which prove that the harness can see. Each one is declared once, in
 * the file of its kind, with FAULT_DECLARE; it is then a value of FAULT, and the harness knows what it must be seen as.
 *
 * The hooks below are constant in a FAULT=none kernel, which holds no code of a fault.
 */
#ifndef FAULT_FAULT_H
#define FAULT_FAULT_H

#include "base/registry.h"
#include "options.h"

#include <stdbool.h>
#include <stdint.h>

/* The picture as faults see it. */
struct fault_picture {
	uint32_t *pixels;
	uint32_t width_px, height_px, stride_px;
};

/* What to do with a frame beyond drawing it. */
struct fault_frame_plan {
	uint32_t draw_instead;   /* the frame to draw */
	uint32_t extra_per_cent; /* further drawing, in per cent of the first */
	uint32_t stall_ms;
	bool spoil; /* call the fault's `spoil` after drawing */
};

/* A fault: what it does at each hook. What is zero does nothing there. */
struct fault {
	const char *name;
	const char *seen; /* what the harness sees it as: a word of its tests */
	unsigned code;    /* the harness's exit code */
	/*
	 * Without which it has no effect: "", "blk=", "VIRGL=1", "CURSOR=hw", "DRAW=gpu", "HEADS=2", "pixels" that the
	 * kernel draws itself, or a stage: "latency" or "modes".
	 */
	const char *needs;
	const char *what; /* it does, in words */

	void (*boot)(void); /* before anything is printed */
	/* Before frame plan->draw_instead, the count-th of this run, is drawn; may not return. slow: of the command
	 * line. */
	void (*frame)(struct fault_frame_plan *plan, uint32_t count, uint32_t slow);
	void (*spoil)(struct fault_picture picture);
	/* Periods, in frames. */
	uint32_t skip_transfer, halve_transfer, skip_flush;
	/* Periods, in calls. */
	uint32_t drop_kick, hide_block, spoil_block, change_config;
	/* The frame numbers of records run ahead by 1 for each `lie` frames. */
	uint32_t lie;
	bool leak_descriptors, decline_virgl, late_input, race_cursor, refuse_shader, keep_pitch, one_head;
};

/* FAULT_DECLARE(name, "seen", code, "needs", "what it does", .hook = …, …). */
#define FAULT_DECLARE(word, seen_as, exit_code, without, in_words, ...)                                                \
	extern const struct fault fault_##word;                                                                        \
	const struct fault fault_##word = {#word, seen_as, exit_code, without, in_words, __VA_ARGS__};                 \
	REGISTRY_ADD(faults, const struct fault, fault_##word)

/* 1 of a build with a fault: only FAULT_IS_none has a comma, which moves the 0 to the second place. */
#define FAULT_IS_none ~, 0
#define FAULT_SECOND_(first, second, ...) second
#define FAULT_SECOND(...) FAULT_SECOND_(__VA_ARGS__)
#define FAULT_ANY FAULT_SECOND(OPTION_NAME(FAULT_IS_, FAULT), 1, 1)

#if FAULT_ANY
/* A fault without a declaration does not link. */
#define FAULT_CHOSEN OPTION_NAME(fault_, FAULT)
extern const struct fault FAULT_CHOSEN;
#else
#define FAULT_CHOSEN ((const struct fault){0})
#endif

/* These exist only in kernels with a fault. */
void fault_plan(struct fault_frame_plan *plan, uint32_t count, uint32_t slow);
bool fault_every_call(uint32_t period);
bool fault_every_frame(uint32_t period);

#define FAULT_CALL(hook) (FAULT_ANY && FAULT_CHOSEN.hook && fault_every_call(FAULT_CHOSEN.hook))
#define FAULT_FRAME(hook) (FAULT_ANY && FAULT_CHOSEN.hook && fault_every_frame(FAULT_CHOSEN.hook))

/* Before anything is printed. */
static inline void fault_at_boot(void)
{
	if (FAULT_ANY && FAULT_CHOSEN.boot)
		FAULT_CHOSEN.boot();
}

/* Before frame number `frame`, the count-th of this run, is drawn; may not return. */
static inline struct fault_frame_plan fault_at_frame(uint32_t count, uint32_t frame, uint32_t slow)
{
	struct fault_frame_plan plan = {.draw_instead = frame};

	if (FAULT_ANY)
		fault_plan(&plan, count, slow);
	return plan;
}

static inline void fault_after_draw(const struct fault_frame_plan *plan, struct fault_picture picture)
{
	if (FAULT_ANY && plan->spoil)
		FAULT_CHOSEN.spoil(picture);
}

static inline bool fault_drops_kick(void)
{
	return FAULT_CALL(drop_kick);
}

static inline bool fault_leaks_descriptors(void)
{
	return FAULT_CHOSEN.leak_descriptors;
}

static inline bool fault_skips_transfer(void)
{
	return FAULT_FRAME(skip_transfer);
}

static inline bool fault_halves_transfer(void)
{
	return FAULT_FRAME(halve_transfer);
}

static inline bool fault_skips_flush(void)
{
	return FAULT_FRAME(skip_flush);
}

static inline bool fault_declines_virgl(void)
{
	return FAULT_CHOSEN.decline_virgl;
}

/* The generation of a device's configuration counts as changed while a field was read. */
static inline bool fault_changes_config(void)
{
	return FAULT_CALL(change_config);
}

static inline bool fault_spoils_block(void)
{
	return FAULT_CALL(spoil_block);
}

static inline bool fault_hides_block(void)
{
	return FAULT_CALL(hide_block);
}

static inline bool fault_reads_input_late(void)
{
	return FAULT_CHOSEN.late_input;
}

static inline bool fault_races_cursor(void)
{
	return FAULT_CHOSEN.race_cursor;
}

/* One of the shaders is a text that no renderer takes. */
static inline bool fault_refuses_shader(void)
{
	return FAULT_CHOSEN.refuse_shader;
}

/* A new mode is drawn with the pitch of the mode before. */
static inline bool fault_keeps_pitch(void)
{
	return FAULT_CHOSEN.keep_pitch;
}

/* The second head is never given a picture. */
static inline bool fault_forgets_head(void)
{
	return FAULT_CHOSEN.one_head;
}

/* The frame number that the record claims. */
static inline uint32_t fault_recorded_frame(uint32_t count, uint32_t frame)
{
	return FAULT_ANY && FAULT_CHOSEN.lie ? frame + count / FAULT_CHOSEN.lie : frame;
}

#endif
