/*
 * What cannot happen. panic prints `[PANIC] file:line message` and ends the machine with a failing status; it never
 * returns, takes no lock and allocates nothing, so that it works anywhere. ASSERT's condition must have no effect.
 */
#ifndef LIB_ASSERT_H
#define LIB_ASSERT_H

#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
#define ASSERT(condition)                                                                                              \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			panic("assertion failed: %s", #condition);                                                     \
	} while (0)

_Noreturn void panic_at(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
