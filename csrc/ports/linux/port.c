/* SPDX-License-Identifier: Apache-2.0
 *
 * port.h on an operating system.
 */
#include "../port.h"

#include <stdio.h>

static FILE *file;
static uint64_t memory[1 << 23]; /* 64 MiB, taken as they are touched */

int port_open(const char *path) {
    if (file != NULL) {
        fclose(file);
    }
    file = fopen(path, "rb");
    return file != NULL;
}

size_t port_read(void *bytes, size_t size) { return file == NULL ? 0 : fread(bytes, 1, size, file); }

void port_write(const char *text) { fputs(text, stdout); }

void *port_memory(size_t *size) {
    *size = sizeof memory;
    return memory;
}

void port_paint_stack(void) {}
size_t port_stack_used(void) { return 0; }

int main(int argc, char **argv) { return program(argc, argv); }
