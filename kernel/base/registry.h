/*
 * Lists that gather themselves: each entry stands in its own file, and the linker puts all entries of the files that
 * were linked into one section, in link order. Both linkers give a section with the name of an identifier two symbols,
 * its start and its stop. A list without any entry has neither, and does not link.
 */
#ifndef BASE_REGISTRY_H
#define BASE_REGISTRY_H

#include <stdint.h>

/* NOLINTBEGIN(bugprone-macro-parentheses): a type takes none. */
/* In a header or the file that reads the list: its bounds. */
#define REGISTRY(list, type)                                                                                           \
	extern type *const __start_##list[];                                                                           \
	extern type *const __stop_##list[]
#define REGISTRY_FIRST(list) (__start_##list)
/* As numbers, because no object holds both bounds. */
#define REGISTRY_COUNT(list) ((unsigned)(((uintptr_t)__stop_##list - (uintptr_t)__start_##list) / sizeof(void *)))

/* Puts an object into the list. Entries are pointers: compilers align structs, and so space them, as they like. */
#define REGISTRY_ADD(list, type, object)                                                                               \
	static type *const list##_entry_##object __attribute__((used, section(#list))) = &(object)
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
