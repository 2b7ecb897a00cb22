/*
 * In-kernel tests, reported as KTAP (Linux Documentation/dev-tools/ktap.rst): one result line a check, nested under its
 * suite, the plan behind the results.
 *
 * Context: boot CPU, one suite at a time. A suite without a check fails: what tested nothing must not look green.
 */
#ifndef TEST_KTEST_H
#define TEST_KTEST_H

#include "base/registry.h"

#include <stdbool.h>

struct ktest_suite {
	const char *name; /* of the module; no blank, no comma; not "all" */
	void (*run)(void);
	bool by_name; /* takes long: "all" leaves it out */
};

/* Declares a suite, once, in its own file: whatever image the file is linked into runs it, in link order. */
#define KTEST_SUITE(suite, function) KTEST_DECLARE(suite, function, false)
#define KTEST_SUITE_BY_NAME(suite, function) KTEST_DECLARE(suite, function, true)
#define KTEST_DECLARE(suite, function, long_one)                                                                       \
	static const struct ktest_suite ktest_##suite = {#suite, function, long_one};                                  \
	REGISTRY_ADD(suites, const struct ktest_suite, ktest_##suite)

/* The sentence says what holds, without '#'. A failure is reported with file and line; the suite goes on. */
#define ktest_check(condition, sentence) ktest_check_at((condition), sentence, __FILE__, __LINE__)
bool ktest_check_at(bool holds, const char *sentence, const char *file, int line);
/* Stands for a check that this machine cannot make. */
void ktest_skip(const char *sentence, const char *reason);
/* Prints a diagnostic line before the next check's result. */
void ktest_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Where lines go; the console by default. Given text is a part of a line or ends with one newline. */
typedef void ktest_emit(const char *text);

/* Runs those of this image's suites that `chosen` names. */
bool ktest_run_registered(const char *chosen, ktest_emit *emit);
/*
 * Runs the suites that `chosen` names: "all", or names apart by commas. Returns whether there was at least one, all
 * names exist, each only once, and nothing failed. May be called from inside a suite, with suites and an output of its
 * own.
 */
bool ktest_run(const struct ktest_suite *const *suites, unsigned count, const char *chosen, ktest_emit *emit);

#endif
