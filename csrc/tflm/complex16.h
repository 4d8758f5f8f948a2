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

/* Inlined at -Os too: a call for each addition would double the time of a frame. */
#define BC_INLINE static inline __attribute__((always_inline))

#if defined(__ARM_FEATURE_SIMD32) && !defined(__ARM_BIG_ENDIAN)

#include <arm_acle.h>

typedef int16x2_t complex16;

BC_INLINE complex16 complex_load(const bc_tflm_bin *bin) { return (complex16)bin->word; }
BC_INLINE void complex_store(bc_tflm_bin *bin, complex16 x) { bin->word = (uint32_t)x; }
BC_INLINE complex16 complex_unpacked(uint32_t word) { return (complex16)word; }

/* The low half of lo >> shift and the high half of hi: no intrinsic stands for this instruction, and
 * compilers make three of it. */
#define JOINED(result, lo, hi, shift) \
    __asm__("pkhtb %0, %1, %2, asr #" #shift : "=r"(result) : "r"(hi), "r"(lo))

BC_INLINE complex16 complex_real(int16_t re) { return re & 0xffff; }

/* Each part times scale / 32768. scale is below 16384, so that twice the product fits. */
BC_INLINE complex16 complex_scaled(complex16 x, int32_t scale) {
    complex16 result;
    JOINED(result, __smlabb(x, 2 * scale, 32768), __smlatb(x, 2 * scale, 32768), 16);
    return result;
}
BC_INLINE complex16 complex_times(complex16 x, complex16 w) {
    complex16 result;
    JOINED(result, __smlsd(x, w, 16384), (uint32_t)__smladx(x, w, 16384) << 1, 15);
    return result;
}
BC_INLINE complex16 complex_wrapped(complex16 x) { return x; }
BC_INLINE complex16 complex_sum(complex16 a, complex16 b) { return __sadd16(a, b); }
BC_INLINE complex16 complex_difference(complex16 a, complex16 b) { return __ssub16(a, b); }
BC_INLINE complex16 complex_minus_i_times(complex16 a, complex16 b) { return __ssax(a, b); }
BC_INLINE complex16 complex_plus_i_times(complex16 a, complex16 b) { return __sasx(a, b); }
BC_INLINE complex16 complex_conjugate(complex16 x) {
    return (complex16)((uint32_t)x & 0xffffu) | (complex16)(0u - ((uint32_t)x & 0xffff0000u));
}
BC_INLINE complex16 complex_shifted(complex16 x, uint32_t shift) {
    uint32_t kept = (0xffff0000u << shift) | 0xffffu;
    return (complex16)(((uint32_t)x << shift) & kept);
}
/* Two samples times two coefficients / 4096. */
BC_INLINE complex16 complex_windowed(const int16_t *pcm, const int16_t *window) {
    complex16 x, w, result;
    __builtin_memcpy(&x, pcm, sizeof x);
    __builtin_memcpy(&w, window, sizeof w);
    JOINED(result, (int16_t)x * (int16_t)w, (uint32_t)((x >> 16) * (w >> 16)) << 4, 12);
    return result;
}
/* The bits of both parts' magnitudes, in either half. */
BC_INLINE uint32_t complex_magnitude_bits(complex16 x) {
    complex16 negative = __ssub16(0, x); /* notes for __sel where it is not below 0 */
    return (uint32_t)__sel((uint32_t)negative, (uint32_t)x);
}
BC_INLINE uint32_t energy_of_half_sum(complex16 a, complex16 b) {
    complex16 x = __shadd16(a, b);
    return (uint32_t)__smuad(x, x);
}
/* Of ((a - b).re >> 1, (b - a).im >> 1). */
BC_INLINE uint32_t energy_of_half_difference(complex16 a, complex16 b) {
    uint32_t re = (uint32_t)__shsub16(a, b) & 0xffffu, im = (uint32_t)__shsub16(b, a) & 0xffff0000u;
    complex16 x = (complex16)(re | im);
    return (uint32_t)__smuad(x, x);
}

#else

typedef struct complex16 {
    int32_t re;
    int32_t im;
} complex16;

/* Keeps a factor or summand in a register of its own: ARMv7-M then multiplies and adds in one
 * instruction, where it would shift, subtract and add. */
BC_INLINE int32_t in_register(int32_t constant) {
#if defined(__thumb2__)
    __asm__("" : "+r"(constant));
#endif
    return constant;
}

BC_INLINE complex16 complex_load(const bc_tflm_bin *bin) { return (complex16){bin->z.re, bin->z.im}; }
BC_INLINE void complex_store(bc_tflm_bin *bin, complex16 x) {
    bin->z.re = (int16_t)x.re;
    bin->z.im = (int16_t)x.im;
}
BC_INLINE complex16 complex_real(int16_t re) { return (complex16){re, 0}; }
BC_INLINE complex16 complex_unpacked(uint32_t word) {
    return (complex16){(int16_t)word, (int32_t)word >> 16};
}
BC_INLINE complex16 complex_scaled(complex16 x, int32_t scale) {
    int32_t factor = in_register(scale), half = in_register(16384);
    return (complex16){(half + x.re * factor) >> 15, (half + x.im * factor) >> 15};
}
BC_INLINE complex16 complex_times(complex16 x, complex16 w) {
    int32_t half = in_register(16384);
    return (complex16){(half + x.re * w.re - x.im * w.im) >> 15, (half + x.re * w.im + x.im * w.re) >> 15};
}
BC_INLINE complex16 complex_wrapped(complex16 x) { return (complex16){(int16_t)x.re, (int16_t)x.im}; }
BC_INLINE complex16 complex_sum(complex16 a, complex16 b) { return (complex16){a.re + b.re, a.im + b.im}; }
BC_INLINE complex16 complex_difference(complex16 a, complex16 b) {
    return (complex16){a.re - b.re, a.im - b.im};
}
/* a - i b */
BC_INLINE complex16 complex_minus_i_times(complex16 a, complex16 b) {
    return (complex16){a.re + b.im, a.im - b.re};
}
/* a + i b */
BC_INLINE complex16 complex_plus_i_times(complex16 a, complex16 b) {
    return (complex16){a.re - b.im, a.im + b.re};
}
BC_INLINE complex16 complex_conjugate(complex16 x) { return (complex16){x.re, (int16_t)-x.im}; }
BC_INLINE complex16 complex_shifted(complex16 x, uint32_t shift) {
    return (complex16){(int16_t)((uint32_t)x.re << shift), (int16_t)((uint32_t)x.im << shift)};
}
BC_INLINE complex16 complex_windowed(const int16_t *pcm, const int16_t *window) {
    return (complex16){(pcm[0] * window[0]) >> 12, (pcm[1] * window[1]) >> 12};
}
BC_INLINE uint32_t magnitude(int32_t x) { return (uint32_t)(x ^ (x >> 31)) + ((uint32_t)x >> 31); }
BC_INLINE uint32_t complex_magnitude_bits(complex16 x) { return magnitude(x.re) | magnitude(x.im); }
BC_INLINE uint32_t energy(int32_t re, int32_t im) { return (uint32_t)(re * re + im * im); }
BC_INLINE uint32_t energy_of_half_sum(complex16 a, complex16 b) {
    return energy((a.re + b.re) >> 1, (a.im + b.im) >> 1);
}
/* Of ((a - b).re >> 1, (b - a).im >> 1). */
BC_INLINE uint32_t energy_of_half_difference(complex16 a, complex16 b) {
    return energy((a.re - b.re) >> 1, (b.im - a.im) >> 1);
}

#endif

#endif
