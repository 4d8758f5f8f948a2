/* SPDX-License-Identifier: Apache-2.0
 *
 * footprint.c without the library: start-up, semihosting and printing, to subtract.
 */
#include "port.h"

int program(int argc, char **argv) {
    port_paint_stack();
    size_t size;
    port_memory(&size);
    int opened = port_open(argv[argc - 1]);
    size_t got = port_read(&size, 1);
    print_unsigned(got + port_stack_used());
    return !opened;
}
