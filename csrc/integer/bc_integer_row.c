/* SPDX-License-Identifier: Apache-2.0
 *
 * Spectrum -> mel bands -> levels (dB or ln) -> features: the levels themselves, or their cosine transform.
 */
#include "bc_integer_internal.h"

/* mantissa * 2^exponent; bit 31 of the mantissa is set. */
typedef struct bc_number {
    uint32_t mantissa;
    int32_t exponent;
} bc_number;

/* The weighted sum of a band / 2^16. High and low words are summed apart: no sum reaches 2^63. */
static uint64_t band_sum(const bc_complex *z, const uint16_t *weights, size_t count) {
    int64_t high = 0, low = 0;
    if (count % 2u != 0) {
        high = bc_weighted(z->re, *weights);
        low = bc_weighted(z->im, *weights++);
        z++;
    }
    for (const bc_complex *end = z + count / 2u * 2u; z < end; z += 2, weights += 2) {
        high += bc_weighted(z[0].re, weights[0]);
        low += bc_weighted(z[0].im, weights[0]);
        high += bc_weighted(z[1].re, weights[1]);
        low += bc_weighted(z[1].im, weights[1]);
    }
    return ((uint64_t)high << 16) + ((uint64_t)low >> 16);
}

static bc_number normalised(uint64_t x) {
    uint32_t high = (uint32_t)(x >> 32), low = (uint32_t)x;
    int32_t exponent = 32;
    if (high == 0) {
        high = low;
        low = 0;
        exponent = 0;
    }
    if (high == 0) {
        return (bc_number){0, 0};
    }
    int shift = __builtin_clz(high);
    uint32_t from_low = shift == 0 ? 0 : low >> (32 - shift);
    return (bc_number){high << shift | from_low, exponent - shift};
}

static bc_number sum(bc_number a, bc_number b) {
    if (a.mantissa == 0 || (b.mantissa != 0 && a.exponent < b.exponent)) {
        bc_number swapped = a;
        a = b;
        b = swapped;
    }
    int32_t distance = a.exponent - b.exponent;
    if (b.mantissa == 0 || distance > 31) {
        return a;
    }
    uint32_t mantissa = a.mantissa + (b.mantissa >> distance);
    if (mantissa < a.mantissa) {
        return (bc_number){mantissa >> 1 | 0x80000000u, a.exponent + 1};
    }
    return (bc_number){mantissa, a.exponent};
}

/* log2 by a straight line in each of 64 steps: within 5e-5. */
static int32_t log2_of(const uint32_t *steps, bc_number x) {
    uint32_t step = x.mantissa >> 25 & 63u, low = steps[step];
    uint32_t part = (uint32_t)((uint64_t)(steps[step + 1u] - low) * (x.mantissa << 7) >> 32);
    return (x.exponent + 31) * (1 << BC_LOG2_BITS) + (int32_t)(low + part);
}

static int32_t level_of(const bc_integer_tables *t, bc_number x) {
    if (t->adds_offset) {
        x = sum(x, (bc_number){t->offset_mantissa, t->offset_exponent});
    }
    if (x.mantissa == 0) {
        return t->floor_level;
    }
    int32_t level = bc_high_word(bc_product(log2_of(t->log2_steps, x), t->level_per_log2)) - t->ref_level;
    return level < t->floor_level ? t->floor_level : level;
}

static int32_t clamped(int32_t x, int32_t low, int32_t high) { return x < low ? low : x > high ? high : x; }

/* value * 2^shift / mantissa, rounded half to even: an estimate by the reciprocal, which is exact or one too
 * small, and its remainder. */
static int8_t quantised(const bc_integer_int8 *kind, int32_t value) {
    uint32_t size = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    uint64_t estimate = (uint64_t)size * kind->reciprocal >> (54 - kind->shift);
    uint32_t quotient = estimate > 512u ? 512u : (uint32_t)estimate;
    if (quotient < 512u) {
        uint32_t rest = (size << kind->shift) - quotient * kind->mantissa;
        if (rest >= kind->mantissa) {
            rest -= kind->mantissa;
            quotient++;
        }
        quotient += rest * 2u + (quotient & 1u) > kind->mantissa;
    }
    int32_t steps = value < 0 ? -(int32_t)quotient : (int32_t)quotient;
    return (int8_t)clamped(steps + kind->zero_point, -128, 127);
}

static void store(const bc_rows *rows, size_t at, int32_t level) {
    int32_t value = clamped((level + (1 << (BC_LEVEL_BITS - 1))) >> BC_LEVEL_BITS, -32768, 32767);
    if (rows->s8 != NULL) {
        rows->s8[at] = quantised(rows->kind, value);
    } else {
        rows->s16[at] = (int16_t)value;
    }
}

/* The transform's rows are even or odd about their middle: sums serve the even ones, differences the odd. */
static void cosine_transform(const bc_integer_tables *t, int32_t *levels, const bc_rows *rows, size_t at) {
    size_t n = (size_t)t->n_mels, half = (n + 1u) / 2u;
    for (size_t i = 0; i < n / 2u; i++) {
        int32_t a = levels[i], b = levels[n - 1u - i];
        levels[i] = a + b;
        levels[n - 1u - i] = a - b;
    }
    const int32_t *c = t->dct;
    for (size_t k = 0; k < (size_t)t->n_mfcc; k++, c += half) {
        int64_t total = 0;
        if (k % 2u == 0) {
            for (size_t i = 0; i < half; i++) {
                total += bc_product(levels[i], c[i]);
            }
        } else {
            for (size_t i = 0; i < n / 2u; i++) {
                total += bc_product(levels[n - 1u - i], c[i]);
            }
        }
        total >>= t->dct_shift;
        const int32_t most = 1 << 30;
        store(rows, at + k, total > most ? most : total < -most ? -most : (int32_t)total);
    }
}

void bc_integer_row(const bc_integer_state *state, int32_t exponent, const bc_rows *rows, size_t row) {
    const bc_integer_tables *t = state->tables;
    const uint16_t *weights = t->weights;
    size_t n = (size_t)t->n_mels;
    int32_t frame_exponent = t->magnitude ? exponent : 2 * exponent;
    for (size_t i = 0; i < n; i++) {
        size_t first = t->bands[2 * i], count = t->bands[2 * i + 1];
        bc_number x = normalised(band_sum(state->work + first, weights, count));
        x.exponent += t->band_exponents[i] - frame_exponent;
        weights += count;
        int32_t level = level_of(t, x);
        if (t->n_mfcc != 0) {
            state->levels[i] = level;
        } else {
            store(rows, row * n + i, level);
        }
    }
    if (t->n_mfcc != 0) {
        cosine_transform(t, state->levels, rows, row * (size_t)t->n_mfcc);
    }
}
