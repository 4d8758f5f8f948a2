/* SPDX-License-Identifier: Apache-2.0
 *
 * The constant tables of a front-end: FFT twiddles and input order, window, mel filter bank.
 */
#include "bc_frontend_internal.h"

/* Radices of the complex FFT in the order of use, or 0 stages if a prime factor above 5 is left.
 * Twos come first: there the twiddles are 1. */
uint8_t bc_fft_stages(uint32_t half, uint8_t radix[BC_MAX_STAGES]) {
    static const uint8_t candidates[] = {4, 3, 5};
    uint32_t fours = half;
    while (fours != 0 && fours % 4u == 0) {
        fours /= 4u;
    }
    uint8_t n = 0;
    if (half != 0 && fours % 2u == 0) {
        radix[n++] = 2;
        half /= 2u;
    }
    for (size_t i = 0; i < sizeof candidates; i++) {
        while (half > 1 && half % candidates[i] == 0 && n < BC_MAX_STAGES) {
            radix[n++] = candidates[i];
            half /= candidates[i];
        }
    }
    return half == 1 ? n : 0;
}

/* A stage of radix r that joins transforms of length span needs (r-1)*(span-1) twiddles:
 * those of element 0 are 1. */
size_t bc_fft_twiddle_count(const bc_plan *plan) {
    size_t span = 1, count = 0;
    for (uint8_t s = 0; s < plan->n_stages; s++) {
        count += (plan->radix[s] - 1u) * (span - 1u);
        span *= plan->radix[s];
    }
    return count;
}

static uint32_t input_position(const bc_plan *plan, uint32_t index) {
    uint32_t span = plan->half, position = 0;
    for (uint8_t s = plan->n_stages; s-- > 0;) {
        uint32_t r = plan->radix[s];
        span /= r;
        position += (index % r) * span;
        index /= r;
    }
    return position;
}

void bc_fft_tables(const bc_plan *plan) {
    uint32_t half = plan->half;
    for (uint32_t i = 0; i < half; i++) {
        plan->position[i] = (uint16_t)input_position(plan, i);
    }
    float *out = plan->twiddles;
    uint32_t span = 1;
    for (uint8_t s = 0; s < plan->n_stages; s++) {
        uint32_t length = span * plan->radix[s];
        for (uint32_t k = 1; k < span; k++) {
            for (uint32_t j = 1; j < plan->radix[s]; j++) {
                *out++ = (float)bc_cos_turn(k * j % length, length);
                *out++ = (float)-bc_sin_turn(k * j % length, length);
            }
        }
        span = length;
    }
    for (uint32_t k = 0; k <= half / 2u; k++) {
        plan->split[2u * k] = (float)bc_cos_turn(k, 2u * half);
        plan->split[2u * k + 1u] = (float)bc_sin_turn(k, 2u * half);
    }
}

/* Periodic Hann, halved: the real FFT's last step (split) then needs no halving. A power of two
 * changes no rounding. */
void bc_window_table(const bc_plan *plan) {
    uint32_t n = (uint32_t)plan->config.win_length;
    for (uint32_t i = 0; i < n; i++) {
        plan->window[i] = (float)(0.25 - 0.25 * bc_cos_turn(i, n));
    }
}

/* The numerator of the same angle within one turn. */
static uint32_t wrapped(int64_t numerator, uint32_t denominator) {
    int64_t rest = numerator % (int64_t)denominator;
    return (uint32_t)(rest < 0 ? rest + (int64_t)denominator : rest);
}

/* Adds to sum the transform at bin k of scale * exp(2 pi i j side / win_length) over the window's
 * samples j: a geometric series, in whole fractions of a turn. */
static void add_series(const bc_plan *plan, int64_t k, int64_t side, double scale, double sum[2]) {
    int64_t n = plan->config.n_fft, length = plan->config.win_length;
    int64_t step = k * length - side * n; /* of the angle, in turns / (n * length) */
    uint32_t turn = (uint32_t)(2 * n * length), half_turns = (uint32_t)(2 * n);
    double size = (double)length;
    if (step % (n * length) != 0) {
        size = bc_sin_turn(wrapped(step, half_turns), half_turns) / bc_sin_turn(wrapped(step, turn), turn);
    }
    int64_t offset = (int64_t)plan->window_offset;
    uint32_t middle = wrapped(-step * (length - 1) - 2 * offset * k * length, turn);
    sum[0] += scale * size * bc_cos_turn(middle, turn);
    sum[1] += scale * size * bc_sin_turn(middle, turn);
}

void bc_leak_table(const bc_plan *plan) {
    for (int64_t k = 0; bc_window_leaks(plan) && k < (int64_t)plan->half; k++) {
        double spectrum[2] = {0.0, 0.0};
        add_series(plan, k, 0, 0.5, spectrum);
        add_series(plan, k, 1, -0.25, spectrum);
        add_series(plan, k, -1, -0.25, spectrum);
        plan->leak[2 * k] = (float)spectrum[0];
        plan->leak[2 * k + 1] = (float)spectrum[1];
    }
}

/* slaney: librosa.hz_to_mel(htk=False); htk: 2595*log10(1+f/700). The htk scale is used here
 * without its factor, which cancels in every ratio of mels. */
static double hz_to_mel(bc_mel_scale scale, double hz) {
    if (scale == BC_MEL_SCALE_HTK) {
        return bc_log(1.0 + hz / 700.0);
    }
    return hz < 1000.0 ? hz * 3.0 / 200.0 : 15.0 + bc_log(hz / 1000.0) * (27.0 / bc_log(6.4));
}

static double mel_to_hz(bc_mel_scale scale, double mel) {
    if (scale == BC_MEL_SCALE_HTK) {
        return 700.0 * (bc_exp(mel) - 1.0);
    }
    return mel < 15.0 ? mel * 200.0 / 3.0 : 1000.0 * bc_exp((mel - 15.0) * (bc_log(6.4) / 27.0));
}

/* Fills bands and weights where they are not NULL; returns how many weights there are. Bins 0 and
 * n_fft/2 are never used: the edges lie within 0 and half the sample rate, where a triangle is 0. */
size_t bc_mel_bands(const bc_frontend_config *cfg, bc_band *bands, float *weights) {
    bc_mel_scale scale = cfg->mel_scale;
    double low = hz_to_mel(scale, (double)cfg->fmin);
    double step = (hz_to_mel(scale, (double)cfg->fmax) - low) / (double)(cfg->n_mels + 1);
    double hz_per_bin = (double)cfg->sample_rate / (double)cfg->n_fft;
    int32_t n_bins = cfg->n_fft / 2;
    size_t total = 0;
    for (int32_t band = 0; band < cfg->n_mels; band++) {
        double edge[3], hz[3];
        for (int i = 0; i < 3; i++) {
            edge[i] = low + step * (double)(band + i);
            hz[i] = mel_to_hz(scale, edge[i]);
            edge[i] = cfg->mel_slopes == BC_MEL_SLOPES_HZ ? hz[i] : edge[i];
        }
        double gain = cfg->mel_norm == BC_MEL_NORM_SLANEY ? 2.0 / (hz[2] - hz[0]) : 1.0;
        int32_t bin = (int32_t)(hz[0] / hz_per_bin);
        bin = bin < 1 ? 1 : bin;
        uint16_t first = (uint16_t)bin, count = 0;
        for (; bin < n_bins && hz_per_bin * (double)bin <= hz[2]; bin++) {
            double f = hz_per_bin * (double)bin;
            double x = cfg->mel_slopes == BC_MEL_SLOPES_HZ ? f : hz_to_mel(scale, f);
            double rise = (x - edge[0]) / (edge[1] - edge[0]);
            double fall = (edge[2] - x) / (edge[2] - edge[1]);
            float weight = (float)(gain * (rise < fall ? rise : fall));
            if (weight <= 1e-12f) { /* outside, or lost in any sum */
                first = count == 0 ? (uint16_t)(bin + 1) : first;
                continue;
            }
            if (weights != NULL) {
                weights[total + count] = weight;
            }
            count++;
        }
        if (bands != NULL) {
            bands[band].first = first;
            bands[band].count = count;
        }
        total += count;
    }
    return total;
}
