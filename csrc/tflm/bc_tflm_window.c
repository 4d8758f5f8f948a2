/* SPDX-License-Identifier: Apache-2.0 */
#include "complex16.h"

/* Samples first to first + n of the window, which lie one after the other in memory. Returns the
 * bits that are set in any magnitude: their highest is that of the largest. */
static uint32_t run(const bc_tflm *stream, const int16_t *pcm, uint32_t first, uint32_t n) {
    const int16_t *window = stream->tables->window + first, *end = pcm + n;
    const uint16_t *position = stream->tables->position + (first >> 1);
    uint32_t bits = 0;
    bc_tflm_bin *bins = stream->bins;
    if ((first & 1u) != 0 && n != 0) {
        int16_t y = (int16_t)((*pcm++ * *window++) >> BC_TFLM_ONE_BITS);
        bits = complex_magnitude_bits(complex_real(y));
        bins[*position++].z.im = y;
    }
    for (; pcm < end - 1; pcm += 2, window += 2) {
        complex16 y = complex_windowed(pcm, window);
        bits |= complex_magnitude_bits(y);
        complex_store(&bins[*position++], y);
    }
    if (pcm != end) {
        int16_t y = (int16_t)((*pcm * *window) >> BC_TFLM_ONE_BITS);
        bits |= complex_magnitude_bits(complex_real(y));
        bins[*position].z.re = y;
    }
    return bits;
}

uint32_t bc_tflm_window(const bc_tflm *stream) {
    const bc_tflm_tables *tables = stream->tables;
    for (uint32_t i = tables->win_length / 2u; i < tables->n_position; i++) {
        stream->bins[tables->position[i]] = (bc_tflm_bin){.z = {0, 0}};
    }
    uint32_t oldest = stream->next, tail = tables->win_length - oldest;
    uint32_t bits = run(stream, stream->samples + oldest, 0, tail) | run(stream, stream->samples, tail, oldest);
    bits = (bits | bits >> 16) & 0x7fffu; /* the original takes |-32768| for negative: it does not count */
    return bits == 0 ? 15u : (uint32_t)__builtin_clz(bits) - 17u;
}
