/* QEMU's riscv64 virt machine, in supervisor mode below OpenSBI. */
#include "guest.h"

#define UART ((volatile uint8_t *)0x10000000)
#define UART_STATUS 5
#define TICKS_PER_US 10

void guest_main(void);

__asm__(".section .text.start, \"ax\"\n"
	".globl start\n"
	"start:\n"
	"	la sp, stack_end\n"
	"	tail guest_main\n"
	".text\n");

static uint64_t ticks(void)
{
	uint64_t value;

	__asm__ volatile("rdtime %0" : "=r"(value));
	return value;
}

static void sbi(uint64_t extension, uint64_t function, uint64_t argument)
{
	register uint64_t a0 __asm__("a0") = argument;
	register uint64_t a1 __asm__("a1") = 0;
	register uint64_t a6 __asm__("a6") = function;
	register uint64_t a7 __asm__("a7") = extension;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a6), "r"(a7) : "memory");
}

/* The timer's interrupt is enabled, and interrupts are not: it ends wfi and goes nowhere. */
void machine_start(void)
{
	__asm__ volatile("csrc sstatus, %0; csrs sie, %1" : : "r"(2L), "r"(1L << 5));
}

void machine_put(char c)
{
	while (!(UART[UART_STATUS] & 0x20))
		;
	UART[0] = (uint8_t)c;
}

bool machine_typed(char *c)
{
	if (!(UART[UART_STATUS] & 1))
		return false;
	*c = (char)UART[0];
	return true;
}

uint64_t machine_now_us(void)
{
	return ticks() / TICKS_PER_US;
}

void machine_rest_until_us(uint64_t until_us)
{
	if (ticks() >= until_us * TICKS_PER_US)
		return;
	sbi(0x54494d45, 0, until_us * TICKS_PER_US);
	while (ticks() < until_us * TICKS_PER_US)
		__asm__ volatile("wfi");
	sbi(0x54494d45, 0, UINT64_MAX);
}

void machine_fence(void)
{
	__asm__ volatile("fence" : : : "memory");
}

void machine_forget(void)
{
	__asm__ volatile("sfence.vma" : : : "memory");
}

void machine_off(void)
{
	for (;;)
		sbi(0x53525354, 0, 0);
}
