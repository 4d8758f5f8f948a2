/* SPDX-License-Identifier: Apache-2.0
 *
 * count_tflm --frames=N FILE: as count_frames, with the integer micro front-end: 30 ms windows every 10 ms,
 * 40 channels.
 */
#include <babycry/tflm.h>

#include "port.h"

#define SAMPLE_RATE 16000
#define HOP 160
#define MAX_CHANNELS 64

int program(int argc, char **argv) {
    bc_tflm_config cfg;
    bc_tflm_tables tables;
    bc_tflm stream;
    size_t left, n;
    uint8_t *memory = port_memory(&left);
    if (bc_tflm_default(&cfg, SAMPLE_RATE) != BC_OK || cfg.n_channels > MAX_CHANNELS || !port_open(argv[argc - 1])) {
        return 1;
    }
    size_t tables_size = (bc_tflm_tables_size(&cfg) + 7u) & ~(size_t)7u;
    if (tables_size > left || bc_tflm_make_tables(&cfg, &tables, memory, tables_size) != BC_OK) {
        return 1;
    }
    size_t ram_size = (bc_tflm_ram_size(&tables) + 7u) & ~(size_t)7u;
    if (tables_size + ram_size > left || bc_tflm_init(&stream, &tables, memory + tables_size, ram_size) != BC_OK) {
        return 1;
    }
    uint16_t row[MAX_CHANNELS];
    int16_t *pcm = (int16_t *)(void *)(memory + tables_size + ram_size);
    size_t n_hops = port_read(pcm, left - tables_size - ram_size) / (HOP * sizeof *pcm);
    uint32_t n_frames = argument_unsigned(argc, argv, "frames", 0);
    for (uint32_t done = 0, hop = 0; done < n_frames && n_hops != 0; hop++) {
        if (bc_tflm_push(&stream, pcm + hop % n_hops * HOP, HOP, row, 1, &n) != BC_OK) {
            return 1;
        }
        done += (uint32_t)n;
    }
    return n_hops == 0;
}
