/* SPDX-License-Identifier: Apache-2.0
 *
 * Two stages. The sharp one changes the rate by 2 at the lower rate's side: its filter, the same for
 * all rates, does the narrow transition just below the lower Nyquist frequency. The rational one
 * does the rest of the ratio between rates at least a factor 2 wider, so that few taps suffice:
 *
 *     down   in_rate  -> rational -> 2 out_rate -> halve    -> out_rate
 *     up     in_rate  -> double   -> 2 in_rate  -> rational -> out_rate
 *
 * Every output sample is a fixed sequence of float operations on its inputs, wherever pieces end.
 */
#ifndef BC_RESAMPLER_INTERNAL_H
#define BC_RESAMPLER_INTERNAL_H

#include <babycry/resample.h>

#include "../frontend/bc_frontend_internal.h" /* bc_sin_turn, bc_samples_are_finite, bc_same_name */

#define BC_SHARP 80u /* the sharp filter has 4 * BC_SHARP - 1 taps, of which 2 * BC_SHARP differ */
#define BC_BLOCK 64u /* outputs of the sharp stage at a time, or pairs of them */

/* Samples and intermediate values below this become 0, so that no product or sum is subnormal:
 * then processors that flush subnormals agree with those that do not. It is -361 dB. */
#define BC_TINY 8.67361738e-19f /* 2^-60 */

typedef struct bc_ratio {
    uint32_t up, down; /* without common factor: up outputs for down inputs */
    uint32_t n_taps;   /* per phase, a multiple of 4 */
} bc_ratio;

typedef enum bc_direction { BC_SAME_RATE, BC_DOWN, BC_UP } bc_direction;

/* Samples in a row: [0, filled) are there, and all before at are done with. */
typedef struct bc_line {
    float *data;
    uint32_t size, filled, at;
} bc_line;

/* The inner loops for one instruction set. Each gives count outputs. */
typedef struct bc_resampler_kernels {
    const char *name;
    /* out[m] from 2 * BC_SHARP even and odd samples from number m on */
    void (*halve)(const float *sharp, const float *even, const float *odd, float *out, size_t count);
    /* out[2m], out[2m + 1] from 2 * BC_SHARP samples from number m on */
    void (*twice)(const float *sharp, const float *in, float *out, size_t count);
    /* moves *at and *phase on */
    void (*rational)(const float *phases, const bc_ratio *ratio, const float *in, uint32_t *at,
                     uint32_t *phase, float *out, size_t count);
} bc_resampler_kernels;

typedef struct bc_stream {
    bc_resampler_tables tables;
    bc_resampler_kernels kernels;
    bc_direction direction;
    bc_ratio ratio; /* of the rational stage; 1/1 if it is left out */
    uint32_t phase; /* of its next output, below ratio.up */
    bc_line wide;   /* what the rational stage reads */
    bc_line even;   /* what the sharp stage reads: the even samples; all when it doubles */
    bc_line odd;
    bc_line pairs;  /* between: on its way to even and odd, or out of the doubling */
    uint64_t n_in, n_out;
} bc_stream;

_Static_assert(sizeof(bc_stream) <= sizeof(bc_resampler), "bc_resampler must hold a bc_stream");

static inline bc_stream *bc_stream_of(bc_resampler *rs) { return (bc_stream *)(void *)rs; }
static inline const bc_stream *bc_const_stream_of(const bc_resampler *rs) {
    return (const bc_stream *)(const void *)rs;
}

/* bc_resampler_tables.c */
bc_direction bc_direction_of(int32_t in_rate, int32_t out_rate);
bc_ratio bc_rational_stage(int32_t in_rate, int32_t out_rate);
size_t bc_phases_count(const bc_ratio *ratio);

/* bc_resampler_filter.c, compiled once per instruction set */
bc_resampler_kernels bc_resampler_scalar(void), bc_resampler_sse2(void), bc_resampler_avx2(void),
    bc_resampler_avx512(void), bc_resampler_neon(void);

/* bc_resampler_init.c */
void bc_stream_restart(bc_stream *stream);

/* bc_resampler_isa.c */
bc_resampler_kernels bc_resampler_isa_at(size_t index); /* its name is NULL past the last */

#endif
