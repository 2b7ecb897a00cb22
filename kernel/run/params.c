#include "run/params.h"

#include "base/string.h"
#include "scene/roulette.h"

#include <stddef.h>

#define WORD_MAX PARAMS_SUITE_MAX
#define FRAMES_MAX 1000000000u
#define SECONDS_MAX_MS 86400000u
#define PACE_MAX 1000u
#define PACE_NOT_SAID UINT32_MAX

/* A parameter: its key, what its value is, where that goes, and its bounds, inclusive, where it is a number. */
struct param {
	const char *key;
	bool (*parse)(const struct param *param, const char *text, void *value);
	size_t offset;
	uint32_t low, high;
	const char *help;
};

static bool parse_number(const struct param *param, const char *text, void *value);
static bool parse_seconds(const struct param *param, const char *text, void *value);
static bool parse_mode(const struct param *param, const char *text, void *value);
static bool parse_tlb(const struct param *param, const char *text, void *value);
static bool parse_word(const struct param *param, const char *text, void *value);

#define TO(member) offsetof(struct run_params, member)

/* clang-format off */
static const struct param table[] = {
	{"frames",  parse_number,  TO(frames),     1, FRAMES_MAX,         "frames that are recorded; no limit without it"},
	{"seconds", parse_seconds, TO(seconds_ms), 1, SECONDS_MAX_MS,     "length of the recorded window, to a thousandth"},
	{"warmup",  parse_number,  TO(warmup),     0, FRAMES_MAX,         "frames drawn before the first recorded one"},
	{"mode",    parse_mode,    TO(mode),       0, 0,                  "the picture, WIDTHxHEIGHT"},
	{"pace",    parse_number,  TO(pace),       0, PACE_MAX,           "frames a second; 0: as fast as possible"},
	{"blk",     parse_number,  TO(blk),        0, 4096,               "load on the disk beside the frames, MiB/s"},
	{"slow",    parse_number,  TO(slow),       1, 1000,               "per cent, for FAULT=slow_draw"},
	{"seed",    parse_number,  TO(seed),       0, UINT32_MAX,         "which spins and numbers the roulette shows"},
	{"first",   parse_number,  TO(first),      0, UINT32_MAX,         "number of the first frame"},
	{"load",    parse_number,  TO(load),       0, 1,                  "1: other CPUs run tasks"},
	{"records", parse_number,  TO(records),    0, PARAMS_RECORDS_MAX, "most records printed at the end: the newest"},
	{"exact",   parse_number,  TO(exact),      0, 1,                  "1: interrupts masked, instructions counted"},
	{"input",   parse_number,  TO(input),      0, 1,                  "1: keys pressed are read and numbered"},
	{"tlb",     parse_tlb,     TO(tlb_cold),   0, 0,                  "warm: the TLB is filled first; or cold"},
	{"suite",   parse_word,    TO(suite),      0, 0,                  "of the test image: suites to run, or all"},
};
/* clang-format on */

#define ROWS (sizeof(table) / sizeof(table[0]))

/* Reads decimal digits; false when there are none, when they do not fit, or when something follows. */
static bool read_digits(const char *text, uint32_t *value)
{
	uint64_t sum = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		sum = sum * 10 + (uint32_t)(*text - '0');
		if (sum > UINT32_MAX)
			return false;
	}
	*value = (uint32_t)sum;
	return true;
}

/* Copies what stands before `end`, or all of it, and returns what follows. */
static const char *copy_to(char part[WORD_MAX], const char *text, char end)
{
	size_t at = 0;

	while (text[at] && text[at] != end && at < WORD_MAX - 1) {
		part[at] = text[at];
		at++;
	}
	part[at] = '\0';
	return text + at;
}

static bool parse_number(const struct param *param, const char *text, void *value)
{
	uint32_t number;

	if (!read_digits(text, &number) || number < param->low || number > param->high)
		return false;
	*(uint32_t *)value = number;
	return true;
}

/* Seconds with up to three decimals, as milliseconds. */
static bool parse_seconds(const struct param *param, const char *text, void *value)
{
	char whole[WORD_MAX];
	uint32_t seconds, ms, scale = 100;
	const char *rest = copy_to(whole, text, '.');

	if (!read_digits(whole, &seconds) || seconds > param->high / 1000)
		return false;
	ms = seconds * 1000;
	if (*rest && (!rest[1] || strlen(rest + 1) > 3))
		return false;
	for (const char *digit = rest + (*rest == '.'); *digit; digit++, scale /= 10) {
		if (*digit < '0' || *digit > '9')
			return false;
		ms += (uint32_t)(*digit - '0') * scale;
	}
	*(uint32_t *)value = ms;
	return ms >= param->low;
}

static bool parse_mode(const struct param *param, const char *text, void *value)
{
	struct run_mode *mode = value;
	char width[WORD_MAX];
	const char *rest = copy_to(width, text, 'x');

	(void)param;
	return *rest == 'x' && read_digits(width, &mode->width_px) && read_digits(rest + 1, &mode->height_px) &&
	       mode->width_px >= ROULETTE_WIDTH_MIN && mode->width_px <= ROULETTE_WIDTH_MAX &&
	       mode->height_px >= ROULETTE_HEIGHT_MIN && mode->height_px <= ROULETTE_HEIGHT_MAX;
}

static bool parse_tlb(const struct param *param, const char *text, void *value)
{
	bool *cold = value;

	(void)param;
	*cold = !strcmp(text, "cold");
	return *cold || !strcmp(text, "warm");
}

static bool parse_word(const struct param *param, const char *text, void *value)
{
	(void)param;
	strncpy(value, text, PARAMS_SUITE_MAX - 1);
	return *text;
}

/* Copies the next word and returns what follows it; NULL when it is too long. */
static const char *next_word(const char *at, char word[WORD_MAX])
{
	size_t length = 0;

	for (; *at && *at != ' '; at++) {
		if (length == WORD_MAX - 1)
			break;
		word[length++] = *at;
	}
	word[length] = '\0';
	return *at && *at != ' ' ? NULL : at;
}

static const struct param *param_of(const char *key)
{
	for (unsigned i = 0; i < ROWS; i++)
		if (!strcmp(key, table[i].key))
			return &table[i];
	return NULL;
}

/* One word; NULL, or what is wrong with it. `seen`: bits of the rows that were given. */
static const char *parse_pair(const char *word, struct run_params *params, uint32_t *seen)
{
	char key[WORD_MAX];
	const char *rest = copy_to(key, word, '=');
	const struct param *param;

	if (!*rest)
		return "not key=value";
	param = param_of(key);
	if (!param)
		return "unknown key";
	if (*seen & 1u << (param - table))
		return "given twice";
	*seen |= 1u << (param - table);
	return param->parse(param, rest + 1, (char *)params + param->offset) ? NULL : "value out of range";
}

static int params_refuse(struct params_error *error, const char *why, const char *word)
{
	error->why = why;
	strncpy(error->word, word, sizeof(error->word));
	error->word[sizeof(error->word) - 1] = '\0';
	return ERROR_INVALID;
}

int params_parse(const char *command_line, struct run_params *params, struct params_error *error)
{
	const char *at = command_line, *why;
	char word[WORD_MAX];
	uint32_t seen = 0;

	*params = (struct run_params){
		.mode = {1024, 768},
		.slow = 10,
		.seed = 1,
		.records = PARAMS_RECORDS_MAX,
		.pace = PACE_NOT_SAID,
	};
	for (;;) {
		while (*at == ' ')
			at++;
		if (!*at)
			break;
		at = next_word(at, word);
		if (!at)
			return params_refuse(error, "word too long", word);
		why = parse_pair(word, params, &seen);
		if (why)
			return params_refuse(error, why, word);
	}
	if (params->pace == PACE_NOT_SAID)
		params->pace = params->frames || params->seconds_ms ? 0 : PARAMS_PACE_ENDLESS;
	if (params->exact)
		params->tlb_cold = true;
	return 0;
}

const char *params_key(unsigned index, const char **help)
{
	if (index >= ROWS)
		return NULL;
	*help = table[index].help;
	return table[index].key;
}
