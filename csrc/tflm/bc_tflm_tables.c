/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of a configuration. Window, spans, weights and gain follow the original's float
 * arithmetic step by step, for its rounding decides some of the integers. cosf and powf are taken to
 * be rounded correctly, log1pf to round as newlib's and glibc's up to 2.40 do. Firmware with
 * constant tables does not link this file.
 */
#include "../frontend/bc_frontend_internal.h"
#include "bc_tflm_internal.h"

#define ONE (1 << BC_TFLM_ONE_BITS)
#define GAIN_OCTAVES 31u
#define GAIN_SIZE (2u + 3u * GAIN_OCTAVES)
#define CURVE_SIZE ((1u << BC_TFLM_CURVE_BITS) + 2u)

bc_status bc_tflm_default(bc_tflm_config *cfg, int32_t sample_rate) {
    if (cfg == NULL) {
        return BC_NULL_POINTER;
    }
    if (sample_rate < 1000 || sample_rate > 384000) {
        return BC_BAD_SAMPLE_RATE;
    }
    *cfg = (bc_tflm_config){.sample_rate = sample_rate, .win_length = sample_rate * 30 / 1000,
                            .hop_length = sample_rate * 10 / 1000, .n_channels = 40,
                            .fmin = 125.0f, .fmax = 7500.0f};
    return BC_OK;
}

static uint32_t fft_length(const bc_tflm_config *cfg) {
    uint32_t n = 1;
    while (n < (uint32_t)cfg->win_length) {
        n *= 2u;
    }
    return n;
}

/* Nearest integer, halves up: floorf(x + 0.5f). x is at least -1. */
static int32_t rounded(float x) {
    float shifted = x + 0.5f;
    int32_t whole = (int32_t)shifted;
    return (float)whole > shifted ? whole - 1 : whole;
}

/* The filter bank as the original lays it out: spans between the centres of neighbouring channels. */
typedef struct spans {
    float low;
    float spacing;
    float hz_per_bin;
    uint32_t first;
} spans;

/* A polynomial for log(1 + x) = 2 artanh(s), s = x/(2 + x), past the terms up to s^2 and without s. */
static float artanh_rest(float z) {
    static const float term[] = {0x1.2f112ep-3f, 0x1.39a09ep-3f, 0x1.74664ap-3f, 0x1.c71c52p-3f,
                                 0x1.24924ap-2f, 0x1.99999ap-2f, 0x1.555556p-1f};
    float sum = 0.0f;
    for (size_t i = 0; i < sizeof term / sizeof term[0]; i++) {
        sum = z * (term[i] + sum);
    }
    return sum;
}

/* log1pf of fdlibm for x >= 0, operation for operation: 1 + x = 2^k (1 + f), and c is what the sum
 * 1 + x lost. */
static float log1p_float(float x) {
    float f = x, c = 0.0f;
    int32_t k = 0;
    if (x < 0x1p-29f) {
        return x;
    }
    if (x >= 0x1.a827aep-2f) { /* sqrt(2) - 1 */
        float u = 1.0f + x, scale = 1.0f;
        for (; u * scale >= 2.0f; scale *= 0.5f) {
            k++;
        }
        c = (k > 0 ? 1.0f - (u - x) : x - (u - 1.0f)) / u;
        f = u * scale;
        if (f >= 0x1.6a09eep+0f) { /* sqrt(2) */
            k++;
            f *= 0.5f;
        }
        f -= 1.0f;
    }
    float ln2_high = 0x1.62e300p-1f * (float)k, ln2_low = 0x1.2fefa2p-17f * (float)k;
    float half_square = 0.5f * f * f;
    if (f == 0.0f) {
        return ln2_high + (c + ln2_low);
    }
    if (f < 0.0f && f > -0x1p-22f) {
        float rest = half_square * (1.0f - 0.66666666666666666f * f);
        return ln2_high - ((rest - (ln2_low + c)) - f);
    }
    float s = f / (2.0f + f), rest = s * (half_square + artanh_rest(s * s));
    return k == 0 ? f - (half_square - rest) : ln2_high - ((half_square - (rest + (ln2_low + c))) - f);
}

static float mel(float hz) { return 1127.0f * log1p_float(hz / 700.0f); }

static float centre(const spans *s, uint32_t span) { return s->low + s->spacing * (float)(span + 1u); }

static float bin_mel(const spans *s, uint32_t bin) { return mel((float)bin * s->hz_per_bin); }

static spans make_spans(const bc_tflm_config *cfg) {
    spans s;
    s.low = mel(cfg->fmin);
    s.spacing = (mel(cfg->fmax) - s.low) / (float)(cfg->n_channels + 1);
    s.hz_per_bin = 0.5f * (float)cfg->sample_rate / (float)(fft_length(cfg) / 2u);
    s.first = (uint32_t)(1.5f + cfg->fmin / s.hz_per_bin);
    return s;
}

/* The bin after the last one of the span that starts at bin first. */
static uint32_t span_end(const spans *s, uint32_t span, uint32_t first, uint32_t n_bins) {
    while (first <= n_bins && bin_mel(s, first) <= centre(s, span)) {
        first++;
    }
    return first;
}

/* All spans' bins; more than n_fft/2 where the filters reach the bin at half the sample rate. */
static uint32_t last_span_end(const bc_tflm_config *cfg) {
    spans s = make_spans(cfg);
    return span_end(&s, (uint32_t)cfg->n_channels, s.first, fft_length(cfg) / 2u);
}

bc_status bc_tflm_check(const bc_tflm_config *cfg) {
    if (cfg == NULL) {
        return BC_NULL_POINTER;
    }
    if (cfg->sample_rate < 1000 || cfg->sample_rate > 384000) {
        return BC_BAD_SAMPLE_RATE;
    }
    if (cfg->win_length < 33 || cfg->win_length > 4096) {
        return BC_BAD_TFLM_WIN_LENGTH;
    }
    if (cfg->hop_length < 1 || cfg->hop_length > cfg->win_length) {
        return BC_BAD_TFLM_HOP_LENGTH;
    }
    if (cfg->n_channels < 1 || cfg->n_channels > 255) {
        return BC_BAD_TFLM_N_CHANNELS;
    }
    if (!(cfg->fmin >= 0.0f && cfg->fmin <= 192000.0f)) {
        return BC_BAD_TFLM_FMIN;
    }
    if (!(cfg->fmax >= cfg->fmin + 1.0f && cfg->fmax <= 192000.0f) || last_span_end(cfg) > fft_length(cfg) / 2u) {
        return BC_BAD_TFLM_FMAX;
    }
    return BC_OK;
}

/* Hands out the tables' places one after the other, from base (NULL: count only). */
static size_t lay_out(const bc_tflm_config *cfg, bc_tflm_tables *tables, uintptr_t base) {
    spans s = make_spans(cfg);
    uint32_t half = fft_length(cfg) / 2u;
    *tables = (bc_tflm_tables){
        .win_length = (uint32_t)cfg->win_length, .hop_length = (uint32_t)cfg->hop_length, .n_fft = 2u * half,
        .n_channels = (uint32_t)cfg->n_channels, .first_bin = s.first, .n_window = (uint32_t)cfg->win_length,
        .n_position = half, .n_twiddles = half * 3u / 4u, .n_split = half / 2u,
        .n_span = (uint32_t)cfg->n_channels + 1u, .n_weights = 2u * (last_span_end(cfg) - s.first),
        .n_gain = GAIN_SIZE, .n_curve = CURVE_SIZE};
    size_t at = 0;
#define BC_PLACE(member)                                       \
    do {                                                       \
        tables->member = (void *)(base + at);                  \
        at += tables->n_##member * sizeof *tables->member;     \
    } while (0)
    BC_PLACE(twiddles); /* the four-byte ones first */
    BC_PLACE(split);
    BC_PLACE(window);
    BC_PLACE(position);
    BC_PLACE(span);
    BC_PLACE(weights);
    BC_PLACE(gain);
    BC_PLACE(curve);
#undef BC_PLACE
    return at;
}

static void fill_window(int16_t *window, uint32_t n) {
    float step = 3.14159265358979323846f * 2.0f / (float)n;
    for (uint32_t i = 0; i < n; i++) {
        /* The angle differs from (2 i + 1)/(2 n) of a turn by the roundings of float: x + d. */
        double exact = 3.14159265358979323846 * (double)(2u * i + 1u) / (double)n;
        double d = (double)(step * ((float)i + 0.5f)) - exact;
        double c = bc_cos_turn(2u * i + 1u, 2u * n), s = bc_sin_turn(2u * i + 1u, 2u * n);
        float cosine = (float)(c - d * s - 0.5 * d * d * c);
        window[i] = (int16_t)rounded((0.5f - 0.5f * cosine) * (float)ONE);
    }
}

/* Every stage of the FFT takes element q of r from its input with stride r. */
static void fill_position(uint16_t *position, uint32_t half) {
    for (uint32_t i = 0; i < half; i++) {
        uint32_t rest = i, place = 0;
        for (uint32_t span = half; span > 1u;) {
            uint32_t radix = span % 4u == 0 ? 4u : 2u;
            span /= radix;
            place += rest % radix * span;
            rest /= radix;
        }
        position[i] = (uint16_t)place;
    }
}

/* floor(0.5 + 32767 x) */
static uint32_t fixed(double x) {
    double scaled = 32767.0 * x + 0.5;
    int32_t whole = (int32_t)scaled;
    return (uint32_t)((double)whole > scaled ? whole - 1 : whole) & 0xffffu;
}

static void fill_fft(const bc_tflm_tables *tables, uint32_t *twiddles, uint32_t *split) {
    uint32_t half = tables->n_fft / 2u;
    for (uint32_t i = 0; i < tables->n_twiddles; i++) {
        twiddles[i] = fixed(bc_cos_turn(i, half)) | fixed(-bc_sin_turn(i, half)) << 16;
    }
    for (uint32_t i = 0; i < tables->n_split; i++) { /* exp(-2 pi j (k/n_fft + 1/4)), k = i + 1 */
        uint32_t k = i + 1u;
        split[i] = fixed(-bc_sin_turn(k, 2u * half)) | fixed(-bc_cos_turn(k, 2u * half)) << 16;
    }
}

static void fill_filters(const bc_tflm_config *cfg, uint16_t *span, uint16_t *weights) {
    spans s = make_spans(cfg);
    uint32_t bin = s.first, n_bins = fft_length(cfg) / 2u;
    for (uint32_t i = 0; i <= (uint32_t)cfg->n_channels; i++) {
        uint32_t end = span_end(&s, i, bin, n_bins);
        float from = i == 0 ? s.low : centre(&s, i - 1u), to = centre(&s, i);
        span[i] = (uint16_t)(end - bin);
        for (; bin < end; bin++, weights += 2) {
            float weight = (to - bin_mel(&s, bin)) / (to - from);
            weights[0] = (uint16_t)rounded(weight * (float)ONE);
            weights[1] = (uint16_t)rounded((1.0f - weight) * (float)ONE);
        }
    }
}

/* 2^21 (level + 80)^-0.95 for a noise level in units of 2^-shift. */
static int32_t gain_at(uint32_t noise, uint32_t shift) {
    float level = (float)noise / (float)(1u << shift) + 80.0f;
    float gain = 2097152.0f * (float)bc_exp((double)-0.95f * bc_log((double)level));
    return gain > 32767.0f ? 32767 : (int32_t)(gain + 0.5f);
}

static void fill_gain(int16_t *gain, uint32_t n_fft) {
    uint32_t fft_bits = 31u - (uint32_t)__builtin_clz(n_fft) - BC_TFLM_ONE_BITS / 2;
    uint32_t shift = BC_TFLM_NOISE_SCALE_BITS - fft_bits;
    *gain++ = (int16_t)gain_at(0, shift);
    *gain++ = (int16_t)gain_at(1, shift);
    for (uint32_t octave = 1; octave <= GAIN_OCTAVES; octave++, gain += 3) {
        uint32_t start = 1u << octave, end = octave == GAIN_OCTAVES ? 0xffffffffu : 2u * start;
        int32_t at_start = gain_at(start, shift);
        int32_t to_middle = gain_at(start + start / 2u, shift) - at_start;
        int32_t to_end = gain_at(end, shift) - at_start;
        int32_t slope = 4 * to_middle - to_end;
        gain[0] = (int16_t)at_start;
        gain[1] = (int16_t)slope;
        gain[2] = (int16_t)(to_end - slope);
    }
}

static void fill_curve(uint16_t *curve) {
    for (uint32_t i = 0; i < CURVE_SIZE; i++) {
        double x = (double)i / (double)(1u << BC_TFLM_CURVE_BITS);
        double above = x < 1.0 ? bc_log(1.0 + x) / bc_log(2.0) - x : 0.0;
        curve[i] = (uint16_t)(65536.0 * above + 0.5);
    }
}

size_t bc_tflm_tables_size(const bc_tflm_config *cfg) {
    bc_tflm_tables tables;
    return bc_tflm_check(cfg) == BC_OK ? lay_out(cfg, &tables, 0) + 3u : 0;
}

bc_status bc_tflm_make_tables(const bc_tflm_config *cfg, bc_tflm_tables *tables, void *memory, size_t size) {
    if (tables == NULL || memory == NULL) {
        return BC_NULL_POINTER;
    }
    bc_status status = bc_tflm_check(cfg);
    if (status != BC_OK) {
        return status;
    }
    bc_tflm_tables t;
    uintptr_t base = ((uintptr_t)memory + 3u) & ~(uintptr_t)3u;
    if (size < lay_out(cfg, &t, base) + 3u) {
        return BC_RAM_TOO_SMALL;
    }
    /* The members point to const; memory is the caller's own and is not. */
    fill_window((int16_t *)(uintptr_t)t.window, t.win_length);
    fill_position((uint16_t *)(uintptr_t)t.position, t.n_position);
    fill_fft(&t, (uint32_t *)(uintptr_t)t.twiddles, (uint32_t *)(uintptr_t)t.split);
    fill_filters(cfg, (uint16_t *)(uintptr_t)t.span, (uint16_t *)(uintptr_t)t.weights);
    fill_gain((int16_t *)(uintptr_t)t.gain, t.n_fft);
    fill_curve((uint16_t *)(uintptr_t)t.curve);
    *tables = t;
    return BC_OK;
}
