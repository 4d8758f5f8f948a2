/* SPDX-License-Identifier: Apache-2.0 */
#include "bc_tflm_internal.h"

static inline uint32_t magnitude(int32_t x) { return (uint32_t)(x < 0 ? -x : x); }

/* Samples first to first + n of the window, which lie one after the other in memory. Returns the
 * bits that are set in any magnitude: their highest is that of the largest. */
static uint32_t run(const bc_tflm *stream, const int16_t *pcm, uint32_t first, uint32_t n) {
    const int16_t *window = stream->tables->window + first;
    const uint16_t *position = stream->tables->position + (first >> 1);
    const int16_t *end = pcm + n;
    uint32_t bits = 0;
    if ((first & 1u) != 0 && pcm != end) {
        int32_t y = (*pcm++ * *window++) >> BC_TFLM_ONE_BITS;
        bits = magnitude(y);
        stream->bins[*position++].z.im = (int16_t)y;
    }
    for (; end - pcm >= 2; pcm += 2, window += 2) {
        int32_t re = (pcm[0] * window[0]) >> BC_TFLM_ONE_BITS, im = (pcm[1] * window[1]) >> BC_TFLM_ONE_BITS;
        bits |= magnitude(re) | magnitude(im);
        bc_tflm_bin *bin = &stream->bins[*position++];
        bin->z.re = (int16_t)re;
        bin->z.im = (int16_t)im;
    }
    if (pcm != end) {
        int32_t y = (*pcm * *window) >> BC_TFLM_ONE_BITS;
        bits |= magnitude(y);
        stream->bins[*position].z.re = (int16_t)y;
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
    bits &= 0x7fffu; /* the original takes |-32768| for negative: it does not count */
    return bits == 0 ? 15u : (uint32_t)__builtin_clz(bits) - 17u;
}
