#include "lib/record.h"

#include "lib/print.h"
#include "options.h"

void record_print_boot(const struct record_boot *boot)
{
	print("[BOOT] kernel=roulette arch=%s cpus=%u irq=%s", boot->arch, boot->cpus_present, boot->irq);
	print(" barrier=" OPTION_TEXT(BARRIER) " log=" OPTION_TEXT(LOG) " counters=" OPTION_TEXT(COUNTERS));
	print(" fill=" OPTION_TEXT(FILL) " draw=" OPTION_TEXT(DRAW) " spin=" OPTION_TEXT(SPIN));
	print(" wait=" OPTION_TEXT(WAIT) " completion=" OPTION_TEXT(COMPLETION));
	print(" event_idx=" OPTION_TEXT(EVENT_IDX) " batch=" OPTION_TEXT(BATCH));
	print(" gpu_fence=" OPTION_TEXT(GPU_FENCE) " preempt=" OPTION_TEXT(PREEMPT));
	print(" cpus_max=" OPTION_TEXT(CPUS) " fault=" OPTION_TEXT(FAULT) " scene=" SCENE_HASH);
	print(" records=%d mode=%ux%u\n", RECORD_VERSION, boot->width_px, boot->height_px);
}

void record_print_frame(const struct record_frame *frame, bool exact)
{
	print("[VIRTIO PERF] fences=%lu spins=%lu completions=%lu frame=%u t_ns=%lu", frame->fences, frame->spins,
	      frame->completions, frame->frame, frame->t_ns);
	print(" render_ns=%lu submit_ns=%lu notify_ns=%lu wait_ns=%lu", frame->render_ns, frame->submit_ns,
	      frame->notify_ns, frame->wait_ns);
	print(" log_ns=%lu idle_ns=%lu halt_ns=%lu sched_ns=%lu", frame->log_ns, frame->idle_ns, frame->halt_ns,
	      frame->sched_ns);
	print(" timeouts=%lu rekicks=%lu publish_fences=%lu kick_fences=%lu hw_fences=%lu", frame->timeouts,
	      frame->rekicks, frame->publish_fences, frame->kick_fences, frame->hw_fences);
	print(" notifies=%lu halts=%lu damage_px=%lu", frame->notifies, frame->halts, frame->damage_px);
	if (exact)
		print(" draw_insns=%lu submit_insns=%lu poll_insns=%lu complete_insns=%lu", frame->draw_insns,
		      frame->submit_insns, frame->poll_insns, frame->complete_insns);
	print("\n");
}

void record_print_summary(const struct record_summary *summary)
{
	print("[PERF SUMMARY] frames=%lu elapsed_ns=%lu fences=%lu spins=%lu completions=%lu", summary->frames,
	      summary->elapsed_ns, summary->fences, summary->spins, summary->completions);
	print(" timeouts=%lu rekicks=%lu overflow=%lu interrupts=%lu record_ns=%lu drift_ppm=%d", summary->timeouts,
	      summary->rekicks, summary->overflow, summary->interrupts, summary->record_ns, summary->drift_ppm);
	print(" blk_requests=%lu blk_bytes=%lu blk_timeouts=%lu blk_rekicks=%lu switches=%lu\n", summary->blk_requests,
	      summary->blk_bytes, summary->blk_timeouts, summary->blk_rekicks, summary->switches);
}

void record_print_done(bool ok)
{
	print("[DONE] status=%s\n", ok ? "ok" : "failed");
}
