/* SPDX-License-Identifier: Apache-2.0
 *
 * Clips cut into the pieces that a stream is given.
 */
#ifndef BABYCRY_BENCH_PIECES_H
#define BABYCRY_BENCH_PIECES_H

#include "bench_stage.h"

/* Pointers to all whole pieces of length samples in the clips of sample_rate,
 * in their order; n of them. NULL: no memory. */
const int16_t *const *bench_pieces(bench_context *context, int32_t sample_rate, size_t length, size_t *n);

/* The next piece's length out of n samples that are left: uneven, the same in every run. */
size_t bench_uneven(uint32_t *random, size_t n);

#endif
