/* run/record and run/recording: the lines as run/serial-protocol.md has them, and the ring that keeps them. */
#include "test/ktest.h"

#include "base/string.h"
#include "options.h"
#include "run/record.h"
#include "run/recording.h"

#define RING 4u

static char text[RECORD_TEXT_MAX];
static struct record_frame ring[RING];

static bool begins(const char *start)
{
	return !strncmp(text, start, strlen(start));
}

static bool contains(const char *part)
{
	for (const char *at = text; *at; at++)
		if (!strncmp(at, part, strlen(part)))
			return true;
	return false;
}

/* One newline, at the end; single blanks. */
static bool one_line(void)
{
	size_t length = strlen(text);

	for (size_t i = 0; i + 1 < length; i++)
		if (text[i] == '\n' || (text[i] == ' ' && text[i + 1] == ' '))
			return false;
	return length && text[length - 1] == '\n';
}

static void frames(void)
{
	struct record_frame frame = {
		.count = {[COUNTER_fences] = 2, [COUNTER_spins] = 271, [COUNTER_completions] = 2, [COUNTER_halts] = 3},
		.frame = 17,
		.t_ns = 123456789,
	};

	record_text_frame(text, sizeof(text), &frame, 0);
	ktest_check(begins("[VIRTIO PERF] fences=2 spins=271 completions=2 timeouts=0 ") &&
			    contains(" halts=3 frame=17 t_ns=123456789 render_ns=0 "),
		    "fences, spins and completions come first, in that order, with nothing before them");
	ktest_check(one_line(), "a frame is one line");
	ktest_check(!contains("_insns=") && !contains(" input"),
		    "without exact=1 there are no instruction counts, without input=1 no inputs");
	frame.draw_insns = 5510409;
	record_text_frame(text, sizeof(text), &frame, RECORD_EXACT);
	ktest_check(contains(" draw_insns=5510409 submit_insns=0 poll_insns=0 complete_insns=0\n"),
		    "with exact=1 they stand at the end");
	frame.input = 9;
	frame.input_code = 30;
	record_text_frame(text, sizeof(text), &frame, RECORD_INPUT);
	ktest_check(contains(" input=9 input_code=30\n") && !contains("_insns="),
		    "with input=1 the newest input stands there");
	memset(&frame, 0xff, sizeof(frame));
	ktest_check(record_text_frame(text, sizeof(text), &frame, RECORD_EXACT | RECORD_INPUT) == strlen(text) &&
			    one_line(),
		    "the largest values of all fields fit");
	ktest_check(contains(" spins=18446744073709551615 ") && contains(" frame=4294967295 "),
		    "and are printed as unsigned decimals");
	ktest_check(record_text_frame(text, 32, &frame, RECORD_EXACT) > 32 && strlen(text) == 31,
		    "a line that does not fit is cut, and says how long it would be");
}

static void others(void)
{
	struct record_summary summary = {
		.frames = 600, .elapsed_ns = 2000000000, .count = {[COUNTER_rekicks] = 4}, .drift_ppm = -12};

	record_text_summary(text, sizeof(text), &summary);
	ktest_check(begins("[PERF SUMMARY] frames=600 elapsed_ns=2000000000 ") && one_line() &&
			    contains(" rekicks=4 ") && contains(" drift_ppm=-12\n") && !contains("hw_fences="),
		    "a summary is one line, with the counters that have a total; drift has a sign");
	memset(&summary, 0xff, sizeof(summary));
	ktest_check(record_text_summary(text, sizeof(text), &summary) == strlen(text), "the largest summary fits");
	record_text_boot(text, sizeof(text), &(struct record_boot){"x86_64", "msix", 8, 1920, 1080, true});
	ktest_check(begins("[BOOT] kernel=roulette arch=x86_64 cpus=8 irq=msix barrier=" OPTION_TEXT(BARRIER) " ") &&
			    one_line(),
		    "the boot line names what was found");
	ktest_check(contains(" cpus_max=" OPTION_TEXT(CPUS) " fault=" OPTION_TEXT(FAULT) " ") &&
			    contains(" mode=1920x1080 tlb=cold\n"),
		    "and how it was built");
	record_text_boot(text, sizeof(text), &(struct record_boot){"x86_64", "msix", 8, 1920, 1080, false});
	ktest_check(contains(" mode=1920x1080 tlb=warm\n"), "and how it begins");
}

/* Writes `count` records numbered from `first`. */
static void keep(struct recording *recording, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		recording_next(recording)->frame = first + i;
		recording_keep(recording);
	}
}

/* Whether exactly the records first … last come out. */
static bool takes(struct recording *recording, uint32_t first, uint32_t last)
{
	for (uint32_t frame = first; frame <= last; frame++) {
		const struct record_frame *record = recording_take(recording);

		if (!record || record->frame != frame)
			return false;
	}
	return !recording_take(recording);
}

static void recordings(void)
{
	struct recording recording;

	recording_init(&recording, ring, RING);
	ktest_check(!recording_take(&recording), "a fresh ring is empty");
	recording_next(&recording)->count[COUNTER_spins] = 5;
	ktest_check(recording_next(&recording)->count[COUNTER_spins] == 0 && !recording_take(&recording),
		    "a record that was not kept is not there, and its place is zeroed again");
	keep(&recording, 0, RING);
	ktest_check(takes(&recording, 0, RING - 1) && !recording.lost, "a full ring loses nothing");
	keep(&recording, 10, RING + 3);
	ktest_check(takes(&recording, 13, 16) && recording.lost == 3,
		    "beyond that the newest stay, the rest is counted");
	keep(&recording, 50, RING);
	recording_next(&recording);
	ktest_check(takes(&recording, 51, 53) && recording.lost == 4,
		    "a record that is begun and not kept leaves none that is half there");
	keep(&recording, 20, RING);
	recording_skip_to(&recording, 1);
	ktest_check(takes(&recording, 23, 23) && recording.lost == 4, "what is skipped is not lost");
	keep(&recording, 30, 2);
	recording_skip_to(&recording, 1);
	ktest_check(takes(&recording, 31, 31), "one more than wanted is one skipped");
	keep(&recording, 30, 2);
	recording_skip_to(&recording, RING);
	ktest_check(takes(&recording, 30, 31), "skipping to more than there is skips nothing");
	keep(&recording, 40, 2);
	recording_skip_to(&recording, 0);
	ktest_check(!recording_take(&recording), "skipping to none leaves none");
}

static void run(void)
{
	frames();
	others();
	recordings();
}

KTEST_SUITE(record, run);
