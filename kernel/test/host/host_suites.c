/* The in-kernel suites that need no machine, run natively under sanitizers; ends with `N passed, N failed`. */
#include "arch/arch.h"
#include "base/heap.h"
#include "test/ktest.h"

#include <stdio.h>
#include <string.h>

static unsigned passed, failed;

/* Counts the result lines of checks; suites' own stand without indentation and would count them twice. */
static void count_line(const char *line)
{
	if (!strncmp(line, "    ok ", 7))
		passed += !strstr(line, "# SKIP");
	else if (!strncmp(line, "    not ok ", 11))
		failed++;
}

static void emit(const char *text)
{
	static char line[1024];
	static size_t length;

	fputs(text, stdout);
	for (; *text; text++) {
		if (length < sizeof(line) - 1)
			line[length++] = *text;
		if (*text != '\n')
			continue;
		line[length] = '\0';
		count_line(line);
		length = 0;
	}
}

int main(int argc, char **argv)
{
	const struct arch_boot *boot = arch_init();
	bool ok;

	heap_init(boot->memory_start, boot->memory_end);
	ok = ktest_run_registered(argc > 1 ? argv[1] : "all", emit);
	if (!ok && !failed)
		failed = 1;
	printf("%u passed, %u failed\n", passed, failed);
	return !ok;
}
