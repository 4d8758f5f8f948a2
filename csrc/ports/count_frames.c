/* SPDX-License-Identifier: Apache-2.0
 *
 * count_frames --frames=N FILE: streams N frames of log-mel 512/160/64, 160 samples at a time, out of
 * FILE's int16 PCM (from its start again at its end). The instructions of two runs with different N,
 * subtracted, are the cost of a frame alone.
 */
#include "log_mel.h"
#include "port.h"

int program(int argc, char **argv) {
    bc_frontend_config cfg;
    bc_frontend fe;
    size_t left, n;
    uint8_t *memory = port_memory(&left);
    if (log_mel_config(&cfg) != BC_OK || !port_open(argv[argc - 1])) {
        return 1;
    }
    size_t ram_size = (bc_frontend_ram_size(&cfg) + 7u) & ~(size_t)7u;
    if (ram_size > left || bc_frontend_init(&fe, &cfg, memory, ram_size) != BC_OK) {
        return 1;
    }
    int16_t *pcm = (int16_t *)(void *)(memory + ram_size);
    size_t n_hops = port_read(pcm, left - ram_size) / (LOG_MEL_HOP * sizeof *pcm);
    float row[LOG_MEL_BANDS];
    uint32_t n_frames = argument_unsigned(argc, argv, "frames", 0);
    for (uint32_t done = 0, hop = 0; done < n_frames && n_hops != 0; hop++) {
        if (bc_frontend_push(&fe, pcm + hop % n_hops * LOG_MEL_HOP, LOG_MEL_HOP, row, 1, &n) != BC_OK) {
            return 1;
        }
        done += (uint32_t)n;
    }
    return n_hops == 0;
}
