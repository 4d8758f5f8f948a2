/* SPDX-License-Identifier: Apache-2.0
 *
 * serial_stdio: the same as a program of this machine that speaks the protocol over its standard input and output,
 * for tests of the protocol without a board.
 */
#define _POSIX_C_SOURCE 199309L

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench_protocol.h"
#include "frontend_stages.h"

#define MAX_RUNS 256u

static uint64_t memory[1 << 16]; /* 512 KiB */

bc_port_instant bc_port_time(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    bc_port_instant now = {(uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec, 1000000000u, BC_PORT_WALL};
    return now;
}

void bc_port_print(const char *text) { fputs(text, stdout); }

int bc_port_getchar(void) {
    fflush(stdout);
    int byte = getchar();
    if (byte == EOF) {
        exit(0);
    }
    return byte;
}

int main(void) {
    static bc_frontend_work work;
    static char line[BC_BENCH_LINE];
    static uint64_t values[MAX_RUNS];
    static const char *const facts[] = {"board stdio", "cpu this machine", ("compiler " __VERSION__),
                                        "instruction_set the best"};
    work.memory = memory;
    work.size = sizeof memory;
    bc_bench bench = {.n_stages = bc_frontend_stages(&work), .stages = work.stages, .facts = facts,
                      .n_facts = sizeof facts / sizeof facts[0], .work = &work, .line = line,
                      .line_size = sizeof line, .values = values, .max_runs = MAX_RUNS};
    return (int)bc_bench_serve(&bench);
}
