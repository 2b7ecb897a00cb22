#include "run/record.h"

#include "base/print.h"
#include "options.h"

/* A line as it grows. length may pass size - 1: the rest is then cut. */
struct line {
	char *text;
	size_t size, length;
};

static void line_add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line_add(struct line *line, const char *format, ...)
{
	size_t at = line->length < line->size ? line->length : line->size;
	va_list arguments;

	va_start(arguments, format);
	line->length += print_text_list(line->text + at, line->size - at, format, arguments);
	va_end(arguments);
}

size_t record_text_boot(char *text, size_t size, const struct record_boot *boot)
{
	struct line line = {text, size, 0};

	line_add(&line, "[BOOT] kernel=roulette arch=%s cpus=%u irq=%s", boot->arch, boot->cpus_present, boot->irq);
	line_add(&line, OPTION_KEYS " scene=" SCENE_HASH);
	line_add(&line, " records=%d mode=%ux%u", RECORD_VERSION, boot->width_px, boot->height_px);
	line_add(&line, " tlb=%s\n", boot->tlb_cold ? "cold" : "warm");
	return line.length;
}

/* The rows of a table as a format, and as what it prints of `from`. */
#define KEY(name) " " #name "=%lu"
#define VALUE(name) , from->name
#define COUNT_KEY(name, sum) KEY(name)
#define COUNT_VALUE(name, sum) , from->count[COUNTER_##name]
#define TOTAL_KEY(name, sum) sum##_KEY_(name)
#define TOTAL_KEY_(name) KEY(name)
#define FRAME_KEY_(name)
#define TOTAL_VALUE(name, sum) sum##_VALUE_(name)
#define TOTAL_VALUE_(name) COUNT_VALUE(name, TOTAL)
#define FRAME_VALUE_(name)

size_t record_text_frame(char *text, size_t size, const struct record_frame *from, unsigned groups)
{
	struct line line = {text, size, 0};

	line_add(&line, "[VIRTIO PERF]" COUNTER_ROWS(COUNT_KEY) " frame=%u" COUNTER_ROWS(COUNT_VALUE), from->frame);
	line_add(&line, "" RECORD_ROWS(KEY) RECORD_ROWS(VALUE));
	if (groups & RECORD_EXACT)
		line_add(&line, "" RECORD_EXACT_ROWS(KEY) RECORD_EXACT_ROWS(VALUE));
	if (groups & RECORD_INPUT)
		line_add(&line, "" RECORD_INPUT_ROWS(KEY) RECORD_INPUT_ROWS(VALUE));
	line_add(&line, "\n");
	return line.length;
}

size_t record_text_summary(char *text, size_t size, const struct record_summary *from)
{
	struct line line = {text, size, 0};

	line_add(&line, "[PERF SUMMARY] frames=%lu elapsed_ns=%lu", from->frames, from->elapsed_ns);
	line_add(&line, "" COUNTER_ROWS(TOTAL_KEY) COUNTER_ROWS(TOTAL_VALUE));
	line_add(&line, "" RECORD_SUMMARY_ROWS(KEY) " drift_ppm=%d\n" RECORD_SUMMARY_ROWS(VALUE), from->drift_ppm);
	return line.length;
}

void record_print_boot(const struct record_boot *boot)
{
	char text[RECORD_TEXT_MAX];

	record_text_boot(text, sizeof(text), boot);
	print("%s", text);
}

void record_print_frame(const struct record_frame *frame, unsigned groups)
{
	char text[RECORD_TEXT_MAX];

	record_text_frame(text, sizeof(text), frame, groups);
	print("%s", text);
}

void record_print_summary(const struct record_summary *summary)
{
	char text[RECORD_TEXT_MAX];

	record_text_summary(text, sizeof(text), summary);
	print("%s", text);
}

void record_print_done(bool ok)
{
	print("[DONE] status=%s\n", ok ? "ok" : "failed");
}
