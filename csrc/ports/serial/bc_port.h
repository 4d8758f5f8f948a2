/* SPDX-License-Identifier: Apache-2.0
 *
 * What a board's firmware supplies so that `babycry-edge bench --serial` can measure it: six hooks. The first
 * three are the board's own. frontend_hooks.c has the other three for the front-ends; a firmware with more
 * stages (a network, say) writes its own, and leaves the front-ends to frontend_stages.h.
 * bench_protocol.h then does everything that goes over the line. C11, freestanding; nothing here allocates.
 */
#ifndef BABYCRY_BC_PORT_H
#define BABYCRY_BC_PORT_H

#include <stddef.h>
#include <stdint.h>

#include <babycry/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the counter counts. Emulated instructions are no time: hz is 0 then. */
typedef enum bc_port_clock { BC_PORT_CYCLES, BC_PORT_WALL, BC_PORT_INSTRUCTIONS_EMULATED } bc_port_clock;
typedef struct bc_port_instant {
    uint64_t count; /* never goes back: a narrower counter's wraps are counted, see dwt_time.c */
    uint32_t hz;    /* counts a second */
    bc_port_clock clock;
} bc_port_instant;

/* A stage that can be run. `stage` is a name of the report's schema: frontend_hop, frontend_clip, network... */
typedef struct bc_port_stage {
    const char *stage;
    const char *of;      /* the profile or the model */
    const char *variant; /* "float", "integer", "int8"... */
    uint32_t samples;    /* new audio that one run answers for; 0: all that was loaded */
} bc_port_stage;

/* START: the stage's memory and tables, a stream at its beginning. RUN, once or more: what is timed. AFTER, when a
 * run's time has been taken: its output may be looked at. END, when all have run: a stream ends. */
typedef enum bc_port_step { BC_PORT_START, BC_PORT_RUN, BC_PORT_AFTER, BC_PORT_END } bc_port_step;

typedef struct bc_port_result {
    const char *name; /* letters, digits and _ */
    uint64_t value;
    int is_hash; /* shown as 16 hexadecimal digits */
} bc_port_result;

/* The counter as it stands. */
bc_port_instant bc_port_time(void);

/* Sends text, which ends with a 0 byte; returns when the line has taken it. */
void bc_port_print(const char *text);

/* The next byte from the line, 0 to 255; negative: none is there. The loop asks again. */
int bc_port_getchar(void);

/* Takes bytes `offset` to `offset + size` of the stages' input, of `total` bytes in all: int16 samples, little
 * endian. Offset 0 begins a new input; the rest follows in order, and a piece may come a second time.
 * BC_RAM_TOO_SMALL: there is no room for so much. work: bc_bench.work. */
bc_status bc_port_load(void *work, uint32_t offset, uint32_t total, const uint8_t *bytes, size_t size);

/* One step of stage number `stage` of bc_bench.stages. */
bc_status bc_port_infer(void *work, unsigned stage, bc_port_step step);

/* Result number `index` of the stage that ran last; 0 past the last one. The host knows "hash", the FNV-1a hash
 * (64 bits) of the output's bytes: of a stream all since START, else of one run; "rows", "stack" (deepest, bytes)
 * and "ram" (bytes that the stage holds). */
int bc_port_results(void *work, unsigned index, bc_port_result *result);

#ifdef __cplusplus
}
#endif

#endif
