/* base/print: every conversion at its limits, and text that does not fit; drivers/uart/ns16550 against a UART of
 * memory. */
#include "test/ktest.h"

#include "arch/arch.h"
#include "base/print.h"
#include "base/string.h"
#include "drivers/uart/ns16550.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

static bool prints(const char *wanted, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool prints(const char *wanted, const char *format, ...)
{
	char text[128];
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	length = print_text_list(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length == strlen(wanted) && !strcmp(text, wanted))
		return true;
	ktest_note("wanted '%s', got '%s'", wanted, text);
	return false;
}

static void numbers(void)
{
	ktest_check(prints("0 0 0", "%d %u %x", 0, 0u, 0u), "zero prints as one digit");
	ktest_check(prints("-2147483648 2147483647", "%d %d", INT32_MIN, INT32_MAX), "int prints at both ends");
	ktest_check(prints("4294967295 ffffffff", "%u %x", UINT32_MAX, UINT32_MAX), "unsigned prints at its end");
	ktest_check(prints("18446744073709551615", "%llu", (unsigned long long)UINT64_MAX), "%llu prints 64 bits");
	ktest_check(prints("-9223372036854775808", "%lld", (long long)INT64_MIN), "%lld prints the least of 64 bits");
	ktest_check(prints("ffffffffffffffff 7", "%lx %lu", UINT64_MAX, 7ul), "%lx and %lu print longs");
	ktest_check(prints("0000000000001234", "%p", (void *)0x1234), "%p prints sixteen digits");
}

static void widths(void)
{
	ktest_check(prints("[   7] [0007]", "[%4d] [%04d]", 7, 7), "a width pads with blanks, or zeros when told");
	ktest_check(prints("[  -7] [-007]", "[%4d] [%04d]", -7, -7), "the sign stands beside the digits, before zeros");
	ktest_check(prints("[12345]", "[%4d]", 12345), "a number wider than its width is not cut");
	ktest_check(prints("[  ab]", "[%4s]", "ab"), "a width pads a string on its left");
	ktest_check(prints("[00000000000000ff]", "[%016lx]", 0xfful), "sixteen digits for a register");
}

static void text(void)
{
	const char *volatile nothing = NULL;

	ktest_check(prints("a%b", "%c%%%s", 'a', "b"), "characters, strings and the per cent sign");
	ktest_check(prints("(null)", "%s", nothing), "a NULL string prints as one");
	ktest_check(prints("", "%s", ""), "an empty string prints as nothing");
}

static void bounds(void)
{
	char small[4] = "zzz";
	size_t length = print_text(small, sizeof(small), "%s", "abcdef");

	ktest_check(length == 6 && !strcmp(small, "abc"), "text that does not fit is cut, and its length is told");
	length = print_text(small, 1, "%d", 12);
	ktest_check(length == 2 && !small[0] && small[1] == 'b', "room for the NUL alone is enough to be safe");
	length = print_text(small, 0, "x");
	ktest_check(length == 1 && !small[0] && small[1] == 'b', "no room writes nothing");
}

#define UART_DATA 0
#define UART_STATUS 5
#define STATUS_EMPTY 0x20
#define STATUS_IDLE 0x40
#define STALL_NS 60000000ull
#define SHORT_NS 20000000ull

/* Its registers; writes to each; when its transmitter becomes ready, in ticks of the clock; how often it was polled. */
static struct {
	uint8_t registers[8];
	unsigned writes[8], polls;
	uint64_t stalled_since;
} fake;

static uint8_t fake_read(unsigned number)
{
	if (number != UART_STATUS)
		return fake.registers[number];
	fake.polls++;
	if (fake.stalled_since && arch_ticks_to_ns(arch_ticks() - fake.stalled_since) > STALL_NS)
		return STATUS_EMPTY;
	return fake.registers[UART_STATUS];
}

static void fake_write(unsigned number, uint8_t value)
{
	fake.registers[number] = value;
	fake.writes[number]++;
}

/* One that is ready, one whose host stands still for a while, and one that never gets ready. */
static void console(void)
{
	static struct ns16550 uart = {fake_read, fake_write, {PATIENCE_NS, false}};
	uint64_t began;

	ns16550_init(&uart, 0);
	ktest_check(!fake.writes[3] && !fake.registers[1],
		    "a UART without a divisor keeps its speed, without interrupts");
	ns16550_init(&uart, 1);
	ktest_check(fake.registers[3] == 0x03 && fake.registers[0] == 1, "one with a divisor ends in data mode, 8N1");
	fake.registers[UART_STATUS] = STATUS_EMPTY;
	ns16550_put(&uart, 'x');
	ktest_check(fake.registers[UART_DATA] == 'x' && fake.polls == 1,
		    "an empty transmitter gets a character at once");
	fake.registers[UART_STATUS] = 0;
	fake.stalled_since = arch_ticks();
	ns16550_put(&uart, 'y');
	ktest_check(fake.registers[UART_DATA] == 'y' && fake.polls > 2, "one that stalls for 60 ms loses nothing");
	fake.stalled_since = 0;
	uart.patience.ns = SHORT_NS;
	began = arch_ticks();
	ns16550_put(&uart, 'z');
	ktest_check(fake.registers[UART_DATA] == 'y' && arch_ticks_to_ns(arch_ticks() - began) >= SHORT_NS,
		    "one that stays busy for longer than the limit loses the character");
	fake.polls = 0;
	ns16550_put(&uart, 'z');
	ns16550_drain(&uart);
	ktest_check(fake.registers[UART_DATA] == 'y' && fake.polls == 2, "and is not waited for again");
	fake.registers[UART_STATUS] = STATUS_EMPTY | STATUS_IDLE;
	ns16550_put(&uart, 'z');
	ktest_check(fake.registers[UART_DATA] == 'z', "but is used when it is ready");
}

static void run(void)
{
	console();
	numbers();
	widths();
	text();
	bounds();
}

KTEST_SUITE(print, run);
