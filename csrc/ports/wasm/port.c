/* SPDX-License-Identifier: Apache-2.0
 *
 * port.h for a WebAssembly module without WASI: the embedder gives four functions and calls `run`.
 */
#include "../port.h"

#define IMPORT(name) __attribute__((import_module("port"), import_name(#name)))

IMPORT(arguments) size_t host_arguments(char *text, size_t size); /* separated by NUL; how many */
IMPORT(open) int host_open(const char *path);
IMPORT(read) size_t host_read(void *bytes, size_t size);
IMPORT(write) void host_write(const char *text);

static char text[4096];
static char *arguments[40];
static uint64_t memory[1 << 20]; /* 8 MiB */

int port_open(const char *path) { return host_open(path); }
size_t port_read(void *bytes, size_t size) { return host_read(bytes, size); }
void port_write(const char *line) { host_write(line); }

void *port_memory(size_t *size) {
    *size = sizeof memory;
    return memory;
}

void port_paint_stack(void) {}
size_t port_stack_used(void) { return 0; }

__attribute__((export_name("run"))) int run(void);
int run(void) {
    size_t count = host_arguments(text, sizeof text);
    char *at = text;
    for (size_t i = 0; i < count; i++) {
        arguments[i] = at;
        while (*at++ != '\0') {
        }
    }
    return program((int)count, arguments);
}
