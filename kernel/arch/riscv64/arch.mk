ARCH_GCC := riscv64-linux-gnu-gcc
ARCH_CLANG_TARGET := riscv64-none-elf
# clang 14 counts the CSR instructions among the base ones. No linker relaxation: gp is not set up.
ARCH_CFLAGS := -march=rv64imac$(if $(findstring clang,$(CC)),,_zicsr_zifencei) -mabi=lp64 -mcmodel=medany -mno-relax
ARCH_SOURCES := boot.S trap.S cpu.c exception.c irq.c timer.c uart.c smp.c power.c mmu.c start.c
ARCH_SHARED_SOURCES := arch/common/smp.c arch/common/machine.c arch/common/pci.c arch/common/paging.c arch/common/intx.c firmware/fdt.c firmware/fdt_bus.c drivers/uart/ns16550.c
ARCH_TEST_SOURCES := arch/ktest/dt.c arch/ktest/riscv64.c
