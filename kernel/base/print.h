/*
 * Formatted text, to the console or into memory. Any context, no lock: lines of two CPUs may mix.
 *
 * Conversions: %c %s %d %u %x %p %%, with l or ll before d u x, a width, and 0 as padding. Anything else prints as
 * it stands. A NULL string prints as "(null)".
 */
#ifndef BASE_PRINT_H
#define BASE_PRINT_H

#include <stdarg.h>
#include <stddef.h>

void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_list(const char *format, va_list arguments);

/* At most size - 1 characters and a NUL; returns the length that was wanted. */
size_t print_text(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
size_t print_text_list(char *text, size_t size, const char *format, va_list arguments);

#endif
