/*
 * In-kernel tests, reported as KTAP (Linux Documentation/dev-tools/ktap.rst): one result line a check, nested under its
 * suite, the plan behind the results.
 *
 * Context: boot CPU, one suite at a time. A suite without a check fails: what tested nothing must not look green.
 */
#ifndef TEST_KTEST_H
#define TEST_KTEST_H

#include <stdbool.h>

struct ktest_suite {
	const char *name; /* of the module; no blank, no comma */
	void (*run)(void);
};

/* The sentence says what holds, without '#'. A failure is reported with file and line; the suite goes on. */
#define ktest_check(condition, sentence) ktest_check_at((condition), sentence, __FILE__, __LINE__)
bool ktest_check_at(bool holds, const char *sentence, const char *file, int line);
/* Stands for a check that this machine cannot make. */
void ktest_skip(const char *sentence, const char *reason);
/* A diagnostic line, in the place of the next check's result. */
void ktest_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Where lines go; the console by default. Given text is a part of a line or ends with one newline. */
typedef void ktest_emit(const char *text);

/*
 * Runs the suites that `chosen` names: "all", or names apart by commas. Returns whether there was at least one, all
 * names exist, and nothing failed. May be called from inside a suite, with suites and an output of its own.
 */
bool ktest_run(const struct ktest_suite *const *suites, unsigned count, const char *chosen, ktest_emit *emit);

#endif
