/* SPDX-License-Identifier: Apache-2.0
 *
 * port.h on a bare board whose debugger (or qemu) offers semihosting. The linker script tells where the
 * free RAM and the stack lie.
 */
#include "semihosting.h"

#include "port.h"

enum { SYS_OPEN = 0x01, SYS_CLOSE = 0x02, SYS_WRITE0 = 0x04, SYS_READ = 0x06, SYS_GET_CMDLINE = 0x15,
       SYS_EXIT = 0x18, SYS_EXIT_EXTENDED = 0x20 };
enum { OPEN_READ_BINARY = 1, STOPPED_BY_APPLICATION = 0x20026, STOPPED_BY_ERROR = 0x20023 };

#define MAX_ARGUMENTS 40
#define STACK_PATTERN 0x5ac35ac3u
#define NOT_PAINTED 64u /* bytes: port_paint_stack's own frame; less than this is not told apart */

extern uint32_t free_start[], stack_limit[], stack_top[]; /* the linker script's */

static char command_line[1024];
static char *arguments[MAX_ARGUMENTS];
static uintptr_t file, file_is_open;

int port_open(const char *path) {
    uintptr_t length = 0;
    while (path[length] != '\0') {
        length++;
    }
    if (file_is_open) {
        semihosting(SYS_CLOSE, &file);
    }
    uintptr_t parameters[] = {(uintptr_t)path, OPEN_READ_BINARY, length};
    file = semihosting(SYS_OPEN, parameters);
    file_is_open = file != UINTPTR_MAX;
    return file_is_open != 0;
}

size_t port_read(void *bytes, size_t size) {
    uintptr_t parameters[] = {file, (uintptr_t)bytes, size};
    return file_is_open ? size - semihosting(SYS_READ, parameters) : 0;
}

void port_write(const char *text) { semihosting(SYS_WRITE0, text); }

void *port_memory(size_t *size) {
    *size = (size_t)((uintptr_t)stack_limit - (uintptr_t)free_start);
    return free_start;
}

__attribute__((noinline)) void port_paint_stack(void) {
    volatile uint32_t *end = (uint32_t *)((uintptr_t)__builtin_frame_address(0) - NOT_PAINTED);
    for (volatile uint32_t *word = stack_limit; word < end; word++) {
        *word = STACK_PATTERN;
    }
}

size_t port_stack_used(void) {
    const volatile uint32_t *word = stack_limit;
    while (word < stack_top && *word == STACK_PATTERN) {
        word++;
    }
    return (size_t)((uintptr_t)stack_top - (uintptr_t)word);
}

void semihosting_exit(int status) {
    uintptr_t parameters[] = {STOPPED_BY_APPLICATION, (uintptr_t)status};
    semihosting(SYS_EXIT_EXTENDED, parameters);
    /* where the host does not know the extended call: only good or bad */
    semihosting(SYS_EXIT, (const void *)(uintptr_t)(status == 0 ? STOPPED_BY_APPLICATION : STOPPED_BY_ERROR));
    for (;;) {
    }
}

void semihosting_run(void) {
    uintptr_t parameters[] = {(uintptr_t)command_line, sizeof command_line};
    int count = 0;
    if (semihosting(SYS_GET_CMDLINE, parameters) == 0) {
        for (char *at = command_line; *at != '\0' && count < MAX_ARGUMENTS;) {
            arguments[count++] = at;
            while (*at != '\0' && *at != ' ') {
                at++;
            }
            while (*at == ' ') {
                *at++ = '\0';
            }
        }
    }
    semihosting_exit(program(count, arguments));
}
