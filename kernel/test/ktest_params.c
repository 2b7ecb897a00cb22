/* run/params: every key, its limits, and what is refused, by name. */
#include "test/ktest.h"

#include "base/print.h"
#include "base/string.h"
#include "run/params.h"

static struct run_params params;
static struct params_error error;

static bool accepts(const char *line)
{
	return !params_parse(line, &params, &error);
}

static bool refuses(const char *line, const char *why, const char *word)
{
	return params_parse(line, &params, &error) == ERROR_INVALID && !strcmp(error.why, why) &&
	       !strcmp(error.word, word);
}

static void defaults(void)
{
	ktest_check(accepts("") && params.mode.width_px == 1024 && params.mode.height_px == 768 && params.frames == 0 &&
			    params.seconds_ms == 0 && params.slow == 10 && params.records == PARAMS_RECORDS_MAX &&
			    !params.exact && !params.input && !params.suite[0],
		    "an empty line gives the defaults");
	ktest_check(params.pace == PARAMS_PACE_ENDLESS, "an endless run is paced");
	ktest_check(accepts("pace=0") && params.pace == 0, "unless it is told not to be");
	ktest_check(accepts("frames=5") && params.pace == 0 && accepts("seconds=1") && params.pace == 0,
		    "a bounded run is not");
	ktest_check(accepts("frames=5 pace=60") && params.pace == 60, "unless it is told to be");
}

static void values(void)
{
	ktest_check(accepts("  frames=600 warmup=30  seed=4294967295 first=7 load=1 exact=1 records=0 ") &&
			    params.frames == 600 && params.warmup == 30 && params.seed == 4294967295u &&
			    params.first == 7 && params.load == 1 && params.exact == 1 && params.records == 0,
		    "plain numbers, with any blanks around them");
	ktest_check(accepts("mode=320x240") && params.mode.width_px == 320 && params.mode.height_px == 240 &&
			    accepts("mode=1920x1080") && params.mode.width_px == 1920 && params.mode.height_px == 1080,
		    "the smallest and the largest mode");
	ktest_check(accepts("seconds=2") && params.seconds_ms == 2000 && accepts("seconds=0.25") &&
			    params.seconds_ms == 250 && accepts("seconds=1.005") && params.seconds_ms == 1005,
		    "seconds have up to three decimals");
	ktest_check(accepts("suite=virtqueue,params slow=1000 blk=64") && !strcmp(params.suite, "virtqueue,params") &&
			    params.slow == 1000 && params.blk == 64,
		    "a suite's name, per cent and MiB/s");
	ktest_check(accepts("tlb=cold") && params.tlb_cold && accepts("tlb=warm") && !params.tlb_cold && accepts("") &&
			    !params.tlb_cold && refuses("tlb=hot", "value out of range", "tlb=hot"),
		    "translations are warmed unless the line says cold");
	ktest_check(accepts("exact=1") && params.tlb_cold && accepts("exact=1 tlb=warm") && params.tlb_cold,
		    "and never where instructions are counted");
}

static void refusals(void)
{
	ktest_check(refuses("frame=1", "unknown key", "frame=1") && refuses("=1", "unknown key", "=1"),
		    "an unknown key is named");
	ktest_check(refuses("frames=1 verbose", "not key=value", "verbose"), "a word without a value is named");
	ktest_check(refuses("frames=1 frames=1", "given twice", "frames=1") &&
			    refuses("mode=320x240 mode=320x240", "given twice", "mode=320x240"),
		    "a key given twice is named");
	ktest_check(refuses("frames=", "value out of range", "frames=") &&
			    refuses("frames=-1", "value out of range", "frames=-1") &&
			    refuses("frames=1x", "value out of range", "frames=1x") &&
			    refuses("frames=+1", "value out of range", "frames=+1") &&
			    refuses("frames=0x10", "value out of range", "frames=0x10"),
		    "anything but a decimal number is refused");
	ktest_check(refuses("frames=0", "value out of range", "frames=0") &&
			    refuses("seed=4294967296", "value out of range", "seed=4294967296") &&
			    refuses("seed=99999999999999999999", "value out of range", "seed=99999999999999999999") &&
			    refuses("records=8193", "value out of range", "records=8193") &&
			    refuses("load=2", "value out of range", "load=2") &&
			    refuses("input=2", "value out of range", "input=2"),
		    "so is what does not fit");
	ktest_check(refuses("seconds=0", "value out of range", "seconds=0") &&
			    refuses("seconds=.5", "value out of range", "seconds=.5") &&
			    refuses("seconds=1.", "value out of range", "seconds=1.") &&
			    refuses("seconds=1.0005", "value out of range", "seconds=1.0005") &&
			    refuses("seconds=1.5.5", "value out of range", "seconds=1.5.5") &&
			    refuses("seconds=86401", "value out of range", "seconds=86401"),
		    "seconds that are not a number are refused");
	ktest_check(refuses("tlb=", "value out of range", "tlb=") && refuses("tlb=1", "value out of range", "tlb=1") &&
			    refuses("tlb=warmer", "value out of range", "tlb=warmer") &&
			    refuses("tlb=cold tlb=cold", "given twice", "tlb=cold"),
		    "a TLB of another temperature is refused");
	ktest_check(refuses("mode=319x240", "value out of range", "mode=319x240") &&
			    refuses("mode=320x239", "value out of range", "mode=320x239") &&
			    refuses("mode=1921x1080", "value out of range", "mode=1921x1080") &&
			    refuses("mode=1024", "value out of range", "mode=1024") &&
			    refuses("mode=1024x", "value out of range", "mode=1024x") &&
			    refuses("mode=1024x768x2", "value out of range", "mode=1024x768x2"),
		    "modes outside of the scene's limits are refused");
}

static void long_words(void)
{
	static char line[PARAMS_SUITE_MAX + 8];

	memset(line, 'a', sizeof(line) - 1);
	memcpy(line, "suite=", 6);
	ktest_check(params_parse(line, &params, &error) == ERROR_INVALID && !strcmp(error.why, "word too long") &&
			    strlen(error.word) == PARAMS_SUITE_MAX - 1,
		    "a word beyond the limit is refused, and cut in the message");
	line[PARAMS_SUITE_MAX - 1] = '\0';
	ktest_check(accepts(line) && strlen(params.suite) == PARAMS_SUITE_MAX - 7, "one at the limit is taken whole");
}

/* Every key of the table is accepted with some value, says what it means, and stands there once. */
static void table(void)
{
	static const char *const values[] = {"1", "320x240", "warm"};
	const char *key, *help;
	unsigned sound = 0, keys = 0;

	for (; (key = params_key(keys, &help)); keys++) {
		bool accepted = false, twice = false;
		char line[2 * PARAMS_SUITE_MAX];

		for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			print_text(line, sizeof(line), "%s=%s", key, values[i]);
			accepted |= accepts(line);
			print_text(line, sizeof(line), "%s=%s %s=%s", key, values[i], key, values[i]);
			twice |= !accepts(line) && !strcmp(error.why, "given twice");
		}
		sound += accepted && twice && help[0];
	}
	ktest_check(keys >= 15 && sound == keys && !params_key(keys + 1, &help),
		    "every key of the table is accepted once, and says what it means");
}

static void run(void)
{
	table();
	defaults();
	values();
	refusals();
	long_words();
}

KTEST_SUITE(params, run);
