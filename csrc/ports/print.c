/* SPDX-License-Identifier: Apache-2.0 */
#include "port.h"

static void print_in_base(uint64_t number, unsigned base, unsigned least_digits) {
    char text[24];
    char *at = text + sizeof text - 1;
    *at = '\0';
    for (unsigned digits = 0; number != 0 || digits < least_digits; digits++) {
        *--at = "0123456789abcdef"[number % base];
        number /= base;
    }
    port_write(at);
}

void print_unsigned(uint64_t number) { print_in_base(number, 10, 1); }

void print_hex(uint64_t number) { print_in_base(number, 16, 16); }
