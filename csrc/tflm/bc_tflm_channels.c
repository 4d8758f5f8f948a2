/* SPDX-License-Identifier: Apache-2.0
 *
 * From energies to features. A product of 32 and 16 bits is kept as two: of the upper and of the
 * lower 16 bits, which no core needs a long multiplication for. Sums wrap at 32 bits, as in the
 * original.
 */
#include "bc_tflm_internal.h"

#define EVEN_SMOOTHING 409u /* 0.025 of 2^14 */
#define ODD_SMOOTHING 983u  /* 0.06 */
#define MIN_SIGNAL 819u     /* 0.05 */
#define GAIN_BITS 21
#define SNR_BITS 12
#define SNR_OUT_BITS 6
#define LN2 45426u /* of 2^16 */
#define LOG_SCALE_BITS 6

typedef struct sums {
    uint64_t ending;    /* of the channel whose centre is the span's end */
    uint64_t beginning; /* of the next */
} sums;

#if defined(__arm__) && defined(__thumb__) && !defined(__thumb2__)
/* ARMv6-M multiplies 32 by 32 bits to 32. An energy is below 2^31, a weight at most 2^12: 16 bins fit. */
#define BINS_AT_ONCE 16u
static sums span_sums(const bc_tflm_bin *bins, const uint16_t *weights, uint32_t n) {
    sums s = {0, 0};
    while (n != 0) {
        uint32_t count = n < BINS_AT_ONCE ? n : BINS_AT_ONCE, high[2] = {0, 0}, low[2] = {0, 0};
        n -= count;
        for (; count != 0; count--, bins++, weights += 2) {
            uint32_t upper = bins->word >> 16, lower = bins->word & 0xffffu;
            high[0] += upper * weights[0];
            low[0] += lower * weights[0];
            high[1] += upper * weights[1];
            low[1] += lower * weights[1];
        }
        s.ending += ((uint64_t)high[0] << 16) + low[0];
        s.beginning += ((uint64_t)high[1] << 16) + low[1];
    }
    return s;
}
#else
static sums span_sums(const bc_tflm_bin *bins, const uint16_t *weights, uint32_t n) {
    sums s = {0, 0};
    for (; n != 0; n--, bins++, weights += 2) {
        s.ending += (uint64_t)bins->word * weights[0];
        s.beginning += (uint64_t)bins->word * weights[1];
    }
    return s;
}
#endif

/* (a * factor) >> shift. factor is below 2^16, shift at most 16. */
static inline uint32_t product_shifted(uint32_t a, uint32_t factor, uint32_t shift) {
    return (((a >> 16) * factor) << (16u - shift)) + (((a & 0xffffu) * factor) >> shift);
}

/* Moves the noise level towards the signal; returns the signal less the noise. */
static uint32_t without_noise(uint32_t signal, uint32_t smoothing, uint32_t *noise) {
    uint32_t scaled = signal << BC_TFLM_NOISE_SCALE_BITS, keep = (1u << BC_TFLM_NOISE_BITS) - smoothing;
    uint32_t high = (scaled >> 16) * smoothing + (*noise >> 16) * keep;
    uint32_t low = (scaled & 0xffffu) * smoothing + (*noise & 0xffffu) * keep;
    uint32_t level = (high << (16 - BC_TFLM_NOISE_BITS)) + (low >> BC_TFLM_NOISE_BITS);
    *noise = level;
    uint32_t rest = level > scaled ? 0 : (scaled - level) >> BC_TFLM_NOISE_SCALE_BITS;
    uint32_t least = product_shifted(signal, MIN_SIGNAL, BC_TFLM_NOISE_BITS);
    return rest > least ? rest : least;
}

/* The gain for a noise level: a parabola in each octave. */
static uint32_t gain_for(uint32_t noise, const int16_t *gain) {
    if (noise < 2u) {
        return (uint32_t)gain[noise];
    }
    uint32_t zeros = (uint32_t)__builtin_clz(noise);
    int32_t part = (int32_t)(((noise << zeros) >> 21) & 0x3ffu);
    gain += 2u + 3u * (30u - zeros);
    int32_t rise = ((gain[2] * part) >> 5) + gain[1] * 32;
    return (uint32_t)(int16_t)(((rise * part + (1 << 14)) >> 15) + gain[0]);
}

static uint32_t amplified(uint32_t signal, uint32_t gain, uint32_t shift) {
    uint32_t snr = product_shifted(signal, gain, shift);
    if (snr < (2u << SNR_BITS)) {
        return (snr * snr) >> (2 + 2 * SNR_BITS - SNR_OUT_BITS);
    }
    return (snr >> (SNR_BITS - SNR_OUT_BITS)) - (1u << SNR_OUT_BITS);
}

/* 64 ln x, rounded; 0 for 0 and 1. */
static uint32_t logarithm(uint32_t x, const uint16_t *curve) {
    if (x <= 1u) {
        return 0;
    }
    uint32_t zeros = (uint32_t)__builtin_clz(x), part = ((x << zeros) & 0x7fffffffu) >> 15;
    uint32_t segment = part >> (16 - BC_TFLM_CURVE_BITS), within = part & ((1u << (16 - BC_TFLM_CURVE_BITS)) - 1u);
    int32_t from = curve[segment], to = curve[segment + 1u];
    uint32_t fraction = part + (uint32_t)(from + (((to - from) * (int32_t)within) >> 16));
    uint32_t log2 = ((31u - zeros) << 16) + fraction;
    uint32_t ln = (log2 >> 16) * LN2 + (((log2 & 0xffffu) * LN2 + 0x8000u) >> 16);
    return ((ln << LOG_SCALE_BITS) + 0x8000u) >> 16;
}

void bc_tflm_channels(const bc_tflm *stream, uint32_t shift, uint16_t *features) {
    const bc_tflm_tables *tables = stream->tables;
    uint32_t fft_bits = 31u - (uint32_t)__builtin_clz(tables->n_fft) - BC_TFLM_ONE_BITS / 2;
    const bc_tflm_bin *bins = stream->bins + tables->first_bin;
    const uint16_t *weights = tables->weights;
    uint64_t begun = 0;
    for (uint32_t i = 0; i <= tables->n_channels; i++) {
        uint32_t width = tables->span[i];
        sums s = span_sums(bins, weights, width);
        bins += width;
        weights += 2u * width;
        if (i != 0) { /* the first span only begins channel 0 */
            uint32_t signal = bc_tflm_root(begun + s.ending) >> shift;
            uint32_t *noise = &stream->noise[i - 1u];
            signal = without_noise(signal, (i & 1u) != 0 ? EVEN_SMOOTHING : ODD_SMOOTHING, noise);
            signal = amplified(signal, gain_for(*noise, tables->gain), GAIN_BITS - SNR_BITS - fft_bits);
            uint32_t value = logarithm(signal << fft_bits, tables->curve);
            features[i - 1u] = (uint16_t)(value > 65535u ? 65535u : value);
        }
        begun = s.beginning;
    }
}
