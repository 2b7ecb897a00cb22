/* The smaller, the larger, the nearest within bounds, the absolute value. No overflow but of -INT32_MIN. Pure. */
#ifndef BASE_MINMAX_H
#define BASE_MINMAX_H

#include <stdint.h>

static inline int32_t min32(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

static inline int32_t max32(int32_t a, int32_t b)
{
	return a > b ? a : b;
}

/* low <= high */
static inline int32_t clamp32(int32_t value, int32_t low, int32_t high)
{
	return value < low ? low : value > high ? high : value;
}

static inline int64_t clamp64(int64_t value, int64_t low, int64_t high)
{
	return value < low ? low : value > high ? high : value;
}

static inline int32_t abs32(int32_t value)
{
	return value < 0 ? -value : value;
}

#endif
