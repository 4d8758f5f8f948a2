/* SPDX-License-Identifier: Apache-2.0
 *
 * BC_LANES floats side by side, one per frame, in the vector extensions of GCC and clang. With one
 * lane they are plain scalars. Every operation here rounds once, so lanes never change a bit.
 */
#ifndef BC_LANES_H
#define BC_LANES_H

#include <stddef.h>
#include <stdint.h>

/* Where the compiler makes little of vector extensions, its own functions do the same. */
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2) && BC_LANES == 4
#include <arm_mve.h>
#define BC_MVE 1
#endif
#if BC_LANES >= 8
#include <immintrin.h>
#endif

#define BC_INLINE static inline __attribute__((always_inline))

#if BC_LANES == 1

typedef float bc_vf;
typedef int32_t bc_vi;

BC_INLINE bc_vf bc_splat(float x) { return x; }
BC_INLINE bc_vi bc_vf_bits(bc_vf x) {
    bc_vi bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}
BC_INLINE bc_vf bc_vf_of_bits(bc_vi bits) {
    bc_vf x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}
BC_INLINE bc_vf bc_vf_of_int(bc_vi x) { return (float)x; }
BC_INLINE bc_vi bc_vf_less(bc_vf a, bc_vf b) { return a < b ? -1 : 0; }

#else

typedef float bc_vf __attribute__((vector_size(4 * BC_LANES)));
typedef int32_t bc_vi __attribute__((vector_size(4 * BC_LANES)));
typedef int16_t bc_vs __attribute__((vector_size(2 * BC_LANES)));

BC_INLINE bc_vf bc_splat(float x) { return x - (bc_vf){0}; }
BC_INLINE bc_vi bc_vf_bits(bc_vf x) { return (bc_vi)x; }
BC_INLINE bc_vf bc_vf_of_bits(bc_vi bits) { return (bc_vf)bits; }
#if defined(BC_MVE)
BC_INLINE bc_vf bc_vf_of_int(bc_vi x) { return (bc_vf)vcvtq_f32_s32((int32x4_t)x); }
#else
BC_INLINE bc_vf bc_vf_of_int(bc_vi x) { return __builtin_convertvector(x, bc_vf); }
#endif
BC_INLINE bc_vi bc_vf_less(bc_vf a, bc_vf b) { return (bc_vi)(a < b); }

BC_INLINE bc_vf bc_vf_load(const float *p) {
    bc_vf x;
    __builtin_memcpy(&x, p, sizeof x);
    return x;
}
BC_INLINE bc_vf bc_vf_load_int16(const int16_t *p) {
#if defined(BC_MVE)
    return bc_vf_of_int((bc_vi)vldrhq_s32(p));
#else
    bc_vs x;
    __builtin_memcpy(&x, p, sizeof x);
    return __builtin_convertvector(x, bc_vf);
#endif
}
BC_INLINE void bc_vf_store(float *p, bc_vf x) { __builtin_memcpy(p, &x, sizeof x); }

/* Orders for BC_SHUFFLE: halves of a perfect shuffle, its inverse, the vector backwards, and backwards
 * one place higher, from the second vector's first value on. */
#if BC_LANES == 4
#define BC_LOW 0, 4, 1, 5
#define BC_HIGH 2, 6, 3, 7
#define BC_EVEN 0, 2, 4, 6
#define BC_ODD 1, 3, 5, 7
#define BC_MIRROR 3, 2, 1, 0
#define BC_MIRROR_FROM_NEXT 4, 3, 2, 1
#elif BC_LANES == 8
#define BC_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define BC_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#define BC_EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define BC_ODD 1, 3, 5, 7, 9, 11, 13, 15
#define BC_MIRROR 7, 6, 5, 4, 3, 2, 1, 0
#define BC_MIRROR_FROM_NEXT 8, 7, 6, 5, 4, 3, 2, 1
#elif BC_LANES == 16
#define BC_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define BC_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define BC_EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define BC_ODD 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define BC_MIRROR 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0
#define BC_MIRROR_FROM_NEXT 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1
#endif

typedef int32_t bc_four_indices __attribute__((vector_size(16)));
#if defined(__clang__) || __GNUC__ >= 12
#define BC_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#define BC_SHUFFLE_FOUR BC_SHUFFLE /* of vectors of four, whatever BC_LANES */
#else
#define BC_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (bc_vi){__VA_ARGS__})
#define BC_SHUFFLE_FOUR(a, b, ...) __builtin_shuffle(a, b, (bc_four_indices){__VA_ARGS__})
#endif

/* Transposes a square of BC_LANES vectors by repeated perfect shuffles. */
BC_INLINE void bc_vf_transpose(bc_vf x[BC_LANES]) {
    for (int round = 1; round < BC_LANES; round *= 2) {
        bc_vf y[BC_LANES];
        for (int i = 0; i < BC_LANES / 2; i++) {
            y[2 * i] = BC_SHUFFLE(x[i], x[i + BC_LANES / 2], BC_LOW);
            y[2 * i + 1] = BC_SHUFFLE(x[i], x[i + BC_LANES / 2], BC_HIGH);
        }
        for (int i = 0; i < BC_LANES; i++) {
            x[i] = y[i];
        }
    }
}

/* ---- blocks of four floats, for tiles of four values of BC_LANES frames ---- */

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

#endif

/* mask is all ones or all zeros in each lane */
BC_INLINE bc_vf bc_vf_select(bc_vi mask, bc_vf yes, bc_vf no) {
    return bc_vf_of_bits((mask & bc_vf_bits(yes)) | (~mask & bc_vf_bits(no)));
}

#if BC_LANES > 1 && defined(BC_EVEN)

/* Values 0, 2, 4, ... and 1, 3, 5, ... of twice BC_LANES. */
BC_INLINE void bc_vf_load_pairs(const float *p, bc_vf *even, bc_vf *odd) {
#if defined(BC_MVE)
    const uint32x4_t every_second = {0, 8, 16, 24}; /* for vld2q_f32 gcc 12 writes an instruction that does not exist */
    *even = (bc_vf)vldrwq_gather_offset_f32(p, every_second);
    *odd = (bc_vf)vldrwq_gather_offset_f32(p + 1, every_second);
#else
    bc_vf low = bc_vf_load(p), high = bc_vf_load(p + BC_LANES);
    *even = BC_SHUFFLE(low, high, BC_EVEN);
    *odd = BC_SHUFFLE(low, high, BC_ODD);
#endif
}

/* The last value first. */
BC_INLINE bc_vf bc_vf_load_mirrored(const float *p) {
#if defined(BC_MVE)
    const uint32x4_t backwards = {12, 8, 4, 0};
    return (bc_vf)vldrwq_gather_offset_f32(p, backwards);
#else
    bc_vf x = bc_vf_load(p);
    return BC_SHUFFLE(x, x, BC_MIRROR);
#endif
}

BC_INLINE void bc_vf_store_mirrored(float *p, bc_vf x) {
#if defined(BC_MVE)
    const uint32x4_t backwards = {12, 8, 4, 0};
    vstrwq_scatter_offset_f32(p, backwards, (float32x4_t)x);
#else
    bc_vf_store(p, BC_SHUFFLE(x, x, BC_MIRROR));
#endif
}

/* The first value of after, then those of before from the last one to the second. */
BC_INLINE bc_vf bc_vf_load_mirrored_from(const bc_vf *before, const bc_vf *after) {
#if defined(BC_MVE)
    const uint32x4_t backwards = {(uint32_t)((const char *)after - (const char *)before), 12, 8, 4};
    return (bc_vf)vldrwq_gather_offset_f32((const float *)(const void *)before, backwards);
#else
    return BC_SHUFFLE(*before, *after, BC_MIRROR_FROM_NEXT);
#endif
}

#endif

/* bits where the condition holds, 0 elsewhere */
#if BC_LANES == 1
BC_INLINE bc_vi bc_vi_if(int condition, bc_vi bits) { return condition ? bits : 0; }
#else
BC_INLINE bc_vi bc_vi_if(bc_vi condition, bc_vi bits) { return condition & bits; }
#endif

/* The larger, or a where neither is. */
BC_INLINE bc_vf bc_vf_max(bc_vf a, bc_vf b) {
#if BC_LANES == 1
    return a < b ? b : a;
#elif defined(BC_MVE)
    return (bc_vf)vmaxnmq_f32((float32x4_t)a, (float32x4_t)b);
#elif BC_LANES == 8
    return _mm256_max_ps(b, a);
#elif BC_LANES == 16
    return _mm512_max_ps(b, a);
#else
    return bc_vf_select(bc_vf_less(a, b), b, a);
#endif
}

/* The square root of a normal number or 0, correctly rounded, bit by bit. */
BC_INLINE float bc_sqrt_in_integers(float x) {
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    if (bits == 0) {
        return 0.0f;
    }
    uint32_t exponent = (bits >> 23) + 127u;
    uint64_t rest = (uint64_t)((bits & 0x7fffffu) | 0x800000u) << (25u + (exponent & 1u));
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 48; bit != 0; bit >>= 2) {
        if (rest >= root + bit) {
            rest -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    root = (root + 1u) >> 1; /* never a tie: an odd root would have an odd square */
    bits = ((exponent >> 1) << 23) + ((uint32_t)root - 0x800000u);
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

/* The processor's square root is correctly rounded too (IEEE 754), where it has one. */
BC_INLINE float bc_sqrt(float x) {
#if defined(__SOFTFP__) || (defined(__riscv) && !defined(__riscv_flen))
    return bc_sqrt_in_integers(x);
#else
    return __builtin_sqrtf(x);
#endif
}

BC_INLINE bc_vf bc_vf_sqrt(bc_vf x) {
#if BC_LANES == 1
    return bc_sqrt(x);
#else
    for (int i = 0; i < BC_LANES; i++) {
        x[i] = bc_sqrt(x[i]);
    }
    return x;
#endif
}

/* ln x for normal x > 0, within 2 ulp (and 1e-9 near 1). x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt 2;
 * ln(1 + f) = f - f^2/2 + f^3 P(f), P from csrc/tools/fit_ln.py. e*ln 2 in two parts, the first exact
 * (as in Cephes logf). */
BC_INLINE bc_vf bc_vf_ln(bc_vf x) {
    bc_vi bits = bc_vf_bits(x) - 0x3f3504f3; /* sqrt(1/2) */
    bc_vf e = bc_vf_of_int(bits >> 23);
    bc_vf f = bc_vf_of_bits((bits & 0x7fffff) + 0x3f3504f3) - 1.0f;
    bc_vf p = f * -0.0763114914f + 0.12854901f;
    p = p * f - 0.132079005f;
    p = p * f + 0.141900107f;
    p = p * f - 0.166165218f;
    p = p * f + 0.200016156f;
    p = p * f - 0.25001061f;
    p = p * f + 0.333333284f;
    bc_vf f2 = f * f;
    bc_vf tail = f * f2 * p - 0.5f * f2;
    return e * 0.693359375f + (f + (tail - e * 2.12194440e-4f));
}

/* The same for n vectors (a constant, at most 8), step by step. */
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
