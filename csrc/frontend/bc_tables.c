/* SPDX-License-Identifier: Apache-2.0
 *
 * The constant tables of a front-end: FFT twiddles and input order, window, mel filter bank, cepstrum.
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

/* A stage of radix r that joins transforms of length span has (r-1)*span twiddles. The first has none. */
static size_t twiddle_count(const bc_plan *plan) {
    size_t span = plan->radix[0], count = 0;
    for (uint8_t s = 1; s < plan->n_stages; s++) {
        count += 2u * (plan->radix[s] - 1u) * span;
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

static void fill_positions(const bc_plan *plan, uint16_t *position) {
    for (uint32_t i = 0; i < plan->half; i++) {
        position[i] = (uint16_t)input_position(plan, i);
    }
}

static void fill_twiddles(const bc_plan *plan, float *out) {
    uint32_t span = plan->radix[0];
    for (uint8_t s = 1; s < plan->n_stages; s++) {
        uint32_t length = span * plan->radix[s];
        for (uint32_t j = 1; j < plan->radix[s]; j++) {
            for (uint32_t k = 0; k < span; k++) {
                out[k] = (float)bc_cos_turn(k * j % length, length);
                out[span + k] = (float)-bc_sin_turn(k * j % length, length);
            }
            out += 2u * span;
        }
        span = length;
    }
}

static void fill_split(const bc_plan *plan, float *out) {
    uint32_t half = plan->half, count = half / 2u + 1u;
    for (uint32_t k = 0; k < count; k++) {
        out[k] = (float)bc_cos_turn(k, 2u * half);
        out[count + k] = (float)bc_sin_turn(k, 2u * half);
    }
}

/* Halved: the real FFT's last step (split) then needs no halving. A power of two changes no rounding. */
static void fill_window(const bc_frontend_config *cfg, float *window) {
    uint32_t n = (uint32_t)cfg->win_length;
    uint32_t turn = cfg->window == BC_WINDOW_HANN || n == 1 ? n : n - 1u;
    for (uint32_t i = 0; i < n; i++) {
        double hann = n == 1 ? 1.0 : 0.5 - 0.5 * bc_cos_turn(i % turn, turn);
        if (cfg->window == BC_WINDOW_POVEY && hann > 0.0) {
            hann = bc_exp(0.85 * bc_log(hann));
        }
        window[i] = (float)(0.5 * hann);
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

static void fill_leak(const bc_plan *plan, float *leak) {
    for (int64_t k = 0; k <= (int64_t)plan->half; k++) {
        double spectrum[2] = {0.0, 0.0};
        add_series(plan, k, 0, 0.5, spectrum);
        add_series(plan, k, 1, -0.25, spectrum);
        add_series(plan, k, -1, -0.25, spectrum);
        leak[k] = (float)spectrum[0];
        leak[plan->half + 1 + k] = (float)spectrum[1];
    }
}

/* A constant under a shorter window leaks into every bin, unless something takes it out anyway. */
static int leaks(const bc_frontend_config *cfg) {
    return cfg->window == BC_WINDOW_HANN && cfg->win_length < cfg->n_fft && cfg->win_length > 1 &&
           cfg->remove_dc == 0 && !(cfg->preemphasis > 0.0f);
}

static double square_root(double x) { return bc_exp(0.5 * bc_log(x)); }

static void fill_dct(const bc_frontend_config *cfg, float *dct) {
    uint32_t n = (uint32_t)cfg->n_mels, lifter = (uint32_t)cfg->lifter;
    int from_one = cfg->dct_norm == BC_DCT_NORM_NONE || cfg->dct_norm == BC_DCT_NORM_ORTHO;
    for (uint32_t c = 0; c < (uint32_t)cfg->n_mfcc; c++) {
        double scale = square_root((c == 0 && cfg->dct_norm != BC_DCT_NORM_HTK ? 1.0 : 2.0) / (double)n);
        if (cfg->dct_norm == BC_DCT_NORM_NONE) {
            scale = 2.0;
        }
        if (lifter != 0) {
            uint32_t angle = (c + (from_one ? 1u : 0u)) % (2u * lifter);
            scale *= 1.0 + 0.5 * (double)lifter * bc_sin_turn(angle, 2u * lifter);
        }
        for (uint32_t band = 0; band < n; band++) {
            uint32_t angle = c * (2u * band + 1u) % (4u * n);
            dct[band * (uint32_t)cfg->n_mfcc + c] = (float)(scale * bc_cos_turn(angle, 4u * n));
        }
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

/* One band: its edges on the axis on which it is straight, and its height. */
typedef struct triangle {
    double low, peak, high, gain;
} triangle;

static triangle triangle_at(const bc_frontend_config *cfg, int32_t band) {
    bc_mel_scale scale = cfg->mel_scale;
    double bottom = hz_to_mel(scale, (double)cfg->fmin);
    double step = (hz_to_mel(scale, (double)cfg->fmax) - bottom) / (double)(cfg->n_mels + 1);
    double edge[3], hz[3];
    for (int i = 0; i < 3; i++) {
        edge[i] = bottom + step * (double)(band + i);
        hz[i] = mel_to_hz(scale, edge[i]);
        if (cfg->mel_slopes == BC_MEL_SLOPES_HZ) {
            edge[i] = hz[i];
        } else if (cfg->mel_slopes == BC_MEL_SLOPES_BIN) { /* the small part keeps fmax from rounding down */
            edge[i] = (double)(int32_t)((double)(cfg->n_fft + 1) * hz[i] / (double)cfg->sample_rate + 1e-9);
        }
    }
    double gain = cfg->mel_norm == BC_MEL_NORM_SLANEY ? 2.0 / (hz[2] - hz[0]) : 1.0;
    return (triangle){edge[0], edge[1], edge[2], gain};
}

/* Where a bin lies on the axis on which the triangles are straight. */
static double place_of_bin(const bc_frontend_config *cfg, int32_t bin) {
    if (cfg->mel_slopes == BC_MEL_SLOPES_BIN) {
        return (double)bin;
    }
    double hz = (double)cfg->sample_rate / (double)cfg->n_fft * (double)bin;
    return cfg->mel_slopes == BC_MEL_SLOPES_MEL ? hz_to_mel(cfg->mel_scale, hz) : hz;
}

static double weight_at(const triangle *t, double x) {
    if (!(x > t->low && x < t->high)) {
        return 0.0;
    }
    double share = x <= t->peak ? (x - t->low) / (t->peak - t->low) : (t->high - x) / (t->high - t->peak);
    return t->gain * share;
}

/* First bin and number of bins of a band, of which weights at a distance of 4 are filled in unless NULL. Bins 0
 * and n_fft/2 are never used: the edges lie within 0 and half the sample rate, where a triangle is 0. */
static void fill_band(const bc_frontend_config *cfg, int32_t band, int32_t start, uint16_t *first_and_count,
                      float *weights) {
    triangle t = triangle_at(cfg, band);
    uint16_t first = 0, count = 0;
    for (int32_t bin = start; bin < cfg->n_fft / 2; bin++) {
        double x = place_of_bin(cfg, bin);
        float weight = (float)weight_at(&t, x);
        if (weight <= 1e-12f) { /* outside, or lost in any sum */
            if (x >= t.high) {
                break;
            }
            continue;
        }
        first = count == 0 ? (uint16_t)bin : first;
        if (weights != NULL) {
            weights[4u * count] = weight;
        }
        count++;
    }
    first_and_count[0] = first;
    first_and_count[1] = count;
}

/* Fills groups of four bands and their weights where they are not NULL; returns how many weights there are. */
size_t bc_mel_bands(const bc_frontend_config *cfg, uint16_t *groups, float *weights) {
    size_t total = 0;
    int32_t start = 1; /* bands rise: none begins before the one below it */
    for (int32_t from = 0; from < cfg->n_mels; from += 4) {
        uint16_t band[4][2] = {{0, 0}}, widest = 0;
        int32_t width = cfg->n_mels - from < 4 ? cfg->n_mels - from : 4, group_start = start;
        for (int32_t i = 0; i < width; i++) {
            fill_band(cfg, from + i, start, band[i], NULL);
            start = band[i][1] != 0 ? band[i][0] : start;
            widest = band[i][1] > widest ? band[i][1] : widest;
        }
        for (size_t i = 0; weights != NULL && i < 4u * widest; i++) {
            weights[total + i] = 0.0f;
        }
        for (int32_t i = 0; i < 4; i++) { /* where the widest would reach past the last bin: begin with weights 0 */
            int32_t end = (int32_t)band[i][0] + widest, last = cfg->n_fft / 2;
            uint16_t shift = (uint16_t)(end > last ? end - last : 0);
            if (weights != NULL && i < width) {
                uint16_t first_and_count[2];
                fill_band(cfg, from + i, group_start, first_and_count, weights + total + 4u * shift + (size_t)i);
            }
            if (groups != NULL) {
                groups[i] = (uint16_t)(band[i][0] - shift);
                groups[4] = widest;
            }
        }
        groups = groups != NULL ? groups + BC_BAND_GROUP : NULL;
        total += 4u * widest;
    }
    return total;
}

/* Hands out the tables' places one after the other, from base (0: count only). */
static size_t lay_out(const bc_plan *plan, bc_frontend_tables *tables, uintptr_t base) {
    const bc_frontend_config *cfg = &plan->config;
    size_t at = 0, half = plan->half;
#define BC_PLACE(member, count)                                      \
    do {                                                             \
        tables->member = (void *)(base + at);                        \
        tables->n_##member = (uint32_t)(count);                      \
        at += ((count) * sizeof *tables->member + 3u) & ~(size_t)3u; \
    } while (0)
    BC_PLACE(twiddles, twiddle_count(plan));
    BC_PLACE(split, 2u * (half / 2u + 1u));
    BC_PLACE(window, (size_t)cfg->win_length);
    BC_PLACE(leak, leaks(cfg) ? 2u * (half + 1u) : 0u);
    BC_PLACE(weights, bc_mel_bands(cfg, NULL, NULL));
    BC_PLACE(dct, (size_t)(cfg->n_mels * cfg->n_mfcc));
    BC_PLACE(bands, BC_BAND_GROUP * (((size_t)cfg->n_mels + 3u) / 4u));
    BC_PLACE(position, half);
#undef BC_PLACE
    return at;
}

size_t bc_frontend_tables_size(const bc_frontend_config *cfg) {
    if (bc_frontend_check(cfg) != BC_OK || cfg->compression == BC_COMPRESSION_TFLM) {
        return 0;
    }
    bc_plan plan;
    bc_frontend_tables tables;
    bc_plan_derive(&plan, cfg);
    return lay_out(&plan, &tables, 0);
}

bc_status bc_frontend_make_tables(bc_frontend_tables *tables, const bc_frontend_config *cfg, void *memory,
                                  size_t size) {
    if (tables == NULL || memory == NULL) {
        return BC_NULL_POINTER;
    }
    bc_status status = bc_frontend_check(cfg);
    if (status != BC_OK) {
        return status;
    }
    if (cfg->compression == BC_COMPRESSION_TFLM) {
        return BC_BAD_TABLES; /* those of <babycry/tflm.h> */
    }
    bc_plan plan;
    bc_plan_derive(&plan, cfg);
    *tables = (bc_frontend_tables){.config = *cfg};
    if (size < lay_out(&plan, tables, (uintptr_t)memory)) {
        return BC_RAM_TOO_SMALL;
    }
    /* the caller's memory: only the tables' readers see it as constant */
    fill_positions(&plan, (uint16_t *)(uintptr_t)tables->position);
    fill_twiddles(&plan, (float *)(uintptr_t)tables->twiddles);
    fill_split(&plan, (float *)(uintptr_t)tables->split);
    fill_window(cfg, (float *)(uintptr_t)tables->window);
    if (leaks(cfg)) {
        fill_leak(&plan, (float *)(uintptr_t)tables->leak);
    }
    bc_mel_bands(cfg, (uint16_t *)(uintptr_t)tables->bands, (float *)(uintptr_t)tables->weights);
    fill_dct(cfg, (float *)(uintptr_t)tables->dct);
    if (cfg->compression == BC_COMPRESSION_DB && cfg->ref > 0.0f) {
        float reference = cfg->ref > cfg->amin ? cfg->ref : cfg->amin;
        tables->ref_level = (float)(10.0 * bc_log((double)reference) / bc_log(10.0));
    }
    return BC_OK;
}
