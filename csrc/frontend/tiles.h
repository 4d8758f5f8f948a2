/* SPDX-License-Identifier: Apache-2.0
 *
 * What bc_frames.c wants of lanes beyond lanes.h: tiles, which are four vectors made of blocks of four floats
 * (four values of BC_LANES frames), and logarithms of several vectors.
 */
#ifndef BC_TILES_H
#define BC_TILES_H

#include "lanes.h"

/* ---- blocks of four floats ---- */

#if BC_LANES == 4
#define BC_BLOCKS(a, b, c, d) a, b, c, d
#elif BC_LANES == 8
#define BC_BLOCKS(a, b, c, d) a, b, c, d, a + 4, b + 4, c + 4, d + 4
#elif BC_LANES == 16
#define BC_BLOCKS(a, b, c, d) \
    a, b, c, d, a + 4, b + 4, c + 4, d + 4, a + 8, b + 8, c + 8, d + 8, a + 12, b + 12, c + 12, d + 12
#endif

typedef float bc_block __attribute__((vector_size(16)));

BC_INLINE bc_block bc_block_load(const float *p) {
    bc_block x;
    __builtin_memcpy(&x, p, sizeof x);
    return x;
}

/* Blocks of four floats from p[0], p[1], ... on, i floats further, side by side; the compilers do not
 * find the instructions for this themselves. */
BC_INLINE bc_vf bc_vf_load_blocks(const float *const p[BC_LANES / 4], size_t i) {
#if BC_LANES == 4
    return bc_block_load(p[0] + i);
#elif BC_LANES == 8
    __m256 low = _mm256_castps128_ps256(_mm_loadu_ps(p[0] + i));
    return _mm256_insertf128_ps(low, _mm_loadu_ps(p[1] + i), 1);
#elif BC_LANES == 16
    __m512 x = _mm512_castps128_ps512(_mm_loadu_ps(p[0] + i));
    x = _mm512_insertf32x4(x, _mm_loadu_ps(p[1] + i), 1);
    x = _mm512_insertf32x4(x, _mm_loadu_ps(p[2] + i), 2);
    return _mm512_insertf32x4(x, _mm_loadu_ps(p[3] + i), 3);
#endif
}

/* The same four floats in every block. */
BC_INLINE bc_vf bc_vf_repeat_block(const float *p) {
#if BC_LANES == 4
    return bc_block_load(p);
#elif BC_LANES == 8
    return _mm256_broadcast_ps((const __m128 *)(const void *)p);
#elif BC_LANES == 16
    return _mm512_broadcast_f32x4(_mm_loadu_ps(p));
#endif
}

BC_INLINE void bc_vf_store_blocks(float *p, size_t stride, bc_vf x) {
#if BC_LANES == 4
    (void)stride;
    bc_vf_store(p, x);
#elif BC_LANES == 8
    _mm_storeu_ps(p, _mm256_castps256_ps128(x));
    _mm_storeu_ps(p + stride, _mm256_extractf128_ps(x, 1));
#elif BC_LANES == 16
    _mm_storeu_ps(p, _mm512_castps512_ps128(x));
    _mm_storeu_ps(p + stride, _mm512_extractf32x4_ps(x, 1));
    _mm_storeu_ps(p + 2 * stride, _mm512_extractf32x4_ps(x, 2));
    _mm_storeu_ps(p + 3 * stride, _mm512_extractf32x4_ps(x, 3));
#endif
}

/* Transposes every square of four vectors' blocks. */
BC_INLINE void bc_vf_transpose_blocks(bc_vf x[4]) {
    bc_vf low01 = BC_SHUFFLE(x[0], x[1], BC_BLOCKS(0, BC_LANES, 1, BC_LANES + 1));
    bc_vf high01 = BC_SHUFFLE(x[0], x[1], BC_BLOCKS(2, BC_LANES + 2, 3, BC_LANES + 3));
    bc_vf low23 = BC_SHUFFLE(x[2], x[3], BC_BLOCKS(0, BC_LANES, 1, BC_LANES + 1));
    bc_vf high23 = BC_SHUFFLE(x[2], x[3], BC_BLOCKS(2, BC_LANES + 2, 3, BC_LANES + 3));
    x[0] = BC_SHUFFLE(low01, low23, BC_BLOCKS(0, 1, BC_LANES, BC_LANES + 1));
    x[1] = BC_SHUFFLE(low01, low23, BC_BLOCKS(2, 3, BC_LANES + 2, BC_LANES + 3));
    x[2] = BC_SHUFFLE(high01, high23, BC_BLOCKS(0, 1, BC_LANES, BC_LANES + 1));
    x[3] = BC_SHUFFLE(high01, high23, BC_BLOCKS(2, 3, BC_LANES + 2, BC_LANES + 3));
}

/* Value j of each block in all of the block. */
BC_INLINE bc_vf bc_vf_spread(bc_vf x, size_t j) {
    bc_vf from[4] = {BC_SHUFFLE(x, x, BC_BLOCKS(0, 0, 0, 0)), BC_SHUFFLE(x, x, BC_BLOCKS(1, 1, 1, 1)),
                     BC_SHUFFLE(x, x, BC_BLOCKS(2, 2, 2, 2)), BC_SHUFFLE(x, x, BC_BLOCKS(3, 3, 3, 3))};
    return from[j];
}

/* ---- logarithms ---- */

/* bc_vf_ln of n vectors (a constant, at most 8), step by step: one alone is a long chain of operations. */
BC_INLINE void bc_vf_ln_of(bc_vf *x, size_t n) {
    static const float factors[] = {-0.0763114914f, 0.12854901f, -0.132079005f, 0.141900107f, -0.166165218f,
                                    0.200016156f,   -0.25001061f, 0.333333284f};
    bc_vf e[8], f[8], p[8];
    for (size_t i = 0; i < n; i++) {
        bc_vi bits = bc_vf_bits(x[i]) - 0x3f3504f3;
        e[i] = bc_vf_of_int(bits >> 23);
        f[i] = bc_vf_of_bits((bits & 0x7fffff) + 0x3f3504f3) - 1.0f;
        p[i] = bc_splat(factors[0]);
    }
    for (size_t j = 1; j < 8; j++) {
        for (size_t i = 0; i < n; i++) {
            p[i] = p[i] * f[i] + factors[j];
        }
    }
    for (size_t i = 0; i < n; i++) {
        bc_vf f2 = f[i] * f[i];
        bc_vf tail = f[i] * f2 * p[i] - 0.5f * f2;
        x[i] = e[i] * 0.693359375f + (f[i] + (tail - e[i] * 2.12194440e-4f));
    }
}

#endif
