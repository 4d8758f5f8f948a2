/* SPDX-License-Identifier: Apache-2.0
 *
 * What the programs in this folder ask of the machine that runs them: arguments, one file to read, a
 * console, the RAM that is left, and how deep the stack went. Each port answers it: linux, semihosting
 * (Cortex-M and RISC-V boards under qemu or a debugger) and wasm.
 */
#ifndef BABYCRY_PORT_H
#define BABYCRY_PORT_H

#include <stddef.h>
#include <stdint.h>

/* The program itself; the port's start-up code calls it. argv[0] is its name. Returns the exit status. */
int program(int argc, char **argv);

int port_open(const char *path); /* to read; closes the file opened before. 0 if it cannot be read */
size_t port_read(void *bytes, size_t size); /* the file's next bytes; fewer than size at its end */
void port_write(const char *text);
void *port_memory(size_t *size); /* all RAM that neither the program's data nor its stack takes */

/* The stack below the caller is filled with a pattern; later the deepest byte that was written to shows
 * how much was used. 0 where the port cannot tell. */
void port_paint_stack(void);
size_t port_stack_used(void);

/* print.c */
void print_unsigned(uint64_t number);
void print_hex(uint64_t number); /* 16 digits */

/* arguments.c: "--NAME=VALUE"; NULL if it is not there */
const char *argument(int argc, char **argv, const char *name);
uint32_t argument_unsigned(int argc, char **argv, const char *name, uint32_t otherwise);

#endif
