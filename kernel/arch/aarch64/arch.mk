ARCH_GCC := aarch64-linux-gnu-gcc
ARCH_CLANG_TARGET := aarch64-none-elf
ARCH_CFLAGS := -march=armv8-a -mgeneral-regs-only $(if $(findstring clang,$(CC)),,-mno-outline-atomics)
ARCH_SOURCES := boot.S trap.S cpu.c exception.c irq.c timer.c uart.c smp.c power.c mmu.c start.c
ARCH_SHARED_SOURCES := arch/common/smp.c arch/common/machine.c arch/common/pci.c arch/common/paging.c arch/common/intx.c firmware/fdt.c firmware/fdt_bus.c
ARCH_TEST_SOURCES := arch/ktest/dt.c arch/ktest/aarch64.c
