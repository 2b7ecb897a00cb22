#include "base/heap.h"

#include "base/string.h"

static uintptr_t heap_next, heap_end;

void heap_init(uintptr_t start, uintptr_t end)
{
	heap_next = start;
	heap_end = end;
}

void *heap_alloc(size_t size, size_t alignment)
{
	uintptr_t at = (heap_next + alignment - 1) & ~(alignment - 1);

	if (at < heap_next || at > heap_end || size > heap_end - at)
		return NULL;
	heap_next = at + size;
	return memset((void *)at, 0, size);
}

size_t heap_free_bytes(void)
{
	return heap_end - heap_next;
}
