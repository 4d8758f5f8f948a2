/* SPDX-License-Identifier: Apache-2.0
 *
 * The real FFT of kissfft in 16-bit fixed point, rounding for rounding. A stage of radix r first
 * multiplies everything by (32767/r) / 32768. What is below 16384 is not changed by the twiddle
 * 32767, which stands for one: those products are left out.
 */
#include "complex16.h"

#define QUARTER (32767 / 4)
#define HALF (32767 / 2)

BC_INLINE void butterfly(bc_tflm_bin *at, size_t m, complex16 x0, complex16 x1, complex16 x2, complex16 x3) {
    complex16 sum = complex_sum(x0, x2), difference = complex_difference(x0, x2);
    complex16 odd_sum = complex_sum(x1, x3), odd_difference = complex_difference(x1, x3);
    complex_store(at, complex_sum(sum, odd_sum));
    complex_store(at + m, complex_minus_i_times(difference, odd_difference));
    complex_store(at + 2 * m, complex_difference(sum, odd_sum));
    complex_store(at + 3 * m, complex_plus_i_times(difference, odd_difference));
}

/* The first stage, on neighbours; here the samples are shifted. */
static void first_of_four(bc_tflm_bin *bins, size_t n, uint32_t shift) {
    for (const bc_tflm_bin *end = bins + n; bins != end; bins += 4) {
        butterfly(bins, 1, complex_scaled(complex_shifted(complex_load(bins), shift), QUARTER),
                  complex_scaled(complex_shifted(complex_load(bins + 1), shift), QUARTER),
                  complex_scaled(complex_shifted(complex_load(bins + 2), shift), QUARTER),
                  complex_scaled(complex_shifted(complex_load(bins + 3), shift), QUARTER));
    }
}

static void first_of_two(bc_tflm_bin *bins, size_t n, uint32_t shift) {
    for (const bc_tflm_bin *end = bins + n; bins != end; bins += 2) {
        complex16 x0 = complex_scaled(complex_shifted(complex_load(bins), shift), HALF);
        complex16 x1 = complex_scaled(complex_shifted(complex_load(bins + 1), shift), HALF);
        complex_store(bins, complex_sum(x0, x1));
        complex_store(bins + 1, complex_difference(x0, x1));
    }
}

/* Joins element k of four transforms of length m, k not 0. */
BC_INLINE void join(bc_tflm_bin *at, size_t m, complex16 w1, complex16 w2, complex16 w3) {
    complex16 x1 = complex_times(complex_scaled(complex_load(at + m), QUARTER), w1);
    complex16 x2 = complex_times(complex_scaled(complex_load(at + 2 * m), QUARTER), w2);
    complex16 x3 = complex_times(complex_scaled(complex_load(at + 3 * m), QUARTER), w3);
    butterfly(at, m, complex_scaled(complex_load(at), QUARTER), x1, x2, x3);
}

/* Element 0, where the twiddles are one. */
BC_INLINE void join_first(bc_tflm_bin *at, size_t m) {
    butterfly(at, m, complex_scaled(complex_load(at), QUARTER), complex_scaled(complex_load(at + m), QUARTER),
              complex_scaled(complex_load(at + 2 * m), QUARTER), complex_scaled(complex_load(at + 3 * m), QUARTER));
}

/* A stage but the first and last: the twiddles of element k serve all its blocks. */
static void stage(bc_tflm_bin *bins, const bc_tflm_bin *end, size_t m, const uint32_t *w) {
    for (bc_tflm_bin *at = bins; at < end; at += 4 * m) {
        join_first(at, m);
    }
    size_t step = (size_t)(end - bins) / (4 * m);
    for (size_t k = 1; k < m; k++) {
        complex16 w1 = complex_unpacked(w[k * step]), w2 = complex_unpacked(w[2 * k * step]);
        complex16 w3 = complex_unpacked(w[3 * k * step]);
        for (bc_tflm_bin *at = bins + k; at < end; at += 4 * m) {
            join(at, m, w1, w2, w3);
        }
    }
}

static void last_stage(bc_tflm_bin *bins, size_t m, const uint32_t *w) {
    join_first(bins, m);
    for (size_t k = 1; k < m; k++) {
        join(bins + k, m, complex_unpacked(w[k]), complex_unpacked(w[2 * k]), complex_unpacked(w[3 * k]));
    }
}

void bc_tflm_fft(const bc_tflm_tables *tables, bc_tflm_bin *bins, uint32_t shift) {
    size_t n = tables->n_fft / 2u, m = 4;
    if ((n & 0x55555555u) != 0) { /* a power of four */
        first_of_four(bins, n, shift);
    } else {
        first_of_two(bins, n, shift);
        m = 2;
    }
    for (; 4 * m < n; m *= 4) {
        stage(bins, bins + n, m, tables->twiddles);
    }
    last_stage(bins, m, tables->twiddles);
}

void bc_tflm_energies(const bc_tflm_tables *tables, bc_tflm_bin *bins) {
    bc_tflm_bin *low = bins + 1, *high = bins + tables->n_fft / 2u - 1;
    for (const uint32_t *w = tables->split; low <= high; low++, high--, w++) {
        complex16 a = complex_scaled(complex_load(low), HALF);
        complex16 b = complex_scaled(complex_conjugate(complex_load(high)), HALF);
        complex16 sum = complex_sum(a, b);
        complex16 turned = complex_wrapped(complex_times(complex_difference(a, b), complex_unpacked(*w)));
        low->word = energy_of_half_sum(sum, turned);
        high->word = energy_of_half_difference(sum, turned);
    }
}
