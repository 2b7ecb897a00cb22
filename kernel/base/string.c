#include "base/string.h"

#include <stdint.h>

/* Words of any alignment: every architecture here allows them in normal memory. */
typedef uint64_t __attribute__((may_alias, aligned(1))) string_word;

/* From the first byte to the last: right for ranges that overlap, too, where `to` is the lower one. */
static void *copy_forward(void *to, const void *from, size_t length)
{
	uint8_t *t = to;
	const uint8_t *f = from;

	for (; length >= 8; length -= 8, t += 8, f += 8)
		*(string_word *)t = *(const string_word *)f;
	while (length--)
		*t++ = *f++;
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
	return copy_forward(to, from, length);
}

void *memmove(void *to, const void *from, size_t length)
{
	uint8_t *t = to;
	const uint8_t *f = from;

	if (t <= f || t >= f + length)
		return copy_forward(to, from, length);
	while (length--)
		t[length] = f[length];
	return to;
}

void *memset(void *to, int byte, size_t length)
{
	uint8_t *t = to;
	uint64_t word = 0x0101010101010101ull * (uint8_t)byte;

	for (; length >= 8; length -= 8, t += 8)
		*(string_word *)t = word;
	while (length--)
		*t++ = (uint8_t)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t length)
{
	const uint8_t *x = a, *y = b;

	for (; length; length--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t length = 0;

	while (s[length])
		length++;
	return length;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t length)
{
	while (length && *a && *a == *b)
		a++, b++, length--;
	return length ? (uint8_t)*a - (uint8_t)*b : 0;
}

char *strncpy(char *restrict to, const char *restrict from, size_t length)
{
	size_t at = 0;

	for (; at < length && from[at]; at++)
		to[at] = from[at];
	for (; at < length; at++)
		to[at] = '\0';
	return to;
}
