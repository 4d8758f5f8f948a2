/* SPDX-License-Identifier: Apache-2.0
 *
 * Complex numbers of two int16: kissfft's fixed-point arithmetic, which rounds every product with
 * (x + 2^14) >> 15 and lets sums wrap. Processors with the ARM DSP instructions keep a number in
 * one register, the others in two. Without them parts are wrapped when stored, not before: between
 * load and store no part leaves the int32 range, and none that is multiplied has wrapped, except
 * where complex_wrapped stands.
 */
#ifndef BC_TFLM_COMPLEX16_H
#define BC_TFLM_COMPLEX16_H

#include "bc_tflm_internal.h"

#if defined(__ARM_FEATURE_SIMD32) && !defined(__ARM_BIG_ENDIAN)

#include <arm_acle.h>

typedef int16x2_t complex16;

static inline complex16 complex_load(const bc_tflm_bin *bin) { return (complex16)bin->word; }
static inline void complex_store(bc_tflm_bin *bin, complex16 x) { bin->word = (uint32_t)x; }
static inline complex16 complex_unpacked(uint32_t word) { return (complex16)word; }

/* The low half of lo >> 16 and the high half of hi. */
static inline complex16 joined(int32_t lo, int32_t hi) {
    return (complex16)((uint32_t)hi & 0xffff0000u) | (complex16)((uint32_t)lo >> 16);
}

/* Each part times scale / 32768. scale is below 16384, so that twice the product fits. */
static inline complex16 complex_scaled(complex16 x, int32_t scale) {
    return joined(__smlabb(x, 2 * scale, 32768), __smlatb(x, 2 * scale, 32768));
}
static inline complex16 complex_times(complex16 x, complex16 w) {
    uint32_t re = (uint32_t)__smlsd(x, w, 16384), im = (uint32_t)__smladx(x, w, 16384);
    return joined((int32_t)(re << 1), (int32_t)(im << 1));
}
static inline complex16 complex_wrapped(complex16 x) { return x; }
static inline complex16 complex_sum(complex16 a, complex16 b) { return __sadd16(a, b); }
static inline complex16 complex_difference(complex16 a, complex16 b) { return __ssub16(a, b); }
static inline complex16 complex_minus_i_times(complex16 a, complex16 b) { return __ssax(a, b); }
static inline complex16 complex_plus_i_times(complex16 a, complex16 b) { return __sasx(a, b); }
static inline complex16 complex_conjugate(complex16 x) {
    return (complex16)((uint32_t)x & 0xffffu) | (complex16)(0u - ((uint32_t)x & 0xffff0000u));
}
static inline complex16 complex_shifted(complex16 x, uint32_t shift) {
    uint32_t kept = (0xffff0000u << shift) | 0xffffu;
    return (complex16)(((uint32_t)x << shift) & kept);
}
static inline uint32_t energy_of_half_sum(complex16 a, complex16 b) {
    complex16 x = __shadd16(a, b);
    return (uint32_t)__smuad(x, x);
}
/* Of ((a - b).re >> 1, (b - a).im >> 1). */
static inline uint32_t energy_of_half_difference(complex16 a, complex16 b) {
    uint32_t re = (uint32_t)__shsub16(a, b) & 0xffffu, im = (uint32_t)__shsub16(b, a) & 0xffff0000u;
    complex16 x = (complex16)(re | im);
    return (uint32_t)__smuad(x, x);
}

#else

typedef struct complex16 {
    int32_t re;
    int32_t im;
} complex16;

static inline complex16 complex_load(const bc_tflm_bin *bin) { return (complex16){bin->z.re, bin->z.im}; }
static inline void complex_store(bc_tflm_bin *bin, complex16 x) {
    bin->z.re = (int16_t)x.re;
    bin->z.im = (int16_t)x.im;
}
static inline complex16 complex_unpacked(uint32_t word) {
    return (complex16){(int16_t)word, (int32_t)word >> 16};
}
static inline complex16 complex_scaled(complex16 x, int32_t scale) {
    return (complex16){(x.re * scale + 16384) >> 15, (x.im * scale + 16384) >> 15};
}
static inline complex16 complex_times(complex16 x, complex16 w) {
    return (complex16){(x.re * w.re - x.im * w.im + 16384) >> 15, (x.re * w.im + x.im * w.re + 16384) >> 15};
}
static inline complex16 complex_wrapped(complex16 x) { return (complex16){(int16_t)x.re, (int16_t)x.im}; }
static inline complex16 complex_sum(complex16 a, complex16 b) { return (complex16){a.re + b.re, a.im + b.im}; }
static inline complex16 complex_difference(complex16 a, complex16 b) {
    return (complex16){a.re - b.re, a.im - b.im};
}
/* a - i b */
static inline complex16 complex_minus_i_times(complex16 a, complex16 b) {
    return (complex16){a.re + b.im, a.im - b.re};
}
/* a + i b */
static inline complex16 complex_plus_i_times(complex16 a, complex16 b) {
    return (complex16){a.re - b.im, a.im + b.re};
}
static inline complex16 complex_conjugate(complex16 x) { return (complex16){x.re, (int16_t)-x.im}; }
static inline complex16 complex_shifted(complex16 x, uint32_t shift) {
    return (complex16){(int16_t)((uint32_t)x.re << shift), (int16_t)((uint32_t)x.im << shift)};
}
static inline uint32_t energy(int32_t re, int32_t im) { return (uint32_t)(re * re + im * im); }
static inline uint32_t energy_of_half_sum(complex16 a, complex16 b) {
    return energy((a.re + b.re) >> 1, (a.im + b.im) >> 1);
}
/* Of ((a - b).re >> 1, (b - a).im >> 1). */
static inline uint32_t energy_of_half_difference(complex16 a, complex16 b) {
    return energy((a.re - b.re) >> 1, (b.im - a.im) >> 1);
}

#endif

#endif
