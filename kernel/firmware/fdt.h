/*
 * Reader of flattened device trees (Devicetree Specification v0.4, chapter 5).
 *
 * Called on the boot CPU, before the MMU is on: no locks, no allocation, byte accesses only. fdt_open walks the whole
 * tree once; afterwards every function stays inside the blob, whatever it holds.
 * Failure: negative FDT_E… values. A node is the offset of its FDT_BEGIN_NODE token in the structure block; the root
 * is 0.
 */
#ifndef FIRMWARE_FDT_H
#define FIRMWARE_FDT_H

#include "base/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FDT_DEPTH_MAX 16

struct fdt {
	const uint8_t *structure;
	const char *strings; /* NUL-terminated: its last byte is checked by fdt_open */
	uint32_t structure_size, strings_size;
	uint32_t size; /* of the whole blob */
};

/* Bytes inside the blob; big-endian cells. */
struct fdt_property {
	const char *name;
	const uint8_t *value;
	uint32_t length;
};

/* The blob's own size must not exceed `limit` bytes. */
int fdt_open(struct fdt *fdt, const void *blob, size_t limit);
const char *fdt_error_text(int error);

/* The next node in document order; `depth`, when not NULL, counts levels below the node that the walk began with. */
int fdt_next(const struct fdt *fdt, int node, int *depth);
/* "" for the root. */
const char *fdt_name(const struct fdt *fdt, int node);
int fdt_parent(const struct fdt *fdt, int node);
/* The child of `parent` with that name, which ends at NUL, "/" or ":"; its unit address ("@…") may be left out. */
int fdt_child(const struct fdt *fdt, int parent, const char *name);
/* The node that an absolute path names; ":…" at its end, as in stdout-path, is left out. */
int fdt_path(const struct fdt *fdt, const char *path);
/* The first node after `from` (-1: from the root on) with `text` among the strings of `property`. */
int fdt_find(const struct fdt *fdt, int from, const char *property, const char *text);
int fdt_find_phandle(const struct fdt *fdt, uint32_t phandle);

int fdt_property(const struct fdt *fdt, int node, const char *name, struct fdt_property *property);
/* Whether a string list holds `text`. */
bool fdt_list_has(const struct fdt_property *property, const char *text);
/* The NUL-terminated string that the property is; NULL when there is none. */
const char *fdt_string(const struct fdt *fdt, int node, const char *name);
/* Cell `index` of a property; `absent` when it has no such cell. */
uint32_t fdt_cell(const struct fdt_property *property, uint32_t index, uint32_t absent);
/* The number that `cells` cells from cell `index` make, 64 bits at most. */
int fdt_number(const struct fdt_property *property, uint32_t index, uint32_t cells, uint64_t *number);
uint32_t fdt_u32(const struct fdt *fdt, int node, const char *name, uint32_t absent);

#endif
