/*
 * Memory handed out at start-up and never given back: rings, framebuffers, stacks, records. Zeroed; NULL when there is
 * no more. One CPU at a time: the boot CPU, which waits while a task of another CPU sets up a device.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

void heap_init(uintptr_t start, uintptr_t end);
/* alignment: a power of two, at least 8. */
void *heap_alloc(size_t size, size_t alignment);
size_t heap_free_bytes(void);

#endif
