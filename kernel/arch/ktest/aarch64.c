#include "arch/aarch64/cpu.h"
#include "arch/ktest/cpu.h"

#define DAIF_SERROR (1u << 8)

bool cpu_takes_errors(void)
{
	return !(SYSREG_READ(daif) & DAIF_SERROR);
}

/* PSCI gives a CPU its address and its argument together (DEN0022 5.6). */
void cpu_check_start(void)
{
}
