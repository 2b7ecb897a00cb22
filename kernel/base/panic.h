/*
 * For states that cannot happen. panic prints `[PANIC] file:line message` and ends the machine with a failing status;
 * it never returns, locks nothing and allocates nothing, so that it works anywhere. ASSERT's condition must have no
 * effect.
 */
#ifndef BASE_PANIC_H
#define BASE_PANIC_H

#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
#define ASSERT(condition)                                                                                              \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			panic("assertion failed: %s", #condition);                                                     \
	} while (0)

_Noreturn void panic_at(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

/*
 * For code that prints its own panic (traps): turns interrupts off, and returns only to the first caller. A CPU
 * that panics while it is panicking ends the machine here; other CPUs stop here, so that one report is readable.
 */
void panic_begin(void);

#endif
