/* SPDX-License-Identifier: Apache-2.0
 *
 * The front-ends as stages: every profile of <babycry/frontend.h>, and of <babycry/integer.h> what it takes, as a
 * whole clip and hop by hop as a stream. frontend_hooks.c makes hooks of them; a firmware with a network hands
 * what is not its own to these.
 */
#ifndef BABYCRY_FRONTEND_STAGES_H
#define BABYCRY_FRONTEND_STAGES_H

#include <babycry/integer.h>

#include "bc_port.h"

#define BC_FRONTEND_MAX_STAGES 64u

/* memory holds the input, then the stage's RAM, then its features: with 512 KiB every
 * profile takes one second; what does not fit is answered with BC_RAM_TOO_SMALL. */
typedef struct bc_frontend_work {
    void *memory; /* aligned to 8 bytes */
    size_t size;
    void (*paint_stack)(void); /* both may be NULL: then there is no "stack". Nothing is timed between the two, */
    size_t (*stack_used)(void); /* so that interrupts, whose frames come and go, may be held off */
    /* The stages' own; all 0 at the start. */
    bc_port_stage stages[BC_FRONTEND_MAX_STAGES];
    unsigned n_stages, running;
    uint32_t loaded;
    size_t n_samples, position, hop, room, n_rows, n_rows_new, row_size, ram, stack;
    uint8_t *features;
    uint64_t hash;
    bc_frontend fe;
    bc_integer_tables tables;
    bc_integer integer;
} bc_frontend_work;

/* Lists the stages in work->stages, for bc_bench.stages. Returns how many there are. */
unsigned bc_frontend_stages(bc_frontend_work *work);

/* As bc_port_load, bc_port_infer and bc_port_results; the stage's number counts in work->stages. */
bc_status bc_frontend_load(bc_frontend_work *work, uint32_t offset, uint32_t total, const uint8_t *bytes, size_t size);
bc_status bc_frontend_infer(bc_frontend_work *work, unsigned stage, bc_port_step step);
int bc_frontend_results(const bc_frontend_work *work, unsigned index, bc_port_result *result);

#endif
