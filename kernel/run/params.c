#include "run/params.h"

#include "lib/string.h"
#include "scene/roulette.h"

#define WORD_MAX PARAMS_SUITE_MAX
#define FRAMES_MAX 1000000000u
#define SECONDS_MAX_MS 86400000u

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
static bool parse_seconds(const char *text, uint32_t *ms)
{
	char whole[WORD_MAX];
	uint32_t seconds, scale = 100;
	size_t at = 0;

	while (text[at] && text[at] != '.' && at < sizeof(whole) - 1) {
		whole[at] = text[at];
		at++;
	}
	whole[at] = '\0';
	if (!parse_number(whole, &seconds) || seconds > SECONDS_MAX_MS / 1000)
		return false;
	*ms = seconds * 1000;
	if (!text[at])
		return true;
	if (!text[at + 1] || strlen(text + at + 1) > 3)
		return false;
	for (const char *digit = text + at + 1; *digit; digit++, scale /= 10) {
		if (*digit < '0' || *digit > '9')
			return false;
		*ms += (uint32_t)(*digit - '0') * scale;
	}
	return true;
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

static bool parse_value(const char *key, const char *value, struct run_params *params, bool *known)
{
	uint32_t exact = params->exact;
	const struct number_key numbers[] = {
		{"frames", &params->frames, 1, FRAMES_MAX},
		{"warmup", &params->warmup, 0, FRAMES_MAX},
		{"pace", &params->pace, 0, 1000},
		{"blk", &params->blk, 0, 4096},
		{"slow", &params->slow, 1, 1000},
		{"seed", &params->seed, 0, UINT32_MAX},
		{"first", &params->first, 0, UINT32_MAX},
		{"load", &params->load, 0, 1},
		{"records", &params->records, 0, PARAMS_RECORDS_MAX},
		{"exact", &exact, 0, 1},
	};

	*known = true;
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(key, numbers[i].key))
			continue;
		if (!parse_number(value, numbers[i].value))
			return false;
		params->exact = exact;
		return *numbers[i].value >= numbers[i].low && *numbers[i].value <= numbers[i].high;
	}
	if (!strcmp(key, "seconds"))
		return parse_seconds(value, &params->seconds_ms) && params->seconds_ms;
	if (!strcmp(key, "mode"))
		return parse_mode(value, params);
	if (!strcmp(key, "suite")) {
		strncpy(params->suite, value, sizeof(params->suite) - 1);
		return *value;
	}
	*known = false;
	return false;
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
	const char *at = command_line;

	*params = (struct run_params){
		.width_px = 1024,
		.height_px = 768,
		.slow = 10,
		.seed = 1,
		.records = PARAMS_RECORDS_MAX,
	};
	for (;;) {
		size_t length = 0;
		bool known;

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
		if (!parse_value(key, word + length + 1, params, &known))
			return params_refuse(error, known ? "value out of range" : "unknown key", word);
	}
	return 0;
}
