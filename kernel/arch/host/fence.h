/* The fences of the build machine are those of its architecture. */
#ifndef ARCH_HOST_FENCE_H
#define ARCH_HOST_FENCE_H

#if defined(__x86_64__)
#include "arch/x86_64/fence.h"
#elif defined(__aarch64__)
#include "arch/aarch64/fence.h"
#elif defined(__riscv)
#include "arch/riscv64/fence.h"
#else
#error "arch/host: no fences for this machine"
#endif

#endif
