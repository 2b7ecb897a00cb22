#include "run/frameloop.h"

#include "arch/arch.h"
#include "base/heap.h"
#include "base/print.h"
#include "base/string.h"
#include "drivers/virtio/gpu.h"
#include "fault/fault.h"
#include "options.h"
#include "run/blkload.h"
#include "run/hostdraw.h"
#include "run/inputs.h"
#include "run/modes.h"
#include "run/pointer.h"
#include "run/record.h"
#include "run/recording.h"
#include "scene/roulette.h"
#include "scene/spin.h"
#include "sched/load.h"
#include "sched/sched.h"
#include "sync/alarm.h"

/*
 * An endless run prints its records while the wheel rests, so that it does not stutter where it moves. The
 * number of records a frame is such that the rest is long enough for a whole spin.
 */
#define REST_RECORDS (SPIN_FRAMES / SPIN_REST_FRAMES)

/* How often recording one frame is repeated to learn what it costs, and how often a frame reads the clock. */
#define COST_ROUNDS 256u
#define COST_CLOCKS 10u
/* FAULT=slow_draw: bands of a picture, and how many of all its rows' worth of work it takes to begin one. */
#define SLOW_BANDS 2
#define SLOW_BAND_SHARE 96

/* Frames drawn to warm the TLB: QEMU's table has its size after four or five. */
#define TLB_FRAMES 16u

struct frameloop {
	const struct run_params *params;
	struct gpu gpu;
	struct canvas canvas; /* the framebuffer, to draw on */
	struct roulette *scene;
	struct recording recording;
	uint32_t count;    /* frames drawn, warm-up included */
	uint32_t frame;    /* the number of the next one */
	uint32_t shown;    /* the number of the one on the canvas, once count > 0 */
	uint64_t log_ns;   /* of the frame before */
	uint64_t next_due; /* ticks, when paced */
	struct record_summary summary;
	uint64_t window_start;
};

static struct frameloop loop;

static bool loop_init(const struct run_params *params)
{
	const struct gpu_framebuffer *framebuffer;
	struct record_frame *ring = heap_alloc(sizeof(*ring) * PARAMS_RECORDS_MAX, 16);

	loop.params = params;
	loop.frame = params->first;
	loop.scene = heap_alloc(roulette_size(), 16);
	recording_init(&loop.recording, ring, PARAMS_RECORDS_MAX);
	if (!loop.scene || !ring ||
	    roulette_init(loop.scene, params->mode.width_px, params->mode.height_px, params->seed)) {
		print("roulette: no memory for the scene\n");
		return false;
	}
	if (gpu_init(&loop.gpu, params->mode.width_px, params->mode.height_px))
		return false;
	if (OPTION(CURSOR) == OPTION_CURSOR_hw && !pointer_start(&loop.gpu, loop.frame))
		return false;
	framebuffer = &loop.gpu.framebuffer;
	loop.canvas = (struct canvas){framebuffer->pixels, framebuffer->width_px, framebuffer->height_px,
				      framebuffer->stride_px};
	return OPTION(DRAW) != OPTION_DRAW_gpu || hostdraw_start(&loop.gpu, loop.scene, &loop.canvas, loop.frame);
}

static struct fault_picture loop_picture(void)
{
	return (struct fault_picture){loop.canvas.pixels, loop.canvas.width_px, loop.canvas.height_px,
				      loop.canvas.stride_px};
}

/*
 * FAULT=slow_draw: draws `per_cent` of the rows of what was just drawn again. It reads no clock, so that a host that
 * takes the CPU away meanwhile does not change how much slower a frame is, and draws the same rows in every frame, so
 * that all frames are slower alike.
 */
static void draw_again(uint32_t frame, const struct roulette_damage *damage, uint32_t per_cent)
{
	static uint32_t owed[ROULETTE_DAMAGE_MAX]; /* hundredths of rows */

	for (uint32_t i = 0; i < damage->count; i++) {
		struct canvas_rect rect = damage->rects[i], part = rect;
		const uint32_t height = (uint32_t)(rect.y1 - rect.y0), begin = height / SLOW_BAND_SHARE;

		owed[i] += height * per_cent;
		for (; height && owed[i] >= 100 * height; owed[i] -= 100 * height)
			roulette_draw_part(loop.scene, &loop.canvas, frame, rect);
		for (uint32_t band = SLOW_BANDS; band; band--) {
			const uint32_t rows = owed[i] / 100 / band;

			if (rows <= begin)
				continue;
			part.y0 = rect.y0 + (int32_t)(height * (2 * band - 1) / 2 / SLOW_BANDS - (rows - begin) / 2);
			part.y1 = part.y0 + (int32_t)(rows - begin);
			roulette_draw_part(loop.scene, &loop.canvas, frame, part);
			owed[i] -= 100 * rows;
		}
	}
}

/* Draws the next frame and says which part of the canvas has changed. */
static void loop_draw(const struct fault_frame_plan *plan, struct roulette_damage *damage)
{
	const struct canvas *canvas = &loop.canvas;
	if (OPTION(DRAW) == OPTION_DRAW_dirty && loop.count && !(OPTION(MODES) == OPTION_MODES_on && modes_fresh())) {
		roulette_draw_dirty(loop.scene, canvas, loop.shown, plan->draw_instead, damage);
	} else {
		if (OPTION(DRAW) != OPTION_DRAW_gpu)
			roulette_draw(loop.scene, canvas, plan->draw_instead);
		damage->count = 1;
		damage->rects[0] = (struct canvas_rect){0, 0, (int32_t)canvas->width_px, (int32_t)canvas->height_px};
	}
	loop.shown = plan->draw_instead;
	if (plan->extra_per_cent && damage->count)
		draw_again(plan->draw_instead, damage, plan->extra_per_cent);
	fault_after_draw(plan, loop_picture());
}

static bool loop_present(const struct roulette_damage *damage)
{
	struct gpu_rectangle rectangles[ROULETTE_DAMAGE_MAX];

	for (uint32_t i = 0; i < damage->count; i++) {
		const struct canvas_rect *rect = &damage->rects[i];

		rectangles[i] =
			(struct gpu_rectangle){(uint32_t)rect->x0, (uint32_t)rect->y0, (uint32_t)(rect->x1 - rect->x0),
					       (uint32_t)(rect->y1 - rect->y0)};
	}
	return !gpu_present(&loop.gpu, rectangles, damage->count);
}

/* What the ring and the device's responses say of the frame that began with these counters. */
static void record_fill(struct record_frame *record, const struct virtqueue_counters *before)
{
	const struct virtqueue_counters *now = &loop.gpu.control.queue.counters;
	const struct gpu_timing *timing = &loop.gpu.timing;
	/* Statements, not a loop, all reads before all stores: this is a part of every frame. */
#define SINCE(name, sum) [COUNTER_##name] = now->count[COUNTER_##name] - before->count[COUNTER_##name],
	const struct virtqueue_counters since = {{COUNTER_ROWS(SINCE)}, now->halt_ticks - before->halt_ticks};

#define STORE(name, sum) record->count[COUNTER_##name] = since.count[COUNTER_##name];
	COUNTER_ROWS(STORE)
	record->halt_ns = arch_ticks_to_ns(since.halt_ticks);
	record->submit_ns = arch_ticks_to_ns(timing->submit_ticks);
	record->notify_ns = arch_ticks_to_ns(timing->notify_ticks);
	record->wait_ns = arch_ticks_to_ns(timing->wait_ticks);
	record->damage_px = timing->damage_px;
	record->submit_insns = timing->submit_insns;
	record->poll_insns = timing->poll_insns;
	record->complete_insns = timing->complete_insns;
	record->log_ns = loop.log_ns;
}

static void summary_add(const struct record_frame *record)
{
	loop.summary.frames++;
#define SUM(name, sum) SUM_##sum(name)
#define SUM_TOTAL(name) loop.summary.count[COUNTER_##name] += record->count[COUNTER_##name];
#define SUM_FRAME(name)
	COUNTER_ROWS(SUM)
}

/* Waits for the next frame's time with the CPU halted; returns how long that was. */
static uint64_t loop_pace(void)
{
	uint64_t start = arch_ticks(), period_ns, now_ns;
	bool enabled;

	if (!loop.params->pace)
		return 0;
	period_ns = 1000000000ull / loop.params->pace;
	enabled = arch_irq_disable();
	now_ns = arch_ticks_to_ns(start);
	if (!loop.next_due || now_ns > loop.next_due + 4 * period_ns)
		loop.next_due = now_ns;
	loop.next_due += period_ns;
	while (now_ns < loop.next_due) {
		alarm_set(ALARM_WAIT, loop.next_due - now_ns);
		arch_irq_wait();
		now_ns = arch_ticks_to_ns(arch_ticks());
	}
	arch_irq_restore(enabled);
	return arch_ticks_to_ns(arch_ticks() - start);
}

/* What a frame's line has besides, in this run. */
static unsigned loop_groups(void)
{
	return (loop.params->exact ? RECORD_EXACT : 0) | (loop.params->input ? RECORD_INPUT : 0);
}

static void stall(uint32_t ms)
{
	uint64_t start = arch_ticks();

	while (ms && arch_ticks_to_ns(arch_ticks() - start) < ms * 1000000ull)
		arch_relax();
}

/* Draws, presents and, once warmed up, records one frame. */
static bool loop_frame(bool recorded)
{
	struct fault_frame_plan plan = fault_at_frame(loop.count, loop.frame, loop.params->slow);
	struct virtqueue_counters before = loop.gpu.control.queue.counters;
	struct record_frame *record = recording_next(&loop.recording);
	uint64_t start = arch_ticks(), instructions = arch_instructions(), away = sched_current()->away_ticks, drawn;
	struct roulette_damage damage;

	/* Behind the start: what is in the queue when a frame starts is in this frame. */
	if (!inputs_before_draw(record))
		return false;
	loop_draw(&plan, &damage);
	if (OPTION(DRAW) == OPTION_DRAW_gpu && !hostdraw_frame(plan.draw_instead))
		return false;
	stall(plan.stall_ms);
	record->draw_insns = arch_instructions() - instructions;
	drawn = arch_ticks();
	if (!inputs_after_draw() || !loop_present(&damage))
		return false;
	if (OPTION(CURSOR) == OPTION_CURSOR_hw && !pointer_move(loop.frame))
		return false;
	record_fill(record, &before);
	record->frame = fault_recorded_frame(loop.count, loop.frame);
	record->t_ns = arch_ticks_to_ns(start);
	record->render_ns = arch_ticks_to_ns(drawn - start);
	loop.log_ns = 0;
	if (OPTION(LOG) == OPTION_LOG_frame && recorded) {
		uint64_t logged = arch_ticks();

		record_print_frame(record, loop_groups());
		loop.log_ns = arch_ticks_to_ns(arch_ticks() - logged);
	}
	record->sched_ns = arch_ticks_to_ns(sched_current()->away_ticks - away);
	record->idle_ns = loop_pace();
	if (recorded) {
		summary_add(record);
		recording_keep(&loop.recording);
	}
	loop.count++;
	loop.frame++;
	return true;
}

/* The next frame, in the mode that the display wants by then. */
static bool loop_step(bool recorded)
{
	if (OPTION(MODES) == OPTION_MODES_on &&
	    !modes_follow(&loop.gpu, &loop.scene, &loop.canvas, loop.params->seed, loop.frame))
		return false;
	return loop_frame(recorded);
}

/* Prints at most `most` of the newest records that were not printed yet, the oldest of them first. */
static void records_print(uint64_t most)
{
	const struct record_frame *record;

	if (OPTION(LOG) != OPTION_LOG_deferred)
		return;
	recording_skip_to(&loop.recording, loop.params->records);
	for (; most && (record = recording_take(&loop.recording)) != NULL; most--)
		record_print_frame(record, loop_groups());
}

/* What counting and recording add to one frame, learned by doing it again with nothing in between. */
static uint64_t recording_cost_ns(void)
{
	uint64_t start = arch_ticks();

	for (uint32_t round = 0; round < COST_ROUNDS; round++) {
		struct virtqueue_counters before = loop.gpu.control.queue.counters;
		struct record_frame *record = recording_next(&loop.recording);

		for (uint32_t i = 0; i < COST_CLOCKS; i++)
			record->t_ns = arch_ticks();
		record_fill(record, &before);
	}
	return arch_ticks_to_ns(arch_ticks() - start) / COST_ROUNDS;
}

static bool window_over(void)
{
	const struct run_params *params = loop.params;

	if (params->frames && loop.summary.frames >= params->frames)
		return true;
	return params->seconds_ms &&
	       arch_ticks_to_ns(arch_ticks() - loop.window_start) >= params->seconds_ms * 1000000ull;
}

/* What the roulette is run with, if anything: a keyboard, and what runs beside it. */
static bool load_begin(unsigned cpus)
{
	if (loop.params->load && !load_start(cpus)) {
		print("roulette: no memory for the other CPUs' tasks\n");
		return false;
	}
	if (loop.params->input && !inputs_start())
		return false;
	return !loop.params->blk || blkload_start(cpus, loop.params->blk);
}

/* Ends what runs beside, and prints what was kept. */
static bool loop_finish(unsigned cpus)
{
	bool ok = !loop.params->blk || blkload_stop(&loop.summary);

	inputs_summary(&loop.summary);
	loop.summary.interrupts = loop.gpu.control.interrupts;
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		loop.summary.switches += sched_counts(cpu)->switches;
	records_print(PARAMS_RECORDS_MAX);
	loop.summary.overflow = OPTION(LOG) == OPTION_LOG_deferred ? loop.recording.lost : 0;
	loop.summary.record_ns = recording_cost_ns();
	loop.summary.drift_ppm = arch_ticks_drift_ppm();
	record_print_summary(&loop.summary);
	return ok;
}

/*
 * QEMU grows the table that caches a guest's translations only when the guest forgets them, by how full it was since
 * the last time. A frame touches far more pages than fit at boot: without this, chance decides how fast a launch is.
 *
 * Before the first frame, which is drawn and not presented: frame numbers and the device's commands are those of a run
 * without it. Each flush comes first, so that the table is full in the end.
 */
static void tlb_warm_up(void)
{
	for (unsigned i = 0; i < TLB_FRAMES; i++) {
		arch_tlb_flush();
		if (OPTION(DRAW) == OPTION_DRAW_gpu)
			hostdraw_frame(loop.frame);
		else
			roulette_draw(loop.scene, &loop.canvas, loop.frame);
	}
}

bool frameloop_run(const struct run_params *params, unsigned cpus)
{
	bool endless = !params->frames && !params->seconds_ms;
	bool enabled, ok;

	if (!loop_init(params) || !load_begin(cpus))
		return false;
	enabled = arch_irq_disable();
	if (!params->exact)
		arch_irq_restore(enabled);
	if (!params->tlb_cold)
		tlb_warm_up();
	ok = true;
	for (uint32_t i = 0; ok && i < params->warmup; i++)
		ok = loop_step(false);
	loop.window_start = arch_ticks();
	while (ok && !window_over()) {
		ok = loop_step(true);
		if (endless && loop.frame % SPIN_FRAMES >= SPIN_MOVING_FRAMES)
			records_print(REST_RECORDS);
	}
	loop.summary.elapsed_ns = arch_ticks_to_ns(arch_ticks() - loop.window_start);
	arch_irq_restore(enabled);
	return loop_finish(cpus) && ok;
}
