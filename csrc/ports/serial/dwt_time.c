/* SPDX-License-Identifier: Apache-2.0
 *
 * bc_port_time by the cycle counter of a Cortex-M3, M4, M7, M33 or M55 (an M0 has none). Compile with
 * -DDWT_HZ=168000000, the core's clock. The counter has 32 bits and wraps after 25 s at that clock; its wraps are
 * seen as long as nobody waits longer than that between two readings. Under qemu it stands still: see
 * systick_time.c.
 */
#include "bc_port.h"

#ifndef DWT_HZ
#define DWT_HZ 168000000u
#endif

#define DEMCR (*(volatile uint32_t *)0xE000EDFCu)
#define DWT_CTRL (*(volatile uint32_t *)0xE0001000u)
#define DWT_CYCCNT (*(volatile uint32_t *)0xE0001004u)
#define TRACE_ENABLE (1u << 24)
#define COUNTER_ENABLE 1u

static uint32_t last, wraps;

bc_port_instant bc_port_time(void) {
    DEMCR |= TRACE_ENABLE;
    DWT_CTRL |= COUNTER_ENABLE;
    uint32_t count = DWT_CYCCNT;
    wraps += count < last;
    last = count;
    bc_port_instant now = {(uint64_t)wraps << 32 | count, DWT_HZ, BC_PORT_CYCLES};
    return now;
}
