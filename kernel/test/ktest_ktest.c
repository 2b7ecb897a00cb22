/* The test framework, tested by itself: what it prints for suites that pass, fail, skip and do nothing. */
#include "test/ktest.h"

#include "base/string.h"

#include <stddef.h>

#define CAPTURE_SIZE 2048

static char captured[CAPTURE_SIZE];
static size_t captured_length;

static void capture(const char *text)
{
	size_t length = strlen(text);

	if (length >= CAPTURE_SIZE - captured_length)
		length = CAPTURE_SIZE - 1 - captured_length;
	memcpy(captured + captured_length, text, length);
	captured_length += length;
	captured[captured_length] = '\0';
}

static void inner_good(void)
{
	ktest_check(true, "holds");
}

static void inner_bad(void)
{
	ktest_check(true, "first holds");
	ktest_check_at(false, "second does not", "inner.c", 7);
	ktest_check(true, "third still runs");
}

static void inner_idle(void)
{
}

static void inner_skipping(void)
{
	ktest_skip("needs more", "not here");
}

static const struct ktest_suite good = {"good", inner_good, false};
static const struct ktest_suite bad = {"bad", inner_bad, false};
static const struct ktest_suite idle = {"idle", inner_idle, false};
static const struct ktest_suite skipping = {"skipping", inner_skipping, false};
static const struct ktest_suite by_name = {"by_name", inner_bad, true};
static const struct ktest_suite *const inner[] = {&good, &bad, &idle, &skipping};
static const struct ktest_suite *const repeated[] = {&good, &skipping, &good};
static const struct ktest_suite *const long_ones[] = {&good, &by_name};

static bool run_of(const struct ktest_suite *const *suites, unsigned count, const char *chosen)
{
	captured_length = 0;
	captured[0] = '\0';
	return ktest_run(suites, count, chosen, capture);
}

static bool run_inner(const char *chosen)
{
	return run_of(inner, sizeof(inner) / sizeof(inner[0]), chosen);
}

#define SUITE_GOOD                                                                                                     \
	"KTAP version 1\n    KTAP version 1\n    # Subtest: good\n    ok 1 holds\n    1..1\nok 1 good\n1..1\n"
#define SUITE_BAD                                                                                                      \
	"KTAP version 1\n    KTAP version 1\n    # Subtest: bad\n    ok 1 first holds\n"                               \
	"    # inner.c:7: failed\n    not ok 2 second does not\n    ok 3 third still runs\n    1..3\nnot ok 1 "        \
	"bad\n1..1\n"
#define SUITE_IDLE                                                                                                     \
	"KTAP version 1\n    KTAP version 1\n    # Subtest: idle\n    # no check ran\n    1..0\nnot ok 1 idle\n1..1\n"
#define SUITE_SKIPPING                                                                                                 \
	"KTAP version 1\n    KTAP version 1\n    # Subtest: skipping\n    ok 1 needs more # SKIP not here\n"           \
	"    1..1\nok 1 skipping\n1..1\n"

#define SUITE_TWICE "# two suites have the name: good\nnot ok 2 suite registered twice\n1..2\n"

static bool captured_ends(const char *end)
{
	return captured_length >= strlen(end) && !strcmp(captured + captured_length - strlen(end), end);
}

static void lists(void)
{
	ktest_check(!run_of(inner, 0, "all"), "a run of no suites at all fails");
	ktest_check(!run_of(repeated, 3, "skipping") && captured_ends(SUITE_TWICE),
		    "two suites with one name fail every run, and the name is printed");
	ktest_check(run_of(long_ones, 2, "all") && !run_of(long_ones, 2, "by_name") &&
			    !run_of(long_ones, 2, "all,by_name"),
		    "a suite that takes long runs by its name alone");
}

static void run(void)
{
	bool passed = run_inner("good"), told = !strcmp(captured, SUITE_GOOD);

	ktest_check(passed && told, "a suite whose checks hold passes");
	passed = run_inner("bad");
	told = !strcmp(captured, SUITE_BAD);
	ktest_check(!passed && told, "one failed check fails its suite, and the checks behind it still run");
	passed = run_inner("idle");
	told = !strcmp(captured, SUITE_IDLE);
	ktest_check(!passed && told, "a suite without a check fails");
	passed = run_inner("skipping");
	told = !strcmp(captured, SUITE_SKIPPING);
	ktest_check(passed && told, "a skipped check is said to be one");
	ktest_check(!run_inner("all"), "one failed suite fails the run");
	ktest_check(run_inner("good,skipping"), "a list runs the suites that it names, and no others");
	ktest_check(!run_inner("good,goo"), "a part of a name is not a name");
	ktest_check(!run_inner("nonesuch"), "a name that no suite has fails the run");
	ktest_check(!run_inner(""), "a run without a suite fails");
	lists();
}

KTEST_SUITE(ktest, run);
