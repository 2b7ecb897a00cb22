#include "test/ktest.h"

#include "base/print.h"
#include "base/string.h"

#include <stdarg.h>
#include <stddef.h>

REGISTRY(suites, const struct ktest_suite);

/* One call of ktest_run. */
struct ktest_session {
	ktest_emit *emit;
	unsigned checks, failures; /* of the suite that runs */
	unsigned suites, failed_suites;
};

static struct ktest_session session;

static void console_emit(const char *text)
{
	print("%s", text);
}

/* Longer lines are cut; their newline is kept. */
static void ktest_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void ktest_line(const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	print_text_list(text, sizeof(text) - 1, format, arguments);
	va_end(arguments);
	text[strlen(text) + 1] = '\0';
	text[strlen(text)] = '\n';
	session.emit(text);
}

bool ktest_check_at(bool holds, const char *sentence, const char *file, int line)
{
	session.checks++;
	if (!holds) {
		session.failures++;
		ktest_line("    # %s:%d: failed", file, line);
	}
	ktest_line("    %sok %u %s", holds ? "" : "not ", session.checks, sentence);
	return holds;
}

void ktest_skip(const char *sentence, const char *reason)
{
	ktest_line("    ok %u %s # SKIP %s", ++session.checks, sentence, reason);
}

void ktest_note(const char *format, ...)
{
	char text[200];
	va_list arguments;

	va_start(arguments, format);
	print_text_list(text, sizeof(text), format, arguments);
	va_end(arguments);
	ktest_line("    # %s", text);
}

static void suite_run(const struct ktest_suite *suite)
{
	bool passed;

	session.checks = 0;
	session.failures = 0;
	ktest_line("    KTAP version 1");
	ktest_line("    # Subtest: %s", suite->name);
	suite->run();
	if (!session.checks)
		ktest_line("    # no check ran");
	ktest_line("    1..%u", session.checks);
	passed = session.checks && !session.failures;
	session.suites++;
	session.failed_suites += !passed;
	ktest_line("%sok %u %s", passed ? "" : "not ", session.suites, suite->name);
}

/* Takes the next name off the list; returns its length, 0 at the end. */
static size_t name_next(const char **list)
{
	size_t length = 0;

	while (**list == ',')
		++*list;
	while ((*list)[length] && (*list)[length] != ',')
		length++;
	return length;
}

static bool name_is(const struct ktest_suite *suite, const char *name, size_t length)
{
	return strlen(suite->name) == length && !strncmp(suite->name, name, length);
}

static bool is_chosen(const struct ktest_suite *suite, const char *chosen)
{
	size_t length;

	for (const char *at = chosen; (length = name_next(&at)); at += length)
		if (name_is(suite, at, length) || (length == 3 && !strncmp(at, "all", 3) && !suite->by_name))
			return true;
	return false;
}

/* Two suites of one name are a failed result of their own: a run of one by its name would run both. */
static void report_twins(const struct ktest_suite *const *suites, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		for (unsigned j = 0; j < i; j++) {
			if (strcmp(suites[i]->name, suites[j]->name) != 0)
				continue;
			session.failed_suites++;
			ktest_line("# two suites have the name: %s", suites[i]->name);
			ktest_line("not ok %u suite registered twice", ++session.suites);
		}
}

/* A name that no suite has is a failed result of its own: a misspelt run must not pass. */
static void report_unknown(const struct ktest_suite *const *suites, unsigned count, const char *chosen)
{
	size_t length;

	for (const char *at = chosen; (length = name_next(&at)); at += length) {
		bool known = length == 3 && !strncmp(at, "all", 3);

		for (unsigned i = 0; i < count; i++)
			known |= name_is(suites[i], at, length);
		if (known)
			continue;
		session.failed_suites++;
		ktest_line("# no suite has the name asked for at: %s", at);
		ktest_line("not ok %u unknown suite", ++session.suites);
	}
}

bool ktest_run(const struct ktest_suite *const *suites, unsigned count, const char *chosen, ktest_emit *emit)
{
	struct ktest_session outer = session;
	bool passed;

	session = (struct ktest_session){.emit = emit ? emit : console_emit};
	ktest_line("KTAP version 1");
	for (unsigned i = 0; i < count; i++)
		if (is_chosen(suites[i], chosen))
			suite_run(suites[i]);
	report_unknown(suites, count, chosen);
	report_twins(suites, count);
	ktest_line("1..%u", session.suites);
	passed = session.suites && !session.failed_suites;
	session = outer;
	return passed;
}

bool ktest_run_registered(const char *chosen, ktest_emit *emit)
{
	return ktest_run(REGISTRY_FIRST(suites), REGISTRY_COUNT(suites), chosen, emit);
}
