/* SPDX-License-Identifier: Apache-2.0
 *
 * count_integer --frames=N FILE: as count_frames, with the integer front-end.
 */
#include <babycry/integer.h>

#include "log_mel.h"
#include "port.h"

static bc_integer_tables tables;
static bc_integer fe;

int program(int argc, char **argv) {
    bc_frontend_config cfg;
    size_t left, n;
    uint8_t *memory = port_memory(&left);
    if (log_mel_config(&cfg) != BC_OK || !port_open(argv[argc - 1])) {
        return 1;
    }
    size_t tables_size = (bc_integer_tables_size(&cfg) + 7u) & ~(size_t)7u;
    if (tables_size > left || bc_integer_make_tables(&cfg, &tables, memory, tables_size) != BC_OK) {
        return 1;
    }
    size_t ram_size = (bc_integer_ram_size(&tables) + 7u) & ~(size_t)7u;
    if (tables_size + ram_size > left || bc_integer_init(&fe, &tables, memory + tables_size, ram_size) != BC_OK) {
        return 1;
    }
    int16_t row[LOG_MEL_BANDS];
    int16_t *pcm = (int16_t *)(void *)(memory + tables_size + ram_size);
    size_t n_hops = port_read(pcm, left - tables_size - ram_size) / (LOG_MEL_HOP * sizeof *pcm);
    uint32_t n_frames = argument_unsigned(argc, argv, "frames", 0);
    for (uint32_t done = 0, hop = 0; done < n_frames && n_hops != 0; hop++) {
        if (bc_integer_push(&fe, pcm + hop % n_hops * LOG_MEL_HOP, LOG_MEL_HOP, row, 1, &n) != BC_OK) {
            return 1;
        }
        done += (uint32_t)n;
    }
    return n_hops == 0;
}
