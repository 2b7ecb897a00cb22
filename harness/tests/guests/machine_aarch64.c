/* QEMU's aarch64 virt machine, without translation: memory is not cached, and every access must be aligned. */
#include "guest.h"

#define UART ((volatile uint32_t *)0x09000000)
#define UART_FLAGS 6
#define UART_CONTROL 12
#define UART_ON 0x301 /* itself, what it sends and what it receives */

void guest_main(void);

__asm__(".section .text.start, \"ax\"\n"
	".globl start\n"
	"start:\n"
	"	adrp x0, stack_end\n"
	"	mov sp, x0\n"
	"	b guest_main\n"
	".text\n");

/* Newer QEMUs complain of what is written to a UART that is off. */
void machine_start(void)
{
	UART[UART_CONTROL] = UART_ON;
}

void machine_put(char c)
{
	while (UART[UART_FLAGS] & 0x20)
		;
	UART[0] = (uint8_t)c;
}

bool machine_typed(char *c)
{
	if (UART[UART_FLAGS] & 0x10)
		return false;
	*c = (char)UART[0];
	return true;
}

uint64_t machine_now_us(void)
{
	uint64_t value, per_second;

	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(value));
	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(per_second));
	return value / (per_second / 500000) * 2;
}

void machine_rest_until_us(uint64_t until_us)
{
	while (machine_now_us() < until_us)
		__asm__ volatile("yield");
}

void machine_fence(void)
{
	__asm__ volatile("dmb sy" : : : "memory");
}

void machine_forget(void)
{
	__asm__ volatile("dsb sy; tlbi vmalle1; dsb sy; isb" : : : "memory");
}

void machine_off(void)
{
	register uint64_t x0 __asm__("x0") = 0x84000008; /* PSCI SYSTEM_OFF */

	for (;;)
		__asm__ volatile("hvc #0" : "+r"(x0) : : "memory");
}
