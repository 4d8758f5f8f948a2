/* SPDX-License-Identifier: Apache-2.0
 *
 * Arm's semihosting, which RISC-V shares: a trap that a debugger or qemu answers on the host's behalf.
 */
#ifndef BABYCRY_SEMIHOSTING_H
#define BABYCRY_SEMIHOSTING_H

#include <stdint.h>

/* The trap itself, by the start-up code of each processor family. */
uintptr_t semihosting(uintptr_t operation, const void *parameters);

/* Fetches the command line, runs the program and ends the machine with its exit status. */
void semihosting_run(void) __attribute__((noreturn));
void semihosting_exit(int status) __attribute__((noreturn));

#endif
