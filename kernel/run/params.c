#include "run/params.h"

#include "base/string.h"
#include "scene/roulette.h"

#define WORD_MAX PARAMS_SUITE_MAX
#define FRAMES_MAX 1000000000u
#define SECONDS_MAX_MS 86400000u
#define PACE_MAX 1000u
#define PACE_NOT_SAID UINT32_MAX

/* Where a plain number goes, and its bounds, inclusive. */
struct number_key {
	const char *key;
	uint32_t *value;
	uint32_t low, high;
};

/* Decimal digits alone; false when there are none, or they do not fit, or something follows. */
static bool parse_number(const char *text, uint32_t *value)
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

/* Seconds with up to three decimals, as milliseconds. */
static bool parse_seconds(const char *text, struct run_params *params)
{
	char whole[WORD_MAX];
	uint32_t seconds, ms, scale = 100;
	size_t at = 0;

	while (text[at] && text[at] != '.' && at < sizeof(whole) - 1) {
		whole[at] = text[at];
		at++;
	}
	whole[at] = '\0';
	if (!parse_number(whole, &seconds) || seconds > SECONDS_MAX_MS / 1000)
		return false;
	ms = seconds * 1000;
	if (text[at] && (!text[at + 1] || strlen(text + at + 1) > 3))
		return false;
	for (const char *digit = text + at + (text[at] == '.'); *digit; digit++, scale /= 10) {
		if (*digit < '0' || *digit > '9')
			return false;
		ms += (uint32_t)(*digit - '0') * scale;
	}
	params->seconds_ms = ms;
	return ms;
}

static bool parse_mode(const char *text, struct run_params *params)
{
	char width[WORD_MAX];
	size_t at = 0;

	while (text[at] && text[at] != 'x' && at < sizeof(width) - 1) {
		width[at] = text[at];
		at++;
	}
	width[at] = '\0';
	return text[at] == 'x' && parse_number(width, &params->width_px) &&
	       parse_number(text + at + 1, &params->height_px) && params->width_px >= ROULETTE_WIDTH_MIN &&
	       params->width_px <= ROULETTE_WIDTH_MAX && params->height_px >= ROULETTE_HEIGHT_MIN &&
	       params->height_px <= ROULETTE_HEIGHT_MAX;
}

/* What became of one key=value. */
enum parsed {
	PARSED,
	PARSED_RANGE,
	PARSED_TWICE,
	PARSED_UNKNOWN,
};

/* Whether the key's bit was still clear; sets it. */
static bool key_first(uint32_t *seen, unsigned bit)
{
	bool first = !(*seen & 1u << bit);

	*seen |= 1u << bit;
	return first;
}

static enum parsed parse_number_key(const struct number_key *key, const char *value)
{
	uint32_t number;

	if (!parse_number(value, &number) || number < key->low || number > key->high)
		return PARSED_RANGE;
	*key->value = number;
	return PARSED;
}

static bool parse_tlb(const char *text, struct run_params *params)
{
	params->tlb_cold = !strcmp(text, "cold");
	return params->tlb_cold || !strcmp(text, "warm");
}

static bool parse_suite(const char *text, struct run_params *params)
{
	strncpy(params->suite, text, sizeof(params->suite) - 1);
	return *text;
}

static enum parsed parse_value(const char *key, const char *value, struct run_params *params, uint32_t *seen)
{
	const struct number_key numbers[] = {
		{"frames", &params->frames, 1, FRAMES_MAX},
		{"warmup", &params->warmup, 0, FRAMES_MAX},
		{"pace", &params->pace, 0, PACE_MAX},
		{"blk", &params->blk, 0, 4096},
		{"slow", &params->slow, 1, 1000},
		{"seed", &params->seed, 0, UINT32_MAX},
		{"first", &params->first, 0, UINT32_MAX},
		{"load", &params->load, 0, 1},
		{"records", &params->records, 0, PARAMS_RECORDS_MAX},
		{"exact", &params->exact, 0, 1},
	};
	const struct {
		const char *key;
		bool (*parse)(const char *text, struct run_params *params);
	} others[] = {{"seconds", parse_seconds}, {"mode", parse_mode}, {"tlb", parse_tlb}, {"suite", parse_suite}};
	const unsigned number_count = sizeof(numbers) / sizeof(numbers[0]);

	for (unsigned i = 0; i < number_count; i++)
		if (!strcmp(key, numbers[i].key))
			return key_first(seen, i) ? parse_number_key(&numbers[i], value) : PARSED_TWICE;
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcmp(key, others[i].key) != 0)
			continue;
		if (!key_first(seen, number_count + i))
			return PARSED_TWICE;
		return others[i].parse(value, params) ? PARSED : PARSED_RANGE;
	}
	return PARSED_UNKNOWN;
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

static int params_refuse(struct params_error *error, const char *why, const char *word)
{
	error->why = why;
	strncpy(error->word, word, sizeof(error->word));
	error->word[sizeof(error->word) - 1] = '\0';
	return -1;
}

int params_parse(const char *command_line, struct run_params *params, struct params_error *error)
{
	char word[WORD_MAX], key[WORD_MAX];
	static const char *const why[] = {
		[PARSED_RANGE] = "value out of range",
		[PARSED_TWICE] = "given twice",
		[PARSED_UNKNOWN] = "unknown key",
	};
	const char *at = command_line;
	uint32_t seen = 0;

	*params = (struct run_params){
		.width_px = 1024,
		.height_px = 768,
		.slow = 10,
		.seed = 1,
		.records = PARAMS_RECORDS_MAX,
		.pace = PACE_NOT_SAID,
	};
	for (;;) {
		size_t length = 0;
		enum parsed parsed;

		while (*at == ' ')
			at++;
		if (!*at)
			break;
		at = next_word(at, word);
		if (!at)
			return params_refuse(error, "word too long", word);
		while (word[length] && word[length] != '=')
			length++;
		if (!word[length])
			return params_refuse(error, "not key=value", word);
		memcpy(key, word, length);
		key[length] = '\0';
		parsed = parse_value(key, word + length + 1, params, &seen);
		if (parsed != PARSED)
			return params_refuse(error, why[parsed], word);
	}
	if (params->pace == PACE_NOT_SAID)
		params->pace = params->frames || params->seconds_ms ? 0 : PARAMS_PACE_ENDLESS;
	if (params->exact)
		params->tlb_cold = true;
	return 0;
}
