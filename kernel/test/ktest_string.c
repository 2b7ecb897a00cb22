/* base/string: against byte-by-byte models, over every small length and misalignment. */
#include "test/ktest.h"

#include "base/string.h"

#include <stdint.h>

#define SPAN 80u

static uint8_t from[SPAN], to[SPAN];

static void fill(void)
{
	for (unsigned i = 0; i < SPAN; i++) {
		from[i] = (uint8_t)(i * 7 + 1);
		to[i] = 0xee;
	}
}

/* Whether to[] holds from[source …] at target for length bytes, and is untouched elsewhere. */
static bool copied(unsigned target, unsigned source, unsigned length)
{
	for (unsigned i = 0; i < SPAN; i++) {
		bool inside = i >= target && i < target + length;

		if (to[i] != (inside ? (uint8_t)((i - target + source) * 7 + 1) : 0xee))
			return false;
	}
	return true;
}

static bool copies_exactly(void)
{
	for (unsigned length = 0; length <= 40; length++)
		for (unsigned offset = 0; offset < 64; offset++) {
			fill();
			if (memcpy(to + offset / 8, from + offset % 8, length) != to + offset / 8 ||
			    !copied(offset / 8, offset % 8, length))
				return false;
		}
	return true;
}

static bool sets_exactly(void)
{
	for (unsigned length = 0; length <= 40; length++)
		for (unsigned offset = 0; offset < 8; offset++) {
			fill();
			memset(to + offset, 0x1a5, length);
			for (unsigned i = 0; i < SPAN; i++)
				if (to[i] != (i >= offset && i < offset + length ? 0xa5 : 0xee))
					return false;
		}
	return true;
}

static bool moves_overlapping(void)
{
	for (unsigned length = 0; length <= 40; length++)
		for (unsigned target = 0; target < 20; target++) {
			fill();
			memmove(from + target, from + 10, length);
			for (unsigned i = 0; i < length; i++)
				if (from[target + i] != (uint8_t)((10 + i) * 7 + 1))
					return false;
		}
	return true;
}

static void compare(void)
{
	ktest_check(memcmp("abc", "abd", 2) == 0, "memcmp looks no further than it is told");
	ktest_check(memcmp("abc", "abd", 3) < 0 && memcmp("abd", "abc", 3) > 0,
		    "memcmp orders by the first difference");
	ktest_check(memcmp("\x7f", "\x80", 1) < 0, "memcmp compares bytes as unsigned");
	ktest_check(strcmp("ab", "abc") < 0 && strcmp("abc", "ab") > 0, "a prefix sorts before the longer string");
	ktest_check(strcmp("", "") == 0 && strcmp("\x80", "\x7f") > 0, "strcmp compares bytes as unsigned");
	ktest_check(strncmp("abX", "abY", 2) == 0, "strncmp looks no further than it is told");
	ktest_check(strncmp("ab\0X", "ab\0Y", 4) == 0, "strncmp ends at the NUL");
	ktest_check(strncmp("a", "b", 0) == 0, "strncmp of nothing is equal");
}

static void copy_strings(void)
{
	char text[8];

	memset(text, 'x', sizeof(text));
	strncpy(text, "ab", 5);
	ktest_check(!memcmp(text, "ab\0\0\0xxx", 8), "strncpy fills up with NULs and stops at its length");
	memset(text, 'x', sizeof(text));
	strncpy(text, "abcdef", 4);
	ktest_check(!memcmp(text, "abcdxxxx", 8), "strncpy cuts without a NUL");
	ktest_check(strlen("") == 0 && strlen("roulette") == 8, "strlen counts up to the NUL");
}

static void run(void)
{
	ktest_check(copies_exactly(), "memcpy copies every length from and to every alignment, and nothing more");
	ktest_check(sets_exactly(), "memset writes the low byte over every length and alignment, and nothing more");
	ktest_check(moves_overlapping(), "memmove copies overlapping spans in both directions");
	compare();
	copy_strings();
}

KTEST_SUITE(string, run);
