/* SPDX-License-Identifier: Apache-2.0
 *
 * The integer front-end's tables, in double precision from + - * / alone: the same on every host.
 * The only file of the integer front-end with float arithmetic; firmware with tables in flash leaves it out.
 */
#include "bc_frontend_internal.h"
#include "bc_integer_internal.h"

/* A cepstrum has room for levels of at most so much, and so far from each other, in dB and in ln. */
#define BC_ROOM_DB 128.0
#define BC_ROOM_LN 32.0

static int is_power_of_two(int32_t n) { return n > 0 && (n & (n - 1)) == 0; }

bc_status bc_integer_check(const bc_frontend_config *cfg) {
    if (cfg == NULL) {
        return BC_NULL_POINTER;
    }
    bc_status status = bc_frontend_check(cfg);
    if (status != BC_OK) return status;
    int is_db = cfg->compression == BC_COMPRESSION_DB;
    int is_ln = cfg->compression == BC_COMPRESSION_LOG || cfg->compression == BC_COMPRESSION_LOG_MAX;
    if (!is_power_of_two(cfg->n_fft)) return BC_BAD_N_FFT;
    if (cfg->window > BC_WINDOW_POVEY) return BC_BAD_WINDOW;
    if (cfg->framing > BC_FRAMING_CENTER_REFLECT) return BC_BAD_FRAMING;
    if (cfg->preemphasis > 0.0f) return BC_BAD_PREEMPHASIS;
    if (cfg->remove_dc != 0) return BC_BAD_REMOVE_DC;
    if (!is_db && !is_ln) return BC_BAD_COMPRESSION;
    if (is_db && !(cfg->ref > 0.0f)) return BC_BAD_REF;
    if (cfg->top_db > 0.0f) return BC_BAD_TOP_DB;
    if (cfg->delta != 0) return BC_BAD_DELTA;
    if (cfg->descriptors != 0) return BC_BAD_DESCRIPTORS;
    if (cfg->normalize != BC_NORMALIZE_NONE) return BC_BAD_NORMALIZE;
    if (cfg->pooling != BC_POOLING_NONE) return BC_BAD_POOLING;
    return BC_OK;
}

static double power_of_two(int32_t exponent) {
    double x = 1.0;
    for (; exponent > 0; exponent--) x *= 2.0;
    for (; exponent < 0; exponent++) x *= 0.5;
    return x;
}

/* To the nearest whole number, |x| < 2^52; beyond what 32 bits hold, to the last that they do. */
static int32_t rounded(double x) {
    double whole = x < 0.0 ? x - 0.5 : x + 0.5;
    return whole >= 2147483647.0 ? INT32_MAX : whole <= -2147483647.0 ? -INT32_MAX : (int32_t)whole;
}

static double square_root(double x) { return bc_exp(0.5 * bc_log(x)); }

/* The members that are writable here and nowhere else. */
#define BC_WRITABLE(type, pointer) ((type *)(uintptr_t)(pointer))

static void fill_frames(const bc_frontend_config *cfg, bc_integer_tables *t) {
    int centered = cfg->framing != BC_FRAMING_LEFT, at_left = cfg->window_position == BC_WINDOW_POSITION_LEFT;
    t->hop_length = cfg->hop_length;
    t->pad = centered ? cfg->n_fft / 2 : 0;
    t->mirrored = cfg->framing == BC_FRAMING_CENTER_REFLECT;
    t->frame_length = at_left && !centered ? cfg->win_length : cfg->n_fft;
    t->window_start = at_left ? 0 : (cfg->n_fft - cfg->win_length) / 2;
    t->window_length = cfg->win_length;
    t->magnitude = cfg->spectrum == BC_SPECTRUM_MAGNITUDE;
    t->n_mels = cfg->n_mels;
    t->n_mfcc = cfg->n_mfcc;
}

/* Radix-4 stages after the first one; sets what depends on them. */
static int32_t fill_stages(const bc_frontend_config *cfg, bc_integer_tables *t) {
    int32_t twos = 0, half = cfg->n_fft / 2;
    t->n_fft = cfg->n_fft;
    while ((1 << twos) < half) {
        twos++;
    }
    t->first_radix = twos % 2 == 0 ? 4 : 2;
    t->sample_shift = t->first_radix == 4 ? 15 : 16;
    return (twos - 1) / 2;
}

/* log2(value) as a level of the bands. */
static double level_per_log2(const bc_frontend_config *cfg) {
    double unit = power_of_two(BC_LEVEL_BITS) * bc_log(2.0);
    return cfg->compression == BC_COMPRESSION_DB ? unit * 128.0 * 10.0 / bc_log(10.0) : unit * 1024.0;
}

static void fill_levels(const bc_frontend_config *cfg, bc_integer_tables *t) {
    double per_log2 = level_per_log2(cfg), per_ln = per_log2 / bc_log(2.0);
    t->fraction_bits = cfg->compression == BC_COMPRESSION_DB ? 7 : 10;
    t->level_per_log2 = rounded(per_log2 * power_of_two(32 - BC_LOG2_BITS));
    t->floor_level = -(1 << 30);
    if (cfg->compression == BC_COMPRESSION_DB) {
        double floor = bc_log((double)cfg->amin);
        double ref = bc_log((double)(cfg->ref > cfg->amin ? cfg->ref : cfg->amin));
        t->ref_level = rounded(per_ln * ref);
        t->floor_level = rounded(per_ln * (floor - ref));
    } else if (cfg->compression == BC_COMPRESSION_LOG_MAX) {
        t->floor_level = rounded(per_ln * bc_log((double)cfg->log_offset));
    } else {
        double mantissa = (double)cfg->log_offset;
        t->adds_offset = 1;
        for (; mantissa < 2147483648.0; t->offset_exponent--) mantissa *= 2.0;
        for (; mantissa >= 4294967296.0; t->offset_exponent++) mantissa *= 0.5;
        t->offset_mantissa = (uint32_t)mantissa;
    }
}

static double window_at(const bc_frontend_config *cfg, const bc_integer_tables *t, uint32_t sample) {
    uint32_t n = (uint32_t)cfg->win_length, i = sample - (uint32_t)t->window_start; /* wraps before the start */
    if (i >= n) {
        return 0.0;
    }
    if (n == 1) {
        return 1.0;
    }
    uint32_t turn = cfg->window == BC_WINDOW_HANN ? n : n - 1u;
    double hann = 0.5 - 0.5 * bc_cos_turn(i % turn, turn);
    return cfg->window == BC_WINDOW_POVEY && hann > 0.0 ? bc_exp(0.85 * bc_log(hann)) : hann;
}

/* Where butterfly number i of the first stage finds its first sample: digits reversed. */
static void fill_order(bc_integer_tables *t) {
    uint16_t *order = BC_WRITABLE(uint16_t, t->order);
    for (uint32_t i = 0; i < t->n_order; i++) {
        uint32_t rest = i, reversed = 0;
        for (uint32_t n = t->n_order; n > 1; n /= 4u) {
            reversed = reversed * 4u + rest % 4u;
            rest /= 4u;
        }
        order[i] = (uint16_t)(2u * reversed);
    }
}

static void fill_window(const bc_frontend_config *cfg, bc_integer_tables *t) {
    static const uint8_t of_4[] = {1, 3, 0, 2}, of_2[] = {1, 0}; /* as load4 and load2 fetch them */
    uint32_t radix = (uint32_t)t->first_radix, step = (uint32_t)t->n_fft / radix;
    int32_t *out = BC_WRITABLE(int32_t, t->window);
    for (uint32_t i = 0; i < t->n_order; i++) {
        for (uint32_t j = 0; j < radix; j++) {
            uint32_t sample = t->order[i] + step * (radix == 4 ? of_4[j] : of_2[j]);
            *out++ = rounded(window_at(cfg, t, sample) * 2147483648.0);
            *out++ = rounded(window_at(cfg, t, sample + 1u) * 2147483648.0);
        }
    }
}

/* A product's high word is a quarter of it with twiddles in Q30; the last stage wants an eighth. */
static void fill_twiddles(bc_integer_tables *t) {
    int32_t *out = BC_WRITABLE(int32_t, t->twiddles);
    uint32_t half = (uint32_t)t->n_fft / 2u;
    for (uint32_t span = (uint32_t)t->first_radix; span < half; span *= 4u) {
        double scale = span * 4u < half ? 1073741824.0 : 536870912.0;
        for (uint32_t k = 1; k < span; k++) {
            for (uint32_t j = 1; j < 4; j++) {
                *out++ = rounded(scale * bc_cos_turn(k * j, 4u * span));
                *out++ = rounded(scale * bc_sin_turn(k * j, 4u * span));
            }
        }
    }
    out = BC_WRITABLE(int32_t, t->split);
    for (uint32_t k = 1; k < half / 2u; k++) {
        *out++ = rounded(2147483648.0 * bc_cos_turn(k, 2u * half));
        *out++ = rounded(2147483648.0 * bc_sin_turn(k, 2u * half));
    }
}

/* Weights of a band in 16 bits, its largest one in 2^15 .. 2^16 - 1; returns the power of two that makes
 * them the float weights again. The float ones stand four apart. */
static int16_t fill_band(const float *weights, uint32_t count, uint16_t *out) {
    double largest = 0.0;
    int16_t exponent = 0;
    for (uint32_t i = 0; i < count; i++) {
        largest = (double)weights[4u * i] > largest ? (double)weights[4u * i] : largest;
    }
    if (!(largest > 0.0)) {
        return 0;
    }
    for (; largest < 32767.75; largest *= 2.0) exponent--;
    for (; largest >= 65535.5; largest *= 0.5) exponent++;
    for (uint32_t i = 0; i < count; i++) {
        out[i] = (uint16_t)((double)weights[4u * i] * power_of_two(-exponent) + 0.5);
    }
    return exponent;
}

/* Out of the float front-end's groups of four bands side by side, of which the narrower ones end in zeros.
 * shift: of the spectrum against samples of full scale 1, without a frame's own exponent. */
static void fill_bands(const bc_frontend_config *cfg, bc_integer_tables *t, int32_t shift, float *weights) {
    uint16_t *bands = BC_WRITABLE(uint16_t, t->bands), *out = BC_WRITABLE(uint16_t, t->weights);
    int16_t *exponents = BC_WRITABLE(int16_t, t->band_exponents);
    uint16_t *group = (uint16_t *)(void *)(weights + bc_mel_bands(cfg, NULL, NULL));
    int32_t lacking = t->magnitude ? -shift : 16 - 2 * shift;
    t->n_weights = 0;
    bc_mel_bands(cfg, group, weights);
    for (int32_t i = 0; i < cfg->n_mels; i++) {
        uint16_t count = group[4];
        while (count != 0 && !(weights[4u * (count - 1u) + (uint32_t)i % 4u] > 0.0f)) {
            count--;
        }
        bands[2 * i] = group[i % 4];
        bands[2 * i + 1] = count;
        exponents[i] = (int16_t)(lacking + fill_band(weights + i % 4, count, out + t->n_weights));
        t->n_weights += count;
        weights += i % 4 == 3 ? 4u * group[4] : 0u;
        group += i % 4 == 3 ? BC_BAND_GROUP : 0u;
    }
}

static void fill_steps(bc_integer_tables *t) {
    uint32_t *log2_steps = BC_WRITABLE(uint32_t, t->log2_steps), *sqrt_steps = BC_WRITABLE(uint32_t, t->sqrt_steps);
    for (uint32_t i = 0; i < t->n_log2_steps; i++) {
        double log2 = bc_log(1.0 + (double)i / 64.0) / bc_log(2.0);
        log2_steps[i] = (uint32_t)(log2 * power_of_two(BC_LOG2_BITS) + 0.5);
    }
    for (uint32_t i = 0; i < t->n_sqrt_steps; i++) {
        sqrt_steps[i] = (uint32_t)(square_root(1.0 + (double)i / 32.0) * 1073741824.0 + 0.5);
    }
}

static double dct_scale(const bc_frontend_config *cfg, uint32_t c) {
    int from_one = cfg->dct_norm == BC_DCT_NORM_NONE || cfg->dct_norm == BC_DCT_NORM_ORTHO;
    double scale = 2.0;
    if (cfg->dct_norm != BC_DCT_NORM_NONE) {
        scale = square_root((c == 0 && cfg->dct_norm != BC_DCT_NORM_HTK ? 1.0 : 2.0) / (double)cfg->n_mels);
    }
    if (cfg->lifter != 0) {
        uint32_t lifter = (uint32_t)cfg->lifter, angle = (c + (from_one ? 1u : 0u)) % (2u * lifter);
        scale *= 1.0 + 0.5 * (double)lifter * bc_sin_turn(angle, 2u * lifter);
    }
    return scale;
}

/* A row other than the first sums to 0, so only half of the levels' distance counts, and the mean of its
 * cosines' sizes is at most sqrt(1/2). */
static void fill_dct(const bc_frontend_config *cfg, bc_integer_tables *t) {
    uint32_t n = (uint32_t)cfg->n_mels, half = (n + 1u) / 2u;
    int32_t *out = BC_WRITABLE(int32_t, t->dct), level_bits = t->fraction_bits, bits = 0;
    double largest = 0.0, sum = 0.0;
    for (uint32_t c = 0; c < (uint32_t)cfg->n_mfcc; c++) {
        double scale = dct_scale(cfg, c), size = scale < 0.0 ? -scale : scale;
        double share = c == 0 ? 1.0 : 0.354;
        largest = size > largest ? size : largest;
        sum = size * share > sum ? size * share : sum;
    }
    double room = sum * (double)n * (cfg->compression == BC_COMPRESSION_DB ? BC_ROOM_DB : BC_ROOM_LN);
    room *= 1.0 - 1e-9; /* its own rounding must not cost a bit */
    t->fraction_bits = 14;
    for (double most = 2.0; most < room && t->fraction_bits > -14; most *= 2.0) t->fraction_bits--;
    for (; largest * power_of_two(bits + 1) < 1073741824.0; bits++) {}
    t->dct_shift = bits + level_bits - t->fraction_bits;
    for (uint32_t c = 0; c < (uint32_t)cfg->n_mfcc; c++) {
        for (uint32_t band = 0; band < half; band++) {
            double angle = bc_cos_turn(c * (2u * band + 1u) % (4u * n), 4u * n);
            *out++ = rounded(dct_scale(cfg, c) * angle * power_of_two(bits));
        }
    }
}

/* Hands out the tables' places one after the other, from base (0: count only). */
static size_t lay_out(const bc_frontend_config *cfg, bc_integer_tables *t, uintptr_t base, size_t *scratch) {
    uint32_t half = (uint32_t)cfg->n_fft / 2u, n_mels = (uint32_t)cfg->n_mels;
    uint32_t n_weights = (uint32_t)bc_mel_bands(cfg, NULL, NULL);
    uint32_t stages = (uint32_t)fill_stages(cfg, t), starts = (half - (uint32_t)t->first_radix) / 3u;
    size_t at = 0;
#define BC_PLACE(member, count)                                                                   \
    do {                                                                                          \
        t->n_##member = (count);                                                                  \
        t->member = t->n_##member != 0 ? (void *)(base + at) : NULL;                              \
        at += (t->n_##member * sizeof *t->member + 3u) & ~(size_t)3u;                             \
    } while (0)
    BC_PLACE(window, (uint32_t)cfg->n_fft);
    BC_PLACE(twiddles, 6u * (starts - stages));
    BC_PLACE(split, half - 2u);
    BC_PLACE(log2_steps, 65u);
    BC_PLACE(sqrt_steps, cfg->spectrum == BC_SPECTRUM_MAGNITUDE ? 97u : 0u);
    BC_PLACE(dct, (uint32_t)cfg->n_mfcc * ((n_mels + 1u) / 2u));
    BC_PLACE(order, half / (uint32_t)t->first_radix);
    BC_PLACE(bands, 2u * n_mels);
    BC_PLACE(band_exponents, n_mels);
    BC_PLACE(weights, n_weights + 1u); /* so that there is a place where no band has a bin */
#undef BC_PLACE
    *scratch = at; /* where the float weights stand, and then their groups */
    return at + n_weights * sizeof(float) + BC_BAND_GROUP * ((n_mels + 3u) / 4u) * sizeof(uint16_t);
}

size_t bc_integer_tables_size(const bc_frontend_config *cfg) {
    bc_integer_tables t = {0};
    size_t scratch;
    return bc_integer_check(cfg) != BC_OK ? 0 : lay_out(cfg, &t, 0, &scratch) + BC_INTEGER_ALIGNMENT - 1u;
}

bc_status bc_integer_make_tables(const bc_frontend_config *cfg, bc_integer_tables *tables, void *ram,
                                 size_t ram_size) {
    if (tables == NULL || ram == NULL) {
        return BC_NULL_POINTER;
    }
    bc_status status = bc_integer_check(cfg);
    if (status != BC_OK) {
        return status;
    }
    uintptr_t base = ((uintptr_t)ram + BC_INTEGER_ALIGNMENT - 1u) & ~(uintptr_t)(BC_INTEGER_ALIGNMENT - 1u);
    *tables = (bc_integer_tables){0};
    size_t scratch, size = lay_out(cfg, tables, base, &scratch);
    if (ram_size < size + BC_INTEGER_ALIGNMENT - 1u) {
        return BC_RAM_TOO_SMALL;
    }
    fill_frames(cfg, tables);
    fill_levels(cfg, tables);
    fill_order(tables);
    fill_window(cfg, tables);
    fill_twiddles(tables);
    /* 15 for full scale; the high word of a window in Q31 halves; then the stages */
    int32_t shift = 15 + (tables->sample_shift - 1) - (2 * fill_stages(cfg, tables) + 1);
    fill_bands(cfg, tables, shift, (float *)(base + scratch));
    fill_steps(tables);
    if (cfg->n_mfcc != 0) {
        fill_dct(cfg, tables);
    }
    return BC_OK;
}

/* scale / 2^-fraction_bits = mantissa / 2^shift with a mantissa of 24 bits. */
bc_status bc_integer_make_int8(const bc_integer_tables *tables, float scale, int32_t zero_point,
                               bc_integer_int8 *out) {
    if (tables == NULL || out == NULL) {
        return BC_NULL_POINTER;
    }
    if (!(scale >= 1e-30f && scale <= 1e30f) || zero_point < -128 || zero_point > 127) {
        return BC_BAD_QUANTIZATION;
    }
    double mantissa = (double)scale;
    int32_t shift = -tables->fraction_bits;
    for (; mantissa < 8388608.0; shift++) mantissa *= 2.0;
    for (; mantissa >= 16777216.0; shift--) mantissa *= 0.5;
    if (shift > 31) { /* every step of the int16 is 256 or more: all but 0 saturate */
        shift = 31;
        mantissa = 8388608.0;
    }
    out->mantissa = (uint32_t)mantissa;
    out->reciprocal = (uint32_t)(18014398509481984.0 / mantissa); /* 2^54 */
    out->shift = shift < 0 ? 0 : shift; /* below 8 all steps round to 0 */
    out->zero_point = zero_point;
    return BC_OK;
}
