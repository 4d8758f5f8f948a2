/* SPDX-License-Identifier: Apache-2.0
 *
 * Start-up for qemu's riscv "virt" machine without firmware, 32 and 64 bits: stack, FPU, .bss, then the
 * program. The whole image is loaded into RAM, so .data is already in place.
 */
#include "../port.h"
#include "../semihosting.h"

extern uint32_t bss_start[], bss_end[];

void start(void);
void start_in_c(void);

uintptr_t semihosting(uintptr_t operation, const void *parameters) {
    register uintptr_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = parameters;
    /* These three instructions, none of them compressed and all in one page, are the trap. */
    __asm__ volatile(
        ".option push\n .option norvc\n .balign 16\n"
        "slli x0, x0, 0x1f\n ebreak\n srai x0, x0, 7\n"
        ".option pop"
        : "+r"(a0) : "r"(a1) : "memory");
    return a0;
}

__attribute__((naked, section(".start"))) void start(void) {
    __asm__ volatile(
        "la sp, stack_top\n"
        "la t0, fault\n csrw mtvec, t0\n"
        "li t0, 0x6000\n csrs mstatus, t0\n" /* FPU on */
        "j start_in_c");
}

void fault(void);
__attribute__((aligned(4))) void fault(void) {
    port_write("fault\n");
    semihosting_exit(99);
}

void start_in_c(void) {
    for (uint32_t *to = bss_start; to < bss_end;) {
        *to++ = 0;
    }
    semihosting_run();
}
