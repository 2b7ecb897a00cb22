ARCH_GCC := gcc
ARCH_CLANG_TARGET := x86_64-none-elf
ARCH_CFLAGS := -m64 -mgeneral-regs-only -mno-red-zone -mcmodel=small
ARCH_SOURCES := boot.S trap.S cpu.c exception.c irq.c timer.c uart.c smp.c power.c mmu.c pci.c start.c
ARCH_SHARED_SOURCES := arch/common/smp.c firmware/acpi.c firmware/pvh.c base/clock.c drivers/uart/ns16550.c
ARCH_TEST_SOURCES := arch/ktest/x86_64.c
