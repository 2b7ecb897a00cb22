#include "run/record.h"

#include "base/print.h"
#include "options.h"

/* A line as it grows. length may pass size - 1: the rest is then cut. */
struct line {
	char *text;
	size_t size, length;
};

static void line_add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line_add(struct line *line, const char *format, ...)
{
	size_t at = line->length < line->size ? line->length : line->size;
	va_list arguments;

	va_start(arguments, format);
	line->length += print_text_list(line->text + at, line->size - at, format, arguments);
	va_end(arguments);
}

size_t record_text_boot(char *text, size_t size, const struct record_boot *boot)
{
	struct line line = {text, size, 0};

	line_add(&line, "[BOOT] kernel=roulette arch=%s cpus=%u irq=%s", boot->arch, boot->cpus_present, boot->irq);
	line_add(&line, " barrier=" OPTION_TEXT(BARRIER) " log=" OPTION_TEXT(LOG) " counters=" OPTION_TEXT(COUNTERS));
	line_add(&line, " fill=" OPTION_TEXT(FILL) " draw=" OPTION_TEXT(DRAW) " spin=" OPTION_TEXT(SPIN));
	line_add(&line, " wait=" OPTION_TEXT(WAIT) " completion=" OPTION_TEXT(COMPLETION));
	line_add(&line, " event_idx=" OPTION_TEXT(EVENT_IDX) " batch=" OPTION_TEXT(BATCH));
	line_add(&line, " gpu_fence=" OPTION_TEXT(GPU_FENCE) " preempt=" OPTION_TEXT(PREEMPT));
	line_add(&line, " cpus_max=" OPTION_TEXT(CPUS) " fault=" OPTION_TEXT(FAULT) " scene=" SCENE_HASH);
	line_add(&line, " records=%d mode=%ux%u", RECORD_VERSION, boot->width_px, boot->height_px);
	line_add(&line, " tlb=%s\n", boot->tlb_cold ? "cold" : "warm");
	return line.length;
}

size_t record_text_frame(char *text, size_t size, const struct record_frame *frame, bool exact)
{
	struct line line = {text, size, 0};

	line_add(&line, "[VIRTIO PERF] fences=%lu spins=%lu completions=%lu frame=%u t_ns=%lu", frame->fences,
		 frame->spins, frame->completions, frame->frame, frame->t_ns);
	line_add(&line, " render_ns=%lu submit_ns=%lu notify_ns=%lu wait_ns=%lu", frame->render_ns, frame->submit_ns,
		 frame->notify_ns, frame->wait_ns);
	line_add(&line, " log_ns=%lu idle_ns=%lu halt_ns=%lu sched_ns=%lu", frame->log_ns, frame->idle_ns,
		 frame->halt_ns, frame->sched_ns);
	line_add(&line, " timeouts=%lu rekicks=%lu publish_fences=%lu kick_fences=%lu hw_fences=%lu", frame->timeouts,
		 frame->rekicks, frame->publish_fences, frame->kick_fences, frame->hw_fences);
	line_add(&line, " notifies=%lu halts=%lu damage_px=%lu", frame->notifies, frame->halts, frame->damage_px);
	if (exact)
		line_add(&line, " draw_insns=%lu submit_insns=%lu poll_insns=%lu complete_insns=%lu", frame->draw_insns,
			 frame->submit_insns, frame->poll_insns, frame->complete_insns);
	line_add(&line, "\n");
	return line.length;
}

size_t record_text_summary(char *text, size_t size, const struct record_summary *summary)
{
	struct line line = {text, size, 0};

	line_add(&line, "[PERF SUMMARY] frames=%lu elapsed_ns=%lu fences=%lu spins=%lu completions=%lu",
		 summary->frames, summary->elapsed_ns, summary->fences, summary->spins, summary->completions);
	line_add(&line, " timeouts=%lu rekicks=%lu overflow=%lu interrupts=%lu record_ns=%lu drift_ppm=%d",
		 summary->timeouts, summary->rekicks, summary->overflow, summary->interrupts, summary->record_ns,
		 summary->drift_ppm);
	line_add(&line, " blk_requests=%lu blk_bytes=%lu blk_timeouts=%lu blk_rekicks=%lu switches=%lu\n",
		 summary->blk_requests, summary->blk_bytes, summary->blk_timeouts, summary->blk_rekicks,
		 summary->switches);
	return line.length;
}

void record_print_boot(const struct record_boot *boot)
{
	char text[RECORD_TEXT_MAX];

	record_text_boot(text, sizeof(text), boot);
	print("%s", text);
}

void record_print_frame(const struct record_frame *frame, bool exact)
{
	char text[RECORD_TEXT_MAX];

	record_text_frame(text, sizeof(text), frame, exact);
	print("%s", text);
}

void record_print_summary(const struct record_summary *summary)
{
	char text[RECORD_TEXT_MAX];

	record_text_summary(text, sizeof(text), summary);
	print("%s", text);
}

void record_print_done(bool ok)
{
	print("[DONE] status=%s\n", ok ? "ok" : "failed");
}
