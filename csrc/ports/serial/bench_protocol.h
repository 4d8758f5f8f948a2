/* SPDX-License-Identifier: Apache-2.0
 *
 * The device's side of the line protocol of `babycry-edge bench --serial`, over the hooks of bc_port.h.
 *
 * The host asks, the device answers; one line each, ASCII, ended by \n (a \r before it is ignored):
 *     >SEQ BODY CRC          SEQ: 4 hexadecimal digits, CRC: 8, of the bytes between the mark and the blank
 *     <SEQ SESSION BODY CRC  before the CRC; CRC-32 as zlib has it. SESSION: 8 digits
 * A line that is not whole is answered with BODY "again" and SEQ 0000, and the host sends it once more; so it
 * does when no answer came in time. A "run" that is asked for a second time under its SEQ is not run twice. Other
 * commands may be repeated. Whatever else the device prints between the lines is ignored.
 * SESSION is what the host's hello said, and 00000000 after a reset: a device that restarts is known at once by
 * "<0000 00000000 ready CRC", or by its next answer. Until the next hello it answers only "error hello".
 *
 *     hello TOKEN             ok PROTOCOL LINE RUNS STAGES FACTS CLOCK HZ: the longest line it takes, the most
 *                             timed runs, how many stages and facts; CLOCK is cycles, wall or instructions
 *     fact N                  ok NAME VALUE...
 *     stage N                 ok STAGE SAMPLES VARIANT OF...
 *     load TOTAL OFFSET HEX   ok BYTES: of the input, so many have arrived from its start on
 *     run STAGE WARMUP RUNS   ok RUNS; before it a dot at the start and after each run
 *     values FIRST MOST       ok COUNT VALUE...: of the runs from number FIRST on, up to MOST that fit a line
 *     results FIRST MOST      ok COUNT NAME=VALUE...: the same of the results
 *     anything else           error command
 * A refusal is "error WORD...": hello, command, number, stage, runs, line, gap, input, or "status N TEXT" with a
 * bc_status of a hook.
 */
#ifndef BABYCRY_BENCH_PROTOCOL_H
#define BABYCRY_BENCH_PROTOCOL_H

#include "bc_port.h"

#define BC_BENCH_PROTOCOL 1
#define BC_BENCH_LEAST_LINE 96u
#define BC_BENCH_LINE 600u /* good for 256 bytes of input at a time */

typedef struct bc_bench {
    const bc_port_stage *stages;
    unsigned n_stages;
    const char *const *facts; /* "NAME VALUE..." each: board, cpu, compiler, flags... printable ASCII */
    unsigned n_facts;
    void *work; /* for bc_port_load, bc_port_infer and bc_port_results */
    char *line; /* for one line of the host */
    size_t line_size;
    uint64_t *values; /* for the counts of the runs */
    uint32_t max_runs;
    /* The loop's own; all 0 at the start. */
    size_t used;
    int overflow, answered;
    uint32_t session, sequence, crc, checked, loaded, total, n_values, run_crc, run_sequence;
    bc_status run_status;
} bc_bench;

/* Announces the device: the line "ready". BC_NULL_POINTER or BC_RAM_TOO_SMALL: a field is missing, or `line` is
 * shorter than BC_BENCH_LEAST_LINE. */
bc_status bc_bench_begin(bc_bench *bench);

/* Takes one byte of the line; a whole line is answered before it returns. */
void bc_bench_byte(bc_bench *bench, char byte);

/* Both, with bc_port_getchar, for ever: what a firmware's main ends with. Returns only if begin fails. */
bc_status bc_bench_serve(bc_bench *bench);

#endif
