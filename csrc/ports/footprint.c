/* SPDX-License-Identifier: Apache-2.0
 *
 * footprint FILE: the smallest program that runs one front-end over int16 PCM, for `size` and for the
 * stack's depth. The build says which: FOOTPRINT_PROFILE, a name, or none for log-mel 512/160/64; and
 * FOOTPRINT_RAM, the size of its static array. Prints what the library asks for and whether it takes
 * exactly that, and the stack of bc_frontend_init and of the features. If the array is too small it only
 * prints the first two: a build with FOOTPRINT_RAM=1 asks for the size.
 */
#include "log_mel.h"
#include "port.h"

#define PIECE 160u

static bc_frontend fe;
static uint8_t ram[FOOTPRINT_RAM];

static bc_status configure(bc_frontend_config *cfg) {
#ifdef FOOTPRINT_PROFILE
    return bc_frontend_profile(cfg, FOOTPRINT_PROFILE);
#else
    return log_mel_config(cfg);
#endif
}

/* The one place that knows where the tables are: computed into ram. */
static bc_status start(const bc_frontend_config *cfg, size_t ram_size) {
    return bc_frontend_init(&fe, cfg, ram, ram_size);
}

static void report(const char *name, size_t value) {
    port_write(name);
    port_write(" ");
    print_unsigned(value);
    port_write("\n");
}

/* A stream in pieces; at the first the library says whether it must have the whole clip instead. */
static bc_status run(const bc_frontend_config *cfg, size_t *n_rows) {
    size_t left, rows;
    int16_t *pcm = port_memory(&left);
    float *features = (float *)(void *)((uint8_t *)pcm + left / 2u);
    size_t most = left / 2u / sizeof *pcm;
    size_t max_frames = left / 2u / sizeof *features / (size_t)cfg->n_mels;
    size_t got = port_read(pcm, PIECE * sizeof *pcm) / sizeof *pcm;
    bc_status status = bc_frontend_push(&fe, pcm, got, features, max_frames, n_rows);
    if (status == BC_NEEDS_WHOLE_CLIP) {
        got += port_read(pcm + got, (most - got) * sizeof *pcm) / sizeof *pcm;
        return bc_frontend_compute_int16(&fe, pcm, got, features, max_frames, n_rows);
    }
    while (status == BC_OK && (got = port_read(pcm, PIECE * sizeof *pcm) / sizeof *pcm) != 0) {
        status = bc_frontend_push(&fe, pcm, got, features, max_frames, &rows);
        *n_rows += rows;
    }
    return status;
}

int program(int argc, char **argv) {
    bc_frontend_config cfg;
    size_t n_rows = 0;
    if (configure(&cfg) != BC_OK || !port_open(argv[argc - 1])) {
        return 1;
    }
    size_t asked = bc_frontend_ram_size(&cfg);
    report("ram_size", asked);
    report("frontend_size", sizeof fe);
    if (asked > sizeof ram) {
        return 0;
    }
    port_paint_stack();
    bc_status status = start(&cfg, asked);
    report("init_stack", port_stack_used());
    report("takes_what_it_asks", status == BC_OK);
    report("refuses_one_byte_less", start(&cfg, asked - 1u) == BC_RAM_TOO_SMALL);
    status = start(&cfg, asked);
    port_paint_stack();
    status = status == BC_OK ? run(&cfg, &n_rows) : status;
    report("run_stack", port_stack_used());
    report("rows", n_rows);
    return status != BC_OK;
}
