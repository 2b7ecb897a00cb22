/* A PC (q35) in 32-bit mode, entered as PVH guests are, after the firmware has placed its PCI devices. */
#include "guest.h"

#define COM1 0x3f8
#define PM_TIMER 0x608
#define TIMER_MASK 0xffffffu

void guest_main(void);

__asm__(".section .note.pvh, \"a\", @note\n"
	"	.long 4, 4, 18\n" /* XEN_ELFNOTE_PHYS32_ENTRY */
	"	.asciz \"Xen\"\n"
	"	.long start\n"
	".section .text.start, \"ax\"\n"
	".globl start\n"
	"start:\n"
	"	mov $stack_end, %esp\n"
	"	jmp guest_main\n"
	".text\n");

static uint64_t passed_ticks;
static uint32_t timer_before;

static uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %w1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %w1" : : "a"(value), "Nd"(port));
}

static uint32_t timer(void)
{
	uint32_t value;

	__asm__ volatile("inl %w1, %0" : "=a"(value) : "Nd"((uint16_t)PM_TIMER));
	return value & TIMER_MASK;
}

void machine_start(void)
{
	timer_before = timer();
}

void machine_put(char c)
{
	while (!(in8(COM1 + 5) & 0x20))
		;
	out8(COM1, (uint8_t)c);
}

bool machine_typed(char *c)
{
	if (!(in8(COM1 + 5) & 1))
		return false;
	*c = (char)in8(COM1);
	return true;
}

/* The ACPI timer counts 3579545 a second in 24 bits; 292935 / 2^20 of its ticks are a microsecond. */
uint64_t machine_now_us(void)
{
	uint32_t now = timer();

	passed_ticks += (now - timer_before) & TIMER_MASK;
	timer_before = now;
	return (passed_ticks * 292935u) >> 20;
}

void machine_rest_until_us(uint64_t until_us)
{
	while (machine_now_us() < until_us)
		__asm__ volatile("pause");
}

void machine_fence(void)
{
	__asm__ volatile("lock; addl $0, (%%esp)" : : : "memory");
}

void machine_forget(void)
{
	uint32_t table;

	/* Without paging QEMU takes this for nothing: here the guests of the lottery are all alike. */
	__asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(table) : : "memory");
}

void machine_off(void)
{
	for (;;)
		__asm__ volatile("outw %0, %w1" : : "a"((uint16_t)0x2000), "Nd"((uint16_t)0x604));
}
