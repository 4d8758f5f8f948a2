/* SPDX-License-Identifier: Apache-2.0
 *
 * stack_probe --depth=N: fills N bytes of stack and prints what painting says of it, to check the latter.
 */
#include "port.h"

__attribute__((noinline)) static void fill(uint32_t depth) {
    volatile uint8_t *bytes = __builtin_alloca(depth);
    for (uint32_t i = 0; i < depth; i++) {
        bytes[i] = (uint8_t)i;
    }
}

int program(int argc, char **argv) {
    port_paint_stack();
    fill(argument_unsigned(argc, argv, "depth", 0));
    print_unsigned(port_stack_used());
    return 0;
}
