/* SPDX-License-Identifier: Apache-2.0
 *
 * footprint FILE: the smallest program that runs one front-end over int16 PCM, for `size` and for the
 * stack's depth. FOOTPRINT_RAM is the size of its static array. Prints what the front-end asks for and
 * whether it takes exactly that, and the deepest stack of its start and of its features. If the array is
 * too small it only prints the first: a build with FOOTPRINT_RAM=1 asks for the size, 0 if there is none.
 */
#include "footprint.h"
#include "port.h"

#define PIECE 160u /* samples */

static uint8_t ram[FOOTPRINT_RAM];

static void report(const char *name, size_t value) {
    port_write(name);
    port_write(" ");
    print_unsigned(value);
    port_write("\n");
}

/* A stream in pieces; at the first the front-end says whether it must have the whole clip instead. */
static bc_status run(size_t *n_rows) {
    size_t left, n;
    int16_t *pcm = port_memory(&left);
    size_t half = left / 2u & ~(size_t)7u, most = half / sizeof *pcm;
    void *rows = (uint8_t *)pcm + half;
    size_t got = port_read(pcm, PIECE * sizeof *pcm) / sizeof *pcm;
    bc_status status = front_end_push(pcm, got, rows, half, n_rows);
    if (status == BC_NEEDS_WHOLE_CLIP) {
        got += port_read(pcm + got, (most - got) * sizeof *pcm) / sizeof *pcm;
        return front_end_clip(pcm, got, rows, half, n_rows);
    }
    while (status == BC_OK && (got = port_read(pcm, PIECE * sizeof *pcm) / sizeof *pcm) != 0) {
        status = front_end_push(pcm, got, rows, half, &n);
        *n_rows += n;
    }
    return status;
}

int program(int argc, char **argv) {
    size_t n_rows = 0, asked = front_end_ram();
    if (!port_open(argv[argc - 1])) {
        return 1;
    }
    report("ram_size", asked);
    if (asked == 0 || asked > sizeof ram) {
        return 0;
    }
    report("frontend_size", front_end_size());
    port_paint_stack();
    bc_status status = front_end_start(ram, asked);
    report("init_stack", port_stack_used());
    report("takes_what_it_asks", status == BC_OK);
    report("refuses_one_byte_less", front_end_start(ram, asked - 1u) == BC_RAM_TOO_SMALL);
    status = front_end_start(ram, asked);
    port_paint_stack();
    status = status == BC_OK ? run(&n_rows) : status;
    report("run_stack", port_stack_used());
    report("rows", n_rows);
    return status != BC_OK;
}
