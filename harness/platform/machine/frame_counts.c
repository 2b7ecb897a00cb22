/*
 * A QEMU plugin: how often each translation block ran, and how often memory was accessed, between marked functions.
 *
 * Arguments: out=FILE, mark=NAME:ADDRESS for each function whose entry is an event, ram=START:END (virtual addresses,
 * hexadecimal like all others): accesses elsewhere go to a device. For one CPU.
 *
 * FILE receives, in order:
 *   b <id> <instructions>            a block was translated (also written to QEMU's log, as "block <id>")
 *   e <name> <accesses> <bytes> <device accesses>
 *                                    a marked function was entered; totals since the start (also written to the log,
 *                                    as "event <name>")
 *   r <id> <times>                   how often a block ran from the event before to this one
 *
 * Debian's QEMU offers plugins and ships no header for them: what is needed of the interface stands here. Version 1
 * (to QEMU 8.2) counts a block's runs in any memory; from version 2 on (QEMU 9.0) in a scoreboard, which has an element
 * for each CPU. Functions that only one of them has are weak, and which are there says which version it is.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))
#define ONLY_IN_SOME __attribute__((weak))
#define BLOCKS_MAX 262144u
#define MARKS_MAX 32
#define NAME_MAX_BYTES 32

enum { REGISTERS_UNUSED = 0 };
enum { ACCESS_READ_WRITE = 3 };
enum { INLINE_ADD = 0 };

typedef uint64_t plugin_id;

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_scoreboard;

/* A number in each element of a scoreboard. */
struct scored {
	struct qemu_plugin_scoreboard *scoreboard;
	size_t offset_bytes;
};

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*call)(plugin_id id, struct qemu_plugin_tb *block));
/* Version 1. */
ONLY_IN_SOME void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, int operation, void *counter,
							   uint64_t by);
/* Version 2. */
ONLY_IN_SOME void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(struct qemu_plugin_tb *block, int operation,
								    struct scored counter, uint64_t by);
ONLY_IN_SOME struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t element_bytes);
ONLY_IN_SOME void *qemu_plugin_scoreboard_find(struct qemu_plugin_scoreboard *scoreboard, unsigned cpu);
/* Both. */
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*call)(unsigned cpu, void *data),
					    int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
				      void (*call)(unsigned cpu, uint32_t info, uint64_t address, void *data),
				      int flags, int kinds, void *data);
unsigned qemu_plugin_mem_size_shift(uint32_t info);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*call)(plugin_id id, void *data), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_outs(const char *text);

EXPORTED int qemu_plugin_version = 1;
EXPORTED int qemu_plugin_install(plugin_id id, const void *info, int count, char **words);

struct mark {
	char name[NAME_MAX_BYTES];
	uint64_t address;
};

/* Handed to an event's callback: which function, and the block that its first instruction begins. */
struct entry {
	const struct mark *mark;
	uint32_t block;
};

static FILE *out;
static struct mark marks[MARKS_MAX];
static unsigned mark_count;
static uint64_t ram_start, ram_end = UINT64_MAX;
static uint64_t accesses, bytes, device_accesses;
static uint32_t block_count;
static struct qemu_plugin_scoreboard *scoreboard;
static uint64_t *runs;  /* of each block, without a scoreboard */
static uint64_t *noted; /* of each block, at the event before */

/* QEMU reads the version once the library is loaded: which functions it has is known by then. */
__attribute__((constructor)) static void choose_version(void)
{
	if (qemu_plugin_scoreboard_new)
		qemu_plugin_version = 2;
}

/* Of each block; the scoreboard may move when a CPU is added. */
static const uint64_t *runs_of(unsigned cpu)
{
	return scoreboard ? qemu_plugin_scoreboard_find(scoreboard, cpu) : runs;
}

static void count_runs(struct qemu_plugin_tb *block, uint32_t number)
{
	if (scoreboard)
		qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(
			block, INLINE_ADD, (struct scored){scoreboard, number * sizeof(*runs)}, 1);
	else
		qemu_plugin_register_vcpu_tb_exec_inline(block, INLINE_ADD, &runs[number], 1);
}

static void accessed(unsigned cpu, uint32_t info, uint64_t address, void *data)
{
	(void)cpu;
	(void)data;
	accesses++;
	bytes += 1ull << qemu_plugin_mem_size_shift(info);
	if (address < ram_start || address >= ram_end)
		device_accesses++;
}

static void event(unsigned cpu, void *data)
{
	const struct entry *entry = data;
	const uint64_t *counted = runs_of(cpu);
	char text[NAME_MAX_BYTES + 16];

	snprintf(text, sizeof(text), "event %s\n", entry->mark->name);
	qemu_plugin_outs(text);
	fprintf(out, "e %s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", entry->mark->name, accesses, bytes, device_accesses);
	for (uint32_t i = 0; i < block_count; i++) {
		/* The block that the event begins has been counted already, and belongs to what follows. */
		uint64_t now = counted[i] - (i == entry->block);

		if (now != noted[i])
			fprintf(out, "r %" PRIu32 " %" PRIu64 "\n", i, now - noted[i]);
		noted[i] = now;
	}
}

static void watch_entry(struct qemu_plugin_insn *first, uint32_t block)
{
	uint64_t address = qemu_plugin_insn_vaddr(first);

	for (unsigned i = 0; i < mark_count; i++) {
		struct entry *entry;

		if (marks[i].address != address)
			continue;
		/* Lives as long as QEMU does. */
		entry = malloc(sizeof(*entry));
		if (!entry)
			abort();
		*entry = (struct entry){&marks[i], block};
		qemu_plugin_register_vcpu_insn_exec_cb(first, event, REGISTERS_UNUSED, entry);
	}
}

static void translated(plugin_id id, struct qemu_plugin_tb *block)
{
	size_t count = qemu_plugin_tb_n_insns(block);
	uint32_t number = block_count;
	char text[32];

	(void)id;
	if (number == BLOCKS_MAX)
		return;
	block_count++;
	snprintf(text, sizeof(text), "block %" PRIu32 "\n", number);
	qemu_plugin_outs(text);
	fprintf(out, "b %" PRIu32 " %zu\n", number, count);
	count_runs(block, number);
	for (size_t i = 0; i < count; i++)
		qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(block, i), accessed, REGISTERS_UNUSED,
						 ACCESS_READ_WRITE, NULL);
	watch_entry(qemu_plugin_tb_get_insn(block, 0), number);
}

static void ended(plugin_id id, void *data)
{
	(void)id;
	(void)data;
	fprintf(out, "end %" PRIu32 "\n", block_count);
	fclose(out);
}

static bool take_mark(const char *text)
{
	const char *colon = strchr(text, ':');
	struct mark *mark = &marks[mark_count];
	char *end;

	if (!colon || colon == text || colon - text >= NAME_MAX_BYTES || mark_count == MARKS_MAX)
		return false;
	memcpy(mark->name, text, (size_t)(colon - text));
	mark->address = strtoull(colon + 1, &end, 16);
	mark_count++;
	return end != colon + 1 && !*end;
}

static bool take_ram(const char *text)
{
	char *end;

	ram_start = strtoull(text, &end, 16);
	if (*end != ':')
		return false;
	ram_end = strtoull(end + 1, &end, 16);
	return !*end && ram_end > ram_start;
}

static bool take(const char *word)
{
	if (!strncmp(word, "out=", 4)) {
		out = fopen(word + 4, "w");
		return out;
	}
	if (!strncmp(word, "ram=", 4))
		return take_ram(word + 4);
	return !strncmp(word, "mark=", 5) && take_mark(word + 5);
}

EXPORTED int qemu_plugin_install(plugin_id id, const void *info, int count, char **words)
{
	(void)info;
	if (qemu_plugin_version >= 2)
		scoreboard = qemu_plugin_scoreboard_new(BLOCKS_MAX * sizeof(*runs));
	else
		runs = calloc(BLOCKS_MAX, sizeof(*runs));
	noted = calloc(BLOCKS_MAX, sizeof(*noted));
	for (int i = 0; i < count; i++) {
		if (!take(words[i]))
			return -1;
	}
	if (!out || !noted || !(scoreboard || runs))
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, ended, NULL);
	return 0;
}
