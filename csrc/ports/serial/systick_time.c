/* SPDX-License-Identifier: Apache-2.0
 *
 * bc_port_time by SysTick, which every Cortex-M has: 24 bits downwards, its wraps counted by its interrupt.
 * SYSTICK_HZ=N: a real board, whose SysTick counts the core's cycles.
 * SYSTICK_NUMERATOR, SYSTICK_DENOMINATOR: qemu with -icount shift=6, where an instruction takes 64 ns;
 * instructions = ticks * NUMERATOR / DENOMINATOR, 5 / 8 for ticks of 40 ns.
 */
#include "bc_port.h"

#define CONTROL (*(volatile uint32_t *)0xE000E010u)
#define RELOAD (*(volatile uint32_t *)0xE000E014u)
#define CURRENT (*(volatile uint32_t *)0xE000E018u)
#define COUNTS 0x1000000u
#define ENABLE 1u
#define ENABLE_WITH_INTERRUPT_BY_CORE_CLOCK 7u

static volatile uint32_t wraps;

void systick(void);
void systick(void) { wraps++; }

bc_port_instant bc_port_time(void) {
    uint32_t seen, down;
    if ((CONTROL & ENABLE) == 0) {
        RELOAD = COUNTS - 1u;
        CURRENT = 0;
        CONTROL = ENABLE_WITH_INTERRUPT_BY_CORE_CLOCK;
    }
    do {
        seen = wraps;
        down = CURRENT;
    } while (seen != wraps);
    uint64_t ticks = (uint64_t)seen * COUNTS + (COUNTS - 1u - down);
#ifdef SYSTICK_HZ
    bc_port_instant now = {ticks, SYSTICK_HZ, BC_PORT_CYCLES};
#else
    bc_port_instant now = {ticks * SYSTICK_NUMERATOR / SYSTICK_DENOMINATOR, 0, BC_PORT_INSTRUCTIONS_EMULATED};
#endif
    return now;
}
