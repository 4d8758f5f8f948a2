/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_pieces.h"

const int16_t *const *bench_pieces(bench_context *context, int32_t sample_rate, size_t length, size_t *n) {
    size_t most = 0;
    for (size_t i = 0; i < context->n_clips; i++) {
        most += context->clips[i].n_samples / length;
    }
    const int16_t **pieces = bench_take(context, most * sizeof *pieces);
    *n = 0;
    for (size_t i = 0; pieces != NULL && i < context->n_clips; i++) {
        const bench_clip *clip = &context->clips[i];
        for (size_t at = 0; clip->sample_rate == sample_rate && at + length <= clip->n_samples; at += length) {
            pieces[(*n)++] = clip->samples + at;
        }
    }
    return pieces;
}

size_t bench_uneven(uint32_t *random, size_t n) {
    *random = *random * 1664525u + 1013904223u;
    size_t piece = (*random >> 8) % 4000u + 1u;
    return piece < n ? piece : n;
}
