#include "firmware/fdt.h"

#include "base/string.h"

/* Devicetree Specification v0.4 §5.2 and §5.4.1. */
#define FDT_MAGIC 0xd00dfeedu
#define FDT_HEADER_BYTES 40u
#define FDT_VERSION 17u
#define FDT_BEGIN_NODE 1u
#define FDT_END_NODE 2u
#define FDT_PROP 3u
#define FDT_NOP 4u
#define FDT_END 9u

/* One token: where the next one starts, and what it holds. */
struct token {
	uint32_t kind;
	uint32_t next;
	struct fdt_property property; /* FDT_PROP */
	const char *name;             /* FDT_BEGIN_NODE */
};

static uint32_t read_cell(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Length of the string at `text`, or `limit` when no NUL comes before it. */
static uint32_t text_length(const char *text, uint32_t limit)
{
	uint32_t length = 0;
	while (length < limit && text[length] != '\0')
		length++;
	return length;
}

static uint32_t align_cell(uint32_t offset)
{
	return (offset + 3) & ~3u;
}

static int read_property(const struct fdt *fdt, uint32_t at, struct token *token)
{
	uint32_t left = fdt->structure_size - at;
	if (left < 8)
		return ERROR_STRUCTURE;
	uint32_t length = read_cell(fdt->structure + at), name = read_cell(fdt->structure + at + 4);
	if (length > left - 8 || name >= fdt->strings_size)
		return ERROR_STRUCTURE;
	token->property = (struct fdt_property){fdt->strings + name, fdt->structure + at + 8, length};
	token->next = align_cell(at + 8 + length);
	return 0;
}

/* Reads the token at an offset that is a multiple of 4. */
static int read_token(const struct fdt *fdt, uint32_t at, struct token *token)
{
	if (at >= fdt->structure_size || fdt->structure_size - at < 4)
		return ERROR_STRUCTURE;
	token->kind = read_cell(fdt->structure + at);
	at += 4;
	token->next = at;
	switch (token->kind) {
	case FDT_BEGIN_NODE:
		token->name = (const char *)fdt->structure + at;
		uint32_t left = fdt->structure_size - at, length = text_length(token->name, left);
		if (length == left)
			return ERROR_STRUCTURE;
		token->next = align_cell(at + length + 1);
		return 0;
	case FDT_PROP:
		return read_property(fdt, at, token);
	case FDT_END_NODE:
	case FDT_NOP:
	case FDT_END:
		return 0;
	default:
		return ERROR_STRUCTURE;
	}
}

/* Properties before children, one root, balanced nodes, FDT_END at the end (§5.4.2). */
static int check_structure(const struct fdt *fdt)
{
	struct token token;
	int depth = 0;
	bool children_seen = false;
	for (uint32_t at = 0;; at = token.next) {
		int error = read_token(fdt, at, &token);
		if (error)
			return error;
		if (at == 0 && token.kind != FDT_BEGIN_NODE)
			return ERROR_STRUCTURE;
		if (token.kind == FDT_END)
			return ERROR_STRUCTURE;
		if (token.kind == FDT_BEGIN_NODE) {
			children_seen = false;
			if (++depth > FDT_DEPTH_MAX)
				return ERROR_STRUCTURE;
		} else if (token.kind == FDT_END_NODE) {
			children_seen = true;
			if (--depth == 0)
				break;
		} else if (token.kind == FDT_PROP && children_seen) {
			return ERROR_STRUCTURE;
		}
	}
	do {
		int error = read_token(fdt, token.next, &token);
		if (error)
			return error;
	} while (token.kind == FDT_NOP);
	return token.kind == FDT_END ? 0 : ERROR_STRUCTURE;
}

/* Whether [offset, offset + length) lies behind the header and inside `size` bytes. */
static bool block_inside(uint32_t offset, uint32_t length, uint32_t size)
{
	return offset >= FDT_HEADER_BYTES && offset <= size && length <= size - offset;
}

int fdt_open(struct fdt *fdt, const void *blob, size_t limit)
{
	const uint8_t *header = blob;
	if (limit < FDT_HEADER_BYTES)
		return ERROR_BOUNDS;
	if (read_cell(header) != FDT_MAGIC)
		return ERROR_MAGIC;
	uint32_t size = read_cell(header + 4);
	uint32_t structure = read_cell(header + 8), structure_size = read_cell(header + 36);
	uint32_t strings = read_cell(header + 12), strings_size = read_cell(header + 32);
	if (read_cell(header + 20) < FDT_VERSION || read_cell(header + 24) > FDT_VERSION)
		return ERROR_VERSION;
	/* Node offsets are ints. */
	if (size > limit || size > INT32_MAX || structure % 4 != 0)
		return ERROR_BOUNDS;
	if (!block_inside(structure, structure_size, size) || !block_inside(strings, strings_size, size))
		return ERROR_BOUNDS;
	if (strings_size == 0 || header[strings + strings_size - 1] != '\0')
		return ERROR_BOUNDS;
	*fdt = (struct fdt){.structure = header + structure,
			    .strings = (const char *)header + strings,
			    .structure_size = structure_size,
			    .strings_size = strings_size,
			    .size = size};
	return check_structure(fdt);
}

const char *fdt_error_text(int error)
{
	switch (error) {
	case ERROR_NOTFOUND:
		return "no such node or property";
	case ERROR_MAGIC:
		return "no device tree there (wrong magic)";
	case ERROR_VERSION:
		return "a version that this reader does not know";
	case ERROR_BOUNDS:
		return "a block outside the blob";
	case ERROR_STRUCTURE:
		return "damaged structure block";
	case ERROR_VALUE:
		return "a property with an impossible value";
	default:
		return "no error";
	}
}

int fdt_next(const struct fdt *fdt, int node, int *depth)
{
	struct token token;
	if (node < 0 || read_token(fdt, (uint32_t)node, &token) || token.kind != FDT_BEGIN_NODE)
		return ERROR_NOTFOUND;
	for (;;) {
		uint32_t at = token.next;
		if (read_token(fdt, at, &token) || token.kind == FDT_END)
			return ERROR_NOTFOUND;
		if (token.kind == FDT_END_NODE && depth)
			--*depth;
		if (token.kind == FDT_BEGIN_NODE) {
			if (depth)
				++*depth;
			return (int)at;
		}
	}
}

const char *fdt_name(const struct fdt *fdt, int node)
{
	struct token token;
	if (node < 0 || read_token(fdt, (uint32_t)node, &token) || token.kind != FDT_BEGIN_NODE)
		return "";
	return token.name;
}

int fdt_parent(const struct fdt *fdt, int node)
{
	int ancestors[FDT_DEPTH_MAX + 1] = {0}, depth = 0;
	for (int at = 0; at >= 0; at = fdt_next(fdt, at, &depth)) {
		if (depth < 0 || depth > FDT_DEPTH_MAX)
			return ERROR_STRUCTURE;
		ancestors[depth] = at;
		if (at == node)
			return depth == 0 ? ERROR_NOTFOUND : ancestors[depth - 1];
	}
	return ERROR_NOTFOUND;
}

static bool name_ends(char c)
{
	return c == '\0' || c == '/' || c == ':';
}

/* Whether a node is called `wanted`, with or without its unit address. */
static bool name_matches(const char *name, const char *wanted)
{
	while (!name_ends(*wanted) && *name == *wanted) {
		name++;
		wanted++;
	}
	return name_ends(*wanted) && (*name == '\0' || *name == '@');
}

int fdt_child(const struct fdt *fdt, int parent, const char *name)
{
	int depth = 0;
	for (int node = fdt_next(fdt, parent, &depth); node >= 0 && depth > 0; node = fdt_next(fdt, node, &depth)) {
		if (depth == 1 && name_matches(fdt_name(fdt, node), name))
			return node;
	}
	return ERROR_NOTFOUND;
}

int fdt_path(const struct fdt *fdt, const char *path)
{
	int node = 0;

	if (*path != '/')
		return ERROR_NOTFOUND;
	while (*path == '/' && node >= 0) {
		path++;
		if (name_ends(*path))
			break;
		node = fdt_child(fdt, node, path);
		while (!name_ends(*path))
			path++;
	}
	return node;
}

int fdt_find(const struct fdt *fdt, int from, const char *property, const char *text)
{
	struct fdt_property found;
	for (int node = from < 0 ? 0 : fdt_next(fdt, from, NULL); node >= 0; node = fdt_next(fdt, node, NULL)) {
		if (fdt_property(fdt, node, property, &found) == 0 && fdt_list_has(&found, text))
			return node;
	}
	return ERROR_NOTFOUND;
}

int fdt_find_phandle(const struct fdt *fdt, uint32_t phandle)
{
	for (int node = 0; node >= 0; node = fdt_next(fdt, node, NULL)) {
		if (phandle != 0 && fdt_u32(fdt, node, "phandle", 0) == phandle)
			return node;
	}
	return ERROR_NOTFOUND;
}

int fdt_property(const struct fdt *fdt, int node, const char *name, struct fdt_property *property)
{
	struct token token;
	if (node < 0 || read_token(fdt, (uint32_t)node, &token) || token.kind != FDT_BEGIN_NODE)
		return ERROR_NOTFOUND;
	while (read_token(fdt, token.next, &token) == 0 && (token.kind == FDT_PROP || token.kind == FDT_NOP)) {
		if (token.kind == FDT_PROP && strcmp(token.property.name, name) == 0) {
			*property = token.property;
			return 0;
		}
	}
	return ERROR_NOTFOUND;
}

bool fdt_list_has(const struct fdt_property *property, const char *text)
{
	const char *list = (const char *)property->value;
	for (uint32_t at = 0; at < property->length;) {
		uint32_t length = text_length(list + at, property->length - at);
		if (at + length == property->length)
			return false;
		if (strcmp(list + at, text) == 0)
			return true;
		at += length + 1;
	}
	return false;
}

const char *fdt_string(const struct fdt *fdt, int node, const char *name)
{
	struct fdt_property property;
	if (fdt_property(fdt, node, name, &property) || property.length == 0)
		return NULL;
	if (property.value[property.length - 1] != '\0')
		return NULL;
	return (const char *)property.value;
}

uint32_t fdt_cell(const struct fdt_property *property, uint32_t index, uint32_t absent)
{
	if (index >= property->length / 4)
		return absent;
	return read_cell(property->value + 4 * index);
}

int fdt_number(const struct fdt_property *property, uint32_t index, uint32_t cells, uint64_t *number)
{
	uint64_t value = 0;
	uint32_t present = property->length / 4;
	if (cells > 2 || index > present || cells > present - index)
		return ERROR_VALUE;
	for (uint32_t i = 0; i < cells; i++)
		value = value << 32 | read_cell(property->value + 4 * (index + i));
	*number = value;
	return 0;
}

uint32_t fdt_u32(const struct fdt *fdt, int node, const char *name, uint32_t absent)
{
	struct fdt_property property;
	if (fdt_property(fdt, node, name, &property) || property.length != 4)
		return absent;
	return read_cell(property.value);
}
