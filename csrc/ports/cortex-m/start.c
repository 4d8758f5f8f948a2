/* SPDX-License-Identifier: Apache-2.0
 *
 * Start-up for any Cortex-M: vector table, FPU and MVE switched on, .data and .bss, then the program.
 * A fault ends the machine with status 99: code for an FPU or MVE that the core lacks shows as one.
 */
#include "../port.h"
#include "../semihosting.h"

extern uint32_t stack_top[], data_load[], data_start[], data_end[], bss_start[], bss_end[];

uintptr_t semihosting(uintptr_t operation, const void *parameters) {
    register uintptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameters;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void fault(void) {
    port_write("fault\n");
    semihosting_exit(99);
}

/* Never inlined into reset: no floating-point register may be touched before the FPU is on. */
__attribute__((noinline)) static void run(void) {
    for (uint32_t *to = data_start, *from = data_load; to < data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = bss_start; to < bss_end;) {
        *to++ = 0;
    }
    semihosting_run();
}

void reset(void);
void reset(void) {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    volatile uint32_t *coprocessor_access = (volatile uint32_t *)0xE000ED88u;
    *coprocessor_access |= 0xFu << 20;
    __asm__ volatile("dsb\n isb");
#endif
    run();
}

void systick(void) __attribute__((weak)); /* a program's own, if it has one */

typedef void vector(void);
__attribute__((section(".vectors"), used)) static vector *const vectors[16] = {
    (vector *)(uintptr_t)stack_top, reset, fault, fault, fault, fault, fault, fault, /* faults: 2 to 7 */
    [15] = systick,
};
