/* The command line: whatever is written there is taken within its limits, or refused with a word that was in it. */
#include "run/params.h"
#include "scene/roulette.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct run_params params;
	struct params_error error = {0};
	char *line = malloc(length + 1);

	if (!line)
		return 0;
	memcpy(line, bytes, length);
	line[length] = '\0';
	if (params_parse(line, &params, &error)) {
		if (!error.why || !memchr(error.word, 0, sizeof(error.word)) || !strstr(line, error.word))
			abort();
	} else if (params.mode.width_px < ROULETTE_WIDTH_MIN || params.mode.width_px > ROULETTE_WIDTH_MAX ||
		   params.mode.height_px < ROULETTE_HEIGHT_MIN || params.mode.height_px > ROULETTE_HEIGHT_MAX ||
		   params.records > PARAMS_RECORDS_MAX || params.load > 1 || params.exact > 1 || params.pace > 1000 ||
		   !memchr(params.suite, 0, sizeof(params.suite))) {
		abort();
	}
	free(line);
	return 0;
}
