/*
 * Identity-mapping page tables of 512 entries a table and 4 KiB pages, whatever the format of an entry.
 *
 * One CPU at a time: the boot CPU, or another for which it waits. Entries are added, never changed: mapping again what
 * is mapped alike is fine, anything else panics.
 */
#ifndef ARCH_COMMON_PAGING_H
#define ARCH_COMMON_PAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum paging_kind {
	PAGING_NONE,
	PAGING_RAM,      /* cacheable, read and write */
	PAGING_CODE,     /* cacheable, read and execute */
	PAGING_CONSTANT, /* cacheable, read */
	PAGING_DEVICE,   /* device memory, read and write */
};

/* How an architecture encodes entries. Bit 0 is "valid" in both. */
struct paging_format {
	unsigned top_shift; /* address bits below those that index the root: 30 or 39 */
	uint64_t (*table)(uint64_t table);
	/* A leaf of 1 << shift bytes: 12, 21 or 30. */
	uint64_t (*leaf)(uint64_t physical, unsigned shift, enum paging_kind kind);
	bool (*is_leaf)(uint64_t entry, unsigned shift);
	uint64_t (*physical)(uint64_t entry);
	/* Read from a leaf's own bits. */
	bool (*is_device)(uint64_t entry);
	bool (*is_writable)(uint64_t entry);
	bool (*is_executable)(uint64_t entry);
};

/* By the architecture's mmu.c: its format, and whether the MMU in use finds an address to be of a kind. */
extern const struct paging_format mmu_format;
bool mmu_agrees(uint64_t address, enum paging_kind kind);

/* What an address is mapped to, or the hole around it (PAGING_NONE): 1 << shift bytes. */
struct paging_leaf {
	unsigned shift;
	uint64_t entry, physical; /* of the leaf's first byte; 0 in a hole */
	enum paging_kind kind;
};

/* The root table; the same one at every call. */
uint64_t *paging_root(void);
/* Maps [start, end), widened to whole pages. False when there are no tables left or the address is out of reach. */
bool paging_map(const struct paging_format *format, uint64_t start, uint64_t end, enum paging_kind kind);
/* Maps RAM around the kernel's image, each part of it for what it is; the page below the boot stack is left out. */
void paging_map_kernel(const struct paging_format *format, uint64_t ram_start, uint64_t ram_end);
/* Why an address faults that is left unmapped on purpose; NULL for any other. */
const char *paging_fault_name(uint64_t address);
struct paging_leaf paging_look(const struct paging_format *format, uint64_t address);

#endif
