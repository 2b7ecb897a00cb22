/*
 * Every compile-time switch of the kernel: its meaning, its values, its default.
 *
 * The build passes a switch as a bare word (-DBARRIER=acquire_progress); a switch that is not passed has the
 * value that stands first. Tools read the "SWITCH" lines below, so that the list of values exists once: the build
 * refuses an unknown value by name, the harness offers and documents the same ones, and a test compares both.
 *
 *   SWITCH <name>: <default> <other values …>
 *
 * Code asks `#if OPTION(BARRIER) == OPTION_BARRIER_seqcst_spin`, or in C `if (OPTION(DRAW) == OPTION_DRAW_dirty)`;
 * the latter is preferred, because both branches are then compiled and checked in every build.
 */
#ifndef KERNEL_OPTIONS_H
#define KERNEL_OPTIONS_H

#define OPTION_PASTE(prefix, value) prefix##value
#define OPTION_NAME(prefix, value) OPTION_PASTE(prefix, value)

/* The number of the value chosen for a switch; 0, which no value has, when the value is unknown. */
#define OPTION(name) OPTION_NAME(OPTION_##name##_, name)

#define OPTION_TEXT_(value) #value
#define OPTION_TEXT(value) OPTION_TEXT_(value)

/*
 * Memory barriers of the split ring: which instruction stands at each ordering point
 * (drivers/virtio/ordering/strategies.h).
 *
 * SWITCH BARRIER: acquire_progress seqcst_spin acquire_spin full_progress acquire_load linux volatile_only late_publish no_kick_fence
 */
#ifndef BARRIER
#define BARRIER acquire_progress
#endif
#define OPTION_BARRIER_acquire_progress 1
#define OPTION_BARRIER_seqcst_spin 2
#define OPTION_BARRIER_acquire_spin 3
#define OPTION_BARRIER_full_progress 4
#define OPTION_BARRIER_acquire_load 5
#define OPTION_BARRIER_linux 6
#define OPTION_BARRIER_volatile_only 7
#define OPTION_BARRIER_late_publish 8
#define OPTION_BARRIER_no_kick_fence 9
#if OPTION(BARRIER) == 0
#error "BARRIER: unknown value; see the SWITCH lines in kernel/options.h"
#endif

/*
 * When a frame's record reaches the serial port: after the measured window, from memory (deferred); synchronously
 * inside every frame (frame), as the case study did; or never (none: only [BOOT], [PERF SUMMARY] and [DONE]).
 *
 * SWITCH LOG: deferred frame none
 */
#ifndef LOG
#define LOG deferred
#endif
#define OPTION_LOG_deferred 1
#define OPTION_LOG_frame 2
#define OPTION_LOG_none 3
#if OPTION(LOG) == 0
#error "LOG: unknown value; see the SWITCH lines in kernel/options.h"
#endif

/*
 * How spins and fences are counted: per-CPU plain increments; one locked read-modify-write each, inside the poll
 * loop (on x86 itself a fence); or not at all.
 *
 * SWITCH COUNTERS: plain atomic none
 */
#ifndef COUNTERS
#define COUNTERS plain
#endif
#define OPTION_COUNTERS_plain 1
#define OPTION_COUNTERS_atomic 2
#define OPTION_COUNTERS_none 3
#if OPTION(COUNTERS) == 0
#error "COUNTERS: unknown value; see the SWITCH lines in kernel/options.h"
#endif

/*
 * How spans of pixels are filled: as wide as the architecture allows (fast), or one volatile store a pixel.
 *
 * SWITCH FILL: fast pixel
 */
#ifndef FILL
#define FILL fast
#endif
#define OPTION_FILL_fast 1
#define OPTION_FILL_pixel 2
#if OPTION(FILL) == 0
#error "FILL: unknown value; see the SWITCH lines in kernel/options.h"
#endif

/*
 * What is drawn, transferred and flushed each frame: everything (the gate's frozen workload), or only what changed
 * since the frame before, which gives the same pixels; or nothing is transferred, and the host's renderer draws what
 * the kernel tells it in vertices (gpu), which needs the GL device and may differ by a stated tolerance.
 *
 * SWITCH DRAW: full dirty gpu
 */
#ifndef DRAW
#define DRAW full
#endif
#define OPTION_DRAW_full 1
#define OPTION_DRAW_dirty 2
#define OPTION_DRAW_gpu 3
#if OPTION(DRAW) == 0
#error "DRAW: unknown value; see the SWITCH lines in kernel/options.h"
#endif

/*
 * What a poll iteration does when the used index has not moved: the architecture's spin hint, or nothing.
 *
 * SWITCH SPIN: pause none
 */
#ifndef SPIN
#define SPIN pause
#endif
#define OPTION_SPIN_pause 1
#define OPTION_SPIN_none 2
#if OPTION(SPIN) == 0
#error "SPIN: unknown value; see the SWITCH lines in kernel/options.h"
#endif

/*
 * What ends a wait that does not succeed: a deadline in time, or the historical limit of 1,000,000 iterations.
 *
 * SWITCH WAIT: deadline iterations
 */
#ifndef WAIT
#define WAIT deadline
#endif
#define OPTION_WAIT_deadline 1
#define OPTION_WAIT_iterations 2
#if OPTION(WAIT) == 0
#error "WAIT: unknown value; see the SWITCH lines in kernel/options.h"
#endif

/*
 * How a completion is noticed: by polling the used index, or by an interrupt with the CPU halted meanwhile.
 *
 * SWITCH COMPLETION: poll irq
 */
#ifndef COMPLETION
#define COMPLETION poll
#endif
#define OPTION_COMPLETION_poll 1
#define OPTION_COMPLETION_irq 2
#if OPTION(COMPLETION) == 0
#error "COMPLETION: unknown value; see the SWITCH lines in kernel/options.h"
#endif

/*
 * Whether VIRTIO_F_EVENT_IDX is negotiated: it moves suppression from `flags` to `avail_event` and `used_event`.
 *
 * SWITCH EVENT_IDX: off on
 */
#ifndef EVENT_IDX
#define EVENT_IDX off
#endif
#define OPTION_EVENT_IDX_off 1
#define OPTION_EVENT_IDX_on 2
#if OPTION(EVENT_IDX) == 0
#error "EVENT_IDX: unknown value; see the SWITCH lines in kernel/options.h"
#endif

/*
 * Whether transfer and flush share one notification and one wait (on), or have two of each, as in the case study (off).
 *
 * SWITCH BATCH: on off
 */
#ifndef BATCH
#define BATCH on
#endif
#define OPTION_BATCH_on 1
#define OPTION_BATCH_off 2
#if OPTION(BATCH) == 0
#error "BATCH: unknown value; see the SWITCH lines in kernel/options.h"
#endif

/*
 * Whether transfer and flush carry VIRTIO_GPU_FLAG_FENCE (VIRTIO 1.2 §5.7.6.7).
 *
 * SWITCH GPU_FENCE: off on
 */
#ifndef GPU_FENCE
#define GPU_FENCE off
#endif
#define OPTION_GPU_FENCE_off 1
#define OPTION_GPU_FENCE_on 2
#if OPTION(GPU_FENCE) == 0
#error "GPU_FENCE: unknown value; see the SWITCH lines in kernel/options.h"
#endif

/*
 * Where the preemption counter lives: one on each CPU, or one for all.
 *
 * SWITCH PREEMPT: percpu global
 */
#ifndef PREEMPT
#define PREEMPT percpu
#endif
#define OPTION_PREEMPT_percpu 1
#define OPTION_PREEMPT_global 2
#if OPTION(PREEMPT) == 0
#error "PREEMPT: unknown value; see the SWITCH lines in kernel/options.h"
#endif

/*
 * The most CPUs that the kernel uses; fewer present is fine.
 *
 * SWITCH CPUS: 2 1 4 8
 */
#ifndef CPUS
#define CPUS 2
#endif
#define OPTION_CPUS_1 1
#define OPTION_CPUS_2 2
#define OPTION_CPUS_4 4
#define OPTION_CPUS_8 8
#if OPTION(CPUS) == 0
#error "CPUS: unknown value; see the SWITCH lines in kernel/options.h"
#endif

/*
 * How a pointer is shown: drawn with the picture (drawn), or besides as a hardware cursor that moves with each frame,
 * through the cursor queue (hw). Both give the same picture: a cursor lies over the scanout, and no capture has it.
 *
 * SWITCH CURSOR: drawn hw
 */
#ifndef CURSOR
#define CURSOR drawn
#endif
#define OPTION_CURSOR_drawn 1
#define OPTION_CURSOR_hw 2
#if OPTION(CURSOR) == 0
#error "CURSOR: unknown value; see the SWITCH lines in kernel/options.h"
#endif

/*
 * Whether the kernel changes its picture's size when the host changes the display's while it runs (on), or keeps the
 * one that it was started with (off).
 *
 * SWITCH MODES: off on
 */
#ifndef MODES
#define MODES off
#endif
#define OPTION_MODES_off 1
#define OPTION_MODES_on 2
#if OPTION(MODES) == 0
#error "MODES: unknown value; see the SWITCH lines in kernel/options.h"
#endif

/*
 * On how many of the device's heads the picture is shown.
 *
 * SWITCH HEADS: 1 2
 */
#ifndef HEADS
#define HEADS 1
#endif
#define OPTION_HEADS_1 1
#define OPTION_HEADS_2 2
#if OPTION(HEADS) == 0
#error "HEADS: unknown value; see the SWITCH lines in kernel/options.h"
#endif

/*
 * A deliberate fault, compiled in to prove that the harness sees it. Its further values are the names of FAULT_DECLARE
 * lines in fault/, where each one is declared and says what it does.
 *
 * SWITCH FAULT: none
 */
#ifndef FAULT
#define FAULT none
#endif

/* Named where they are used alone: another kernel is the same, byte for byte, as before there were such switches. */
#if OPTION(CURSOR) == OPTION_CURSOR_hw
#define OPTION_KEY_CURSOR " cursor=" OPTION_TEXT(CURSOR)
#else
#define OPTION_KEY_CURSOR ""
#endif
#if OPTION(MODES) == OPTION_MODES_on
#define OPTION_KEY_MODES " modes=" OPTION_TEXT(MODES)
#else
#define OPTION_KEY_MODES ""
#endif
#if OPTION(HEADS) != OPTION_HEADS_1
#define OPTION_KEY_HEADS " heads=" OPTION_TEXT(HEADS)
#else
#define OPTION_KEY_HEADS ""
#endif

/* Every switch with its value, as [BOOT] tells them: a key is the switch in lower case, except for
 * CPUS. */
/* clang-format off */
#define OPTION_KEYS                                                                                                    \
	" barrier=" OPTION_TEXT(BARRIER) " log=" OPTION_TEXT(LOG) " counters=" OPTION_TEXT(COUNTERS)                   \
	" fill=" OPTION_TEXT(FILL) " draw=" OPTION_TEXT(DRAW) " spin=" OPTION_TEXT(SPIN) " wait=" OPTION_TEXT(WAIT)    \
	" completion=" OPTION_TEXT(COMPLETION) " event_idx=" OPTION_TEXT(EVENT_IDX) " batch=" OPTION_TEXT(BATCH)       \
	" gpu_fence=" OPTION_TEXT(GPU_FENCE) " preempt=" OPTION_TEXT(PREEMPT) " cpus_max=" OPTION_TEXT(CPUS)           \
	" fault=" OPTION_TEXT(FAULT) OPTION_KEY_CURSOR OPTION_KEY_MODES OPTION_KEY_HEADS
/* clang-format on */

#endif
