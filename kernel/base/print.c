#include "base/print.h"

#include "arch/arch.h"
#include "base/string.h"

#include <stdbool.h>
#include <stdint.h>

/* Where characters go: into text while there is room, or to the console when text is NULL. */
struct print_sink {
	char *text;
	size_t size, length;
};

static void sink_put(struct print_sink *sink, char c)
{
	if (!sink->text)
		arch_putc(c);
	else if (sink->length + 1 < sink->size)
		sink->text[sink->length] = c;
	sink->length++;
}

static void sink_pad(struct print_sink *sink, char c, size_t have, size_t width)
{
	for (; have < width; have++)
		sink_put(sink, c);
}

struct print_spec {
	size_t width;
	char pad;
	unsigned longs;
};

static void print_number(struct print_sink *sink, uint64_t value, bool negative, unsigned base, struct print_spec spec)
{
	char digits[24];
	size_t count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	if (negative && spec.pad == '0')
		sink_put(sink, '-');
	sink_pad(sink, spec.pad, count + negative, spec.width);
	if (negative && spec.pad != '0')
		sink_put(sink, '-');
	while (count)
		sink_put(sink, digits[--count]);
}

static void print_string(struct print_sink *sink, const char *s, struct print_spec spec)
{
	if (!s)
		s = "(null)";
	sink_pad(sink, ' ', strlen(s), spec.width);
	while (*s)
		sink_put(sink, *s++);
}

static const char *parse_spec(const char *at, struct print_spec *spec)
{
	*spec = (struct print_spec){.pad = ' '};
	if (*at == '0') {
		spec->pad = '0';
		at++;
	}
	for (; *at >= '0' && *at <= '9'; at++)
		spec->width = spec->width * 10 + (size_t)(*at - '0');
	for (; *at == 'l'; at++)
		spec->longs++;
	return at;
}

static uint64_t take_unsigned(va_list *arguments, unsigned longs)
{
	if (longs >= 2)
		return va_arg(*arguments, unsigned long long);
	return longs ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned);
}

static int64_t take_signed(va_list *arguments, unsigned longs)
{
	if (longs >= 2)
		return va_arg(*arguments, long long);
	return longs ? va_arg(*arguments, long) : va_arg(*arguments, int);
}

static void print_conversion(struct print_sink *sink, char conversion, struct print_spec spec, va_list *arguments)
{
	int64_t value;

	switch (conversion) {
	case 'c':
		sink_put(sink, (char)va_arg(*arguments, int));
		break;
	case 's':
		print_string(sink, va_arg(*arguments, const char *), spec);
		break;
	case 'd':
		value = take_signed(arguments, spec.longs);
		print_number(sink, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0, 10, spec);
		break;
	case 'u':
		print_number(sink, take_unsigned(arguments, spec.longs), false, 10, spec);
		break;
	case 'x':
		print_number(sink, take_unsigned(arguments, spec.longs), false, 16, spec);
		break;
	case 'p':
		spec = (struct print_spec){.width = 16, .pad = '0'};
		print_number(sink, (uintptr_t)va_arg(*arguments, void *), false, 16, spec);
		break;
	default:
		sink_put(sink, '%');
		if (conversion != '%')
			sink_put(sink, conversion);
	}
}

static void print_sink(struct print_sink *sink, const char *format, va_list *arguments)
{
	struct print_spec spec;

	for (const char *at = format; *at; at++) {
		if (*at != '%') {
			sink_put(sink, *at);
			continue;
		}
		at = parse_spec(at + 1, &spec);
		if (!*at)
			break;
		print_conversion(sink, *at, spec, arguments);
	}
}

void print_list(const char *format, va_list arguments)
{
	struct print_sink sink = {0};
	va_list copy;

	va_copy(copy, arguments);
	print_sink(&sink, format, &copy);
	va_end(copy);
}

void print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_list(format, arguments);
	va_end(arguments);
}

size_t print_text_list(char *text, size_t size, const char *format, va_list arguments)
{
	struct print_sink sink = {.text = text, .size = size};
	va_list copy;

	va_copy(copy, arguments);
	print_sink(&sink, format, &copy);
	va_end(copy);
	if (size)
		text[sink.length < size ? sink.length : size - 1] = '\0';
	return sink.length;
}

size_t print_text(char *text, size_t size, const char *format, ...)
{
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	length = print_text_list(text, size, format, arguments);
	va_end(arguments);
	return length;
}
