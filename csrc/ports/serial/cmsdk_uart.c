/* SPDX-License-Identifier: Apache-2.0
 *
 * bc_port_print and bc_port_getchar by the UART of Arm's Cortex-M System Design Kit, as Arm's MPS2 and MPS3 boards
 * and their emulations have it. UART_BASE: where it lies. UART_DIVISOR: bus clock over baud rate.
 */
#include "bc_port.h"

#ifndef UART_DIVISOR
#define UART_DIVISOR 217u /* 115200 baud at 25 MHz */
#endif

typedef struct uart_registers {
    volatile uint32_t data, state, control, interrupt, divisor;
} uart_registers;

#define UART ((uart_registers *)(uintptr_t)UART_BASE)

enum { TRANSMIT_FULL = 1, RECEIVE_FULL = 2, TRANSMIT_AND_RECEIVE = 3 };

static void be_ready(void) {
    if (UART->control == 0) {
        UART->divisor = UART_DIVISOR;
        UART->control = TRANSMIT_AND_RECEIVE;
    }
}

void bc_port_print(const char *text) {
    be_ready();
    for (; *text != '\0'; text++) {
        while (UART->state & TRANSMIT_FULL) {
        }
        UART->data = (uint8_t)*text;
    }
}

int bc_port_getchar(void) {
    be_ready();
    return UART->state & RECEIVE_FULL ? (int)(UART->data & 0xffu) : -1;
}
