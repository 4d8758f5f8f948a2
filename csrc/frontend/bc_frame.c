/* SPDX-License-Identifier: Apache-2.0
 *
 * One frame of samples -> one row. For streams, and for what bc_frames.c does not do: pre-emphasis, removal
 * of the mean, descriptors. This one source is compiled once per instruction set, with BC_LANES values of the
 * frame side by side; a value goes through the same operations in the same order in every build, and in
 * bc_frames.c.
 *
 * samples --window--> complex FFT of n_fft/2 points, decimation in time --split--> levels of the bins
 * --triangles--> bands --log--> row
 */
#include "bc_frontend_internal.h"
#include "butterflies.h"

#define BC_JOIN_(a, b) a##b
#define BC_JOIN(a, b) BC_JOIN_(a, b)

/* The FFT's elements lie in blocks of BC_LANES real parts and BC_LANES imaginary parts. */

BC_INLINE bc_vf load(const float *p) {
#if BC_LANES == 1
    return *p;
#else
    return bc_vf_load(p);
#endif
}

BC_INLINE void store(float *p, bc_vf x) {
#if BC_LANES == 1
    *p = x;
#else
    bc_vf_store(p, x);
#endif
}

/* ---- samples to the windowed frame ---- */

void BC_JOIN(bc_from_int16_, BC_ISA)(const int16_t *pcm, size_t n, float *out) {
    size_t i = 0;
#if BC_LANES > 1
    for (; i + BC_LANES <= n; i += BC_LANES) {
        store(out + i, bc_vf_load_int16(pcm + i) * BC_INT16_SCALE);
    }
    if (i < n && n >= BC_LANES) { /* some of them again */
        store(out + n - BC_LANES, bc_vf_load_int16(pcm + n - BC_LANES) * BC_INT16_SCALE);
        return;
    }
#endif
    for (; i < n; i++) {
        out[i] = (float)pcm[i] * BC_INT16_SCALE;
    }
}

/* In so many interleaved sums, joined as a tree. */
static float mean_of(const float *x, size_t n) {
    float sum[BC_PARTIALS] = {0.0f};
    size_t i = 0;
    for (; i + BC_PARTIALS <= n; i += BC_PARTIALS) {
        for (size_t j = 0; j < BC_PARTIALS; j++) {
            sum[j] += x[i + j];
        }
    }
    for (size_t j = 0; i < n; i++, j++) {
        sum[j] += x[i];
    }
    for (size_t width = BC_PARTIALS / 2u; width != 0; width /= 2u) {
        for (size_t j = 0; j < width; j++) {
            sum[j] += sum[j + width];
        }
    }
    return sum[0] * (1.0f / (float)n);
}

static void apply_window(const bc_plan *plan, float *x) {
    size_t n = (size_t)plan->config.win_length, i = 0;
    const float *window = plan->window;
    for (; i + BC_LANES <= n; i += BC_LANES) {
        store(x + i, load(x + i) * load(window + i));
    }
    for (; i < n; i++) {
        x[i] *= window[i];
    }
}

static void subtract(float *x, size_t n, float mean) {
    size_t i = 0;
    for (; i + BC_LANES <= n; i += BC_LANES) {
        store(x + i, load(x + i) - mean);
    }
    for (; i < n; i++) {
        x[i] -= mean;
    }
}

static void preemphasize(float *x, size_t n, float factor) {
    size_t i = n;
    for (; i > BC_LANES; i -= BC_LANES) {
        store(x + i - BC_LANES, load(x + i - BC_LANES) - load(x + i - BC_LANES - 1) * factor);
    }
    for (; i > 1; i--) {
        x[i - 1] = x[i - 1] - x[i - 2] * factor;
    }
    x[0] = x[0] - x[0] * factor;
}

static void load_windowed_run(const float *f32, const int16_t *s16, const float *window, size_t n, float *out) {
    size_t i = 0;
    if (s16 == NULL) {
        for (; i + BC_LANES <= n; i += BC_LANES) {
            store(out + i, load(f32 + i) * load(window + i));
        }
        if (BC_LANES > 1 && i < n && n >= BC_LANES) { /* some of them again */
            i = n - BC_LANES;
            store(out + i, load(f32 + i) * load(window + i));
            return;
        }
    }
    for (; i < n; i++) {
        out[i] = (s16 != NULL ? (float)s16[i] * BC_INT16_SCALE : f32[i]) * window[i];
    }
}

/* Samples [start, start + win_length), windowed. */
static void load_windowed(const bc_plan *plan, const bc_source *source, int64_t start, float *out) {
    size_t n = (size_t)plan->config.win_length;
    for (size_t i = 0; i < n;) {
        size_t at = 0, run = bc_samples_run(source, start + (int64_t)i, n - i, &at);
        if (run == 0) {
            out[i] = bc_padding_at(plan, source, start + (int64_t)i) * plan->window[i];
            run = 1;
        } else if (source->s16 != NULL) {
            load_windowed_run(NULL, source->s16 + at, plan->window + i, run, out + i);
        } else {
            load_windowed_run(source->f32 + at, NULL, plan->window + i, run, out + i);
        }
        i += run;
    }
}

/* The windowed frame, n_fft samples. Returns the mean that was taken out and whose spectrum split() adds:
 * a window shorter than the frame spreads a constant over all bins, and the FFT's rounding is relative to the
 * largest bin, the constant's own. */
static float windowed_frame(const bc_plan *plan, const bc_source *source, int64_t start, float *frame) {
    const bc_frontend_config *cfg = &plan->config;
    size_t n = (size_t)cfg->win_length, n_fft = (size_t)cfg->n_fft, offset = plan->window_offset;
    float *x = frame + offset, mean = 0.0f;
    int takes_mean = cfg->remove_dc || bc_window_leaks(plan);
    if (!takes_mean && !(cfg->preemphasis > 0.0f)) {
        load_windowed(plan, source, start + (int64_t)offset, x);
    } else {
        bc_load_samples(plan, source, start + (int64_t)offset, n, x);
        if (takes_mean) {
            mean = mean_of(x, n);
            subtract(x, n, mean);
        }
        if (cfg->preemphasis > 0.0f) {
            preemphasize(x, n, cfg->preemphasis);
        }
        apply_window(plan, x);
    }
    for (size_t i = 0; i < offset; i++) {
        frame[i] = 0.0f;
    }
    for (size_t i = offset + n; i < n_fft; i++) {
        frame[i] = 0.0f;
    }
    return mean;
}

/* ---- FFT ---- */

#if BC_LANES == 1

/* From the samples' own order to the places in which all further stages work. */
BC_INLINE void first_stage(const bc_plan *plan, const float *x, bc_vc *z, size_t radix,
                           void (*butterfly)(bc_vc *, size_t)) {
    size_t stride = plan->half / radix;
    for (size_t i = 0; i < stride; i++) {
        bc_vc *out = z + plan->position[i], v[5];
        for (size_t j = 0; j < radix; j++) {
            v[j] = (bc_vc){x[2 * (i + j * stride)], x[2 * (i + j * stride) + 1]};
        }
        butterfly(v, 1);
        for (size_t j = 0; j < radix; j++) {
            out[j] = v[j];
        }
    }
}

/* Through registers: the compiler could not know that elements do not overlap. */
BC_INLINE void butterfly_at(bc_vc *z, size_t span, size_t radix, void (*butterfly)(bc_vc *, size_t)) {
    bc_vc v[5];
    for (size_t j = 0; j < radix; j++) {
        v[j] = z[j * span];
    }
    butterfly(v, 1);
    for (size_t j = 0; j < radix; j++) {
        z[j * span] = v[j];
    }
}

BC_INLINE void twiddled_butterfly_at(bc_vc *z, size_t span, size_t radix, void (*butterfly)(bc_vc *, size_t),
                                     const bc_vc *turn) {
    bc_vc v[5];
    v[0] = z[0];
    for (size_t j = 1; j < radix; j++) {
        v[j] = twiddle(z[j * span], turn[j - 1]);
    }
    butterfly(v, 1);
    for (size_t j = 0; j < radix; j++) {
        z[j * span] = v[j];
    }
}

/* Transforms of length span join to transforms of length radix * span. The radix is a constant in each
 * call, so the compiler makes four loops of this one. */
BC_INLINE void stage(bc_vc *z, size_t n, size_t span, size_t radix, void (*butterfly)(bc_vc *, size_t),
                     const float *w) {
    const bc_vc *end = z + n;
    for (bc_vc *at = z; at < end; at += radix * span) {
        butterfly_at(at, span, radix, butterfly);
    }
    for (size_t k = 1; k < span; k++) {
        bc_vc turn[4];
        for (size_t j = 1; j < radix; j++) {
            const float *column = w + 2 * (j - 1) * span + k;
            turn[j - 1] = (bc_vc){column[0], column[span]};
        }
        for (bc_vc *at = z + k; at < end; at += radix * span) {
            twiddled_butterfly_at(at, span, radix, butterfly, turn);
        }
    }
}

static void fft(const bc_plan *plan, const float *x, bc_vc *z) {
    const float *w = plan->twiddles;
    size_t span = plan->radix[0], n = plan->half;
    switch (span) {
    case 2: first_stage(plan, x, z, 2, butterfly2); break;
    case 3: first_stage(plan, x, z, 3, butterfly3); break;
    case 4: first_stage(plan, x, z, 4, butterfly4); break;
    default: first_stage(plan, x, z, 5, butterfly5); break;
    }
    for (uint8_t s = 1; s < plan->n_stages; s++) {
        size_t radix = plan->radix[s];
        switch (radix) {
        case 2: stage(z, n, span, 2, butterfly2, w); break;
        case 3: stage(z, n, span, 3, butterfly3, w); break;
        case 4: stage(z, n, span, 4, butterfly4, w); break;
        default: stage(z, n, span, 5, butterfly5, w); break;
        }
        w += 2 * (radix - 1) * span;
        span *= radix;
    }
}

#else

/* BC_LANES pairs of samples as complex numbers. */
BC_INLINE bc_vc load_pairs(const float *p) {
    bc_vc x;
    bc_vf_load_pairs(p, &x.re, &x.im);
    return x;
}

/* butterfly4 after the twiddles, in an order that keeps few values at a time. */
BC_INLINE void twiddled_butterfly4(bc_vc *z, size_t span, const bc_vc *turn) {
    bc_vc c = twiddle(z[2 * span], turn[1]), a = z[0];
    bc_vc ac = add(a, c), ac_ = sub(a, c);
    bc_vc b = twiddle(z[span], turn[0]), d = twiddle(z[3 * span], turn[2]);
    bc_vc bd = add(b, d), bd_ = minus_i(sub(b, d));
    z[0] = add(ac, bd);
    z[2 * span] = sub(ac, bd);
    z[span] = add(ac_, bd_);
    z[3 * span] = sub(ac_, bd_);
}

/* One stage of the columns; every argument but the pointers is a constant. */
BC_INLINE void column_stage(bc_vc *v, size_t points, size_t span, const float *w) {
#pragma GCC unroll 8
    for (size_t k = 0; k < span; k++) {
        bc_vc turn[3];
        for (size_t j = 0; k != 0 && j < 3; j++) {
            turn[j] = (bc_vc){bc_splat(w[2 * j * span + k]), bc_splat(w[(2 * j + 1) * span + k])};
        }
#pragma GCC unroll 8
        for (size_t at = k; at + 3 * span < points; at += 4 * span) {
            if (k == 0) {
                butterfly4(v + at, span);
            } else {
                twiddled_butterfly4(v + at, span, turn);
            }
        }
    }
}

/* Element j of lane i goes to place j of column i, which begins at position[i], a multiple of BC_LANES. */
BC_INLINE void store_columns(const bc_vc *v, const uint16_t *position, bc_vc *z) {
#if defined(BC_MVE)
    uint32x4_t column = vshlq_n_u32(vldrhq_u32(position), 3); /* bytes */
    float *at = (float *)(void *)z;
    for (size_t j = 0; j < BC_LANES; j++) {
        vstrwq_scatter_offset_f32(at + j, column, (float32x4_t)v[j].re);
        vstrwq_scatter_offset_f32(at + BC_LANES + j, column, (float32x4_t)v[j].im);
    }
#else
    bc_vf re[BC_LANES], im[BC_LANES];
    for (size_t j = 0; j < BC_LANES; j++) {
        re[j] = v[j].re;
        im[j] = v[j].im;
    }
    bc_vf_transpose(re);
    bc_vf_transpose(im);
    for (size_t j = 0; j < BC_LANES; j++) {
        z[position[j] / BC_LANES] = (bc_vc){re[j], im[j]};
    }
#endif
}

/* The first stages, up to transforms of length points (a constant, a multiple of BC_LANES), in registers:
 * each lane transforms a column of its own, and the columns are transposed into the places of the rest. */
BC_INLINE void columns(const bc_plan *plan, const float *x, bc_vc *z, size_t points) {
    size_t stride = plan->half / points, first = points == 8 || points == 32 ? 2 : 4, fours = points / first;
    const float *w = plan->twiddles;
    for (size_t i = 0; i < stride; i += BC_LANES) {
        bc_vc v[32];
#pragma GCC unroll 16
        for (size_t at = 0; at < fours; at++) {
            size_t start = fours == 16 ? 4 * (at % 4) + at / 4 : at;
            for (size_t j = 0; j < first; j++) {
                v[at * first + j] = load_pairs(x + 2 * (i + (start + j * fours) * stride));
            }
            if (first == 2) {
                butterfly2(v + at * first, 1);
            } else {
                butterfly4(v + at * first, 1);
            }
        }
        if (fours > 1) {
            column_stage(v, points, first, w);
        }
        if (fours > 4) {
            column_stage(v, points, 4 * first, w + 6 * first);
        }
#pragma GCC unroll 8
        for (size_t part = 0; part < points; part += BC_LANES) {
            store_columns(v + part, plan->position + i, z + part / BC_LANES);
        }
    }
}

static void fft(const bc_plan *plan, const float *x, bc_vc *z) {
    const float *w = plan->twiddles;
    size_t n = plan->half / BC_LANES, span = 1;
    for (uint8_t s = 0; span < BC_LANES; s++) {
        w += s == 0 ? 0 : 6 * span;
        span *= plan->radix[s];
    }
    if (span == BC_LANES) {
        columns(plan, x, z, BC_LANES);
    } else {
        columns(plan, x, z, 2 * BC_LANES);
    }
    for (; span < plan->half; span *= 4) {
        size_t blocks = span / BC_LANES;
        for (size_t k = 0; k < blocks; k++) {
            const float *column = w + k * BC_LANES;
            bc_vc turn[3];
            for (size_t j = 0; j < 3; j++) {
                turn[j] = (bc_vc){bc_vf_load(column + 2 * j * span), bc_vf_load(column + (2 * j + 1) * span)};
            }
            for (size_t at = k; at < n; at += 4 * blocks) {
                twiddled_butterfly4(z + at, blocks, turn);
            }
        }
        w += 6 * span;
    }
}

#endif

/* ---- spectrum ---- */

BC_INLINE bc_vf level(bc_vf re, bc_vf im, bc_spectrum spectrum) {
    bc_vf power = re * re + im * im;
    power = bc_vf_of_bits(bc_vi_if(bc_vf_bits(power) >= BC_POWER_FLOOR_BITS, bc_vf_bits(power)));
    return spectrum == BC_SPECTRUM_MAGNITUDE ? bc_vf_sqrt(power) : power;
}

BC_INLINE float scalar_level(float re, float im, bc_spectrum spectrum) {
    float power = re * re + im * im;
    power = power < BC_POWER_FLOOR ? 0.0f : power;
    return spectrum == BC_SPECTRUM_MAGNITUDE ? bc_sqrt(power) : power;
}

/* Bins k (low) and half - k (high) of the real frame, from elements k and half - k of the FFT of even samples
 * + i * odd samples. The two halvings of the textbook are in the window table. */
BC_INLINE void split_pair(bc_vc a, bc_vc b, bc_vf c, bc_vf s, bc_vc *low, bc_vc *high) {
    bc_vf even_re = a.re + b.re, even_im = a.im - b.im;
    bc_vf odd_re = a.im + b.im, odd_im = b.re - a.re;
    bc_vf turned_re = odd_re * c + odd_im * s, turned_im = odd_im * c - odd_re * s;
    *low = (bc_vc){even_re + turned_re, even_im + turned_im};
    *high = (bc_vc){even_re - turned_re, turned_im - even_im};
}

/* The bin in the middle is its own partner. */
static float middle_level(const bc_plan *plan, float re, float im, float mean, bc_spectrum spectrum) {
    size_t half = plan->half, k = half / 2;
    re = re * 2.0f;
    im = im * -2.0f;
    if (bc_window_leaks(plan)) {
        re += mean * plan->leak[k];
        im += mean * plan->leak[half + 1 + k];
    }
    return scalar_level(re, im, spectrum);
}

/* Levels of bins 0 .. half. */
BC_INLINE void split_to(const bc_plan *plan, const bc_vc *z, float mean, const float *leak, bc_spectrum spectrum,
                        float *levels) {
    size_t half = plan->half, count = half / 2 + 1;
#if BC_LANES == 1
    const float *cosine = plan->split, *sine = cosine + count;
    for (size_t k = 0; k < half - k; k++) {
        bc_vc low, high;
        split_pair(z[k], z[k == 0 ? 0 : half - k], cosine[k], sine[k], &low, &high);
        if (leak != NULL) {
            low = add(low, (bc_vc){mean * leak[k], mean * leak[half + 1 + k]});
            high = add(high, (bc_vc){mean * leak[half - k], mean * leak[half + 1 + half - k]});
        }
        levels[k] = level(low.re, low.im, spectrum);
        levels[half - k] = level(high.re, high.im, spectrum);
    }
    if (half % 2 == 0) {
        levels[half / 2] = middle_level(plan, z[half / 2].re, z[half / 2].im, mean, spectrum);
    }
#else
    size_t blocks = half / BC_LANES;
    for (size_t block = 0; block < blocks / 2; block++) {
        size_t k = block * BC_LANES, last = half - k - BC_LANES + 1;
        bc_vc a = z[block], b, low, high;
        const bc_vc *after = &z[block == 0 ? 0 : blocks - block], *before = &z[blocks - block - 1];
        b.re = bc_vf_load_mirrored_from(&before->re, &after->re);
        b.im = bc_vf_load_mirrored_from(&before->im, &after->im);
        split_pair(a, b, bc_vf_load(plan->split + k), bc_vf_load(plan->split + count + k), &low, &high);
        if (leak != NULL) {
            const float *im = leak + half + 1;
            low = add(low, (bc_vc){mean * bc_vf_load(leak + k), mean * bc_vf_load(im + k)});
            high = add(high, (bc_vc){mean * bc_vf_load_mirrored(leak + last), mean * bc_vf_load_mirrored(im + last)});
        }
        bc_vf_store(levels + k, level(low.re, low.im, spectrum));
        bc_vf_store_mirrored(levels + last, level(high.re, high.im, spectrum));
    }
    const float *middle = (const float *)(const void *)&z[blocks / 2];
    levels[half / 2] = middle_level(plan, middle[0], middle[BC_LANES], mean, spectrum);
#endif
}

static void split(const bc_plan *plan, const bc_vc *z, float mean, float *levels) {
    int is_power = plan->config.spectrum == BC_SPECTRUM_POWER;
    if (is_power && plan->leak == NULL) {
        split_to(plan, z, mean, NULL, BC_SPECTRUM_POWER, levels);
    } else if (is_power) {
        split_to(plan, z, mean, plan->leak, BC_SPECTRUM_POWER, levels);
    } else {
        split_to(plan, z, mean, plan->leak, BC_SPECTRUM_MAGNITUDE, levels);
    }
}

/* ---- bands ---- */

/* Rounding grows with the number of terms, so a wide band is summed in parts of so many bins. */
#define BC_PART 32u

/* Four bands side by side, and where their levels stand. */
#if BC_LANES == 1
typedef struct bc_four {
    float of[4];
} bc_four;
typedef struct bc_four_places {
    const float *of[4];
} bc_four_places;
BC_INLINE void store_four(float *row, bc_four sum, size_t width) {
    for (size_t j = 0; j < 4 && j < width; j++) {
        row[j] = sum.of[j];
    }
}
BC_INLINE bc_four sum_of_fours(bc_four a, bc_four b) {
    return (bc_four){{a.of[0] + b.of[0], a.of[1] + b.of[1], a.of[2] + b.of[2], a.of[3] + b.of[3]}};
}
BC_INLINE bc_four weighted(bc_four_places level, size_t i, const float *w) {
    return (bc_four){{level.of[0][i] * w[0], level.of[1][i] * w[1], level.of[2][i] * w[2], level.of[3][i] * w[3]}};
}
#else
typedef float bc_four __attribute__((vector_size(16)));
BC_INLINE void store_four(float *row, bc_four sum, size_t width) {
    if (width == 4) {
        __builtin_memcpy(row, &sum, sizeof sum);
    } else {
        __builtin_memcpy(row, &sum, width * sizeof *row);
    }
}
BC_INLINE bc_four sum_of_fours(bc_four a, bc_four b) { return a + b; }
#if defined(BC_MVE)
typedef uint32x4_t bc_four_places;
#else
typedef struct bc_four_places {
    const float *of[4];
} bc_four_places;
#endif
BC_INLINE bc_four weighted(bc_four_places level, size_t i, const float *w) {
    bc_four weights;
    __builtin_memcpy(&weights, w, sizeof weights);
#if defined(BC_MVE)
    bc_four levels = (bc_four)vldrwq_gather_offset_f32((const float *)(4 * i), level);
#else
    bc_four levels = {level.of[0][i], level.of[1][i], level.of[2][i], level.of[3][i]};
#endif
    return levels * weights;
}
#endif

BC_INLINE bc_four_places places_of(const float *levels, const uint16_t first[4]) {
#if defined(BC_MVE)
    return vaddq_n_u32(vshlq_n_u32(vldrhq_u32(first), 2), (uint32_t)levels);
#else
    return (bc_four_places){{levels + first[0], levels + first[1], levels + first[2], levels + first[3]}};
#endif
}

BC_INLINE bc_four add_bins(bc_four sum, bc_four_places level, size_t i, size_t end, const float *weights) {
    for (; i < end; i++) {
        sum = sum_of_fours(sum, weighted(level, i, weights + 4 * i));
    }
    return sum;
}

BC_INLINE bc_four sum_of_part(bc_four_places level, size_t i, size_t end, const float *weights) {
    return add_bins(weighted(level, i, weights + 4 * i), level, i + 1, end, weights);
}

#if BC_LANES == 16
typedef float bc_eight __attribute__((vector_size(32)));

BC_INLINE bc_eight load_fours(const float *low, const float *high) {
    bc_four a, b;
    __builtin_memcpy(&a, low, sizeof a);
    __builtin_memcpy(&b, high, sizeof b);
    return BC_SHUFFLE_FOUR(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
}

/* Eight bands, none wider than BC_PART: as far as both groups go, squares of four bins of four bands, loaded along
 * the bands and transposed. */
static void pair_of_groups(const float *levels, const uint16_t *group, const float *weights, float *row) {
    const uint16_t *next = group + BC_BAND_GROUP;
    size_t count = group[4], next_count = next[4], both = (count < next_count ? count : next_count) / 4 * 4;
    const float *next_weights = weights + 4 * count;
    bc_four_places level = places_of(levels, group), next_level = places_of(levels, next);
    bc_eight sums = {0.0f};
    for (size_t i = 0; i < both; i += 4) {
        bc_eight x[4];
        for (size_t j = 0; j < 4; j++) {
            x[j] = load_fours(level.of[j] + i, next_level.of[j] + i);
        }
        bc_eight low01 = BC_SHUFFLE_FOUR(x[0], x[1], 0, 8, 1, 9, 4, 12, 5, 13);
        bc_eight high01 = BC_SHUFFLE_FOUR(x[0], x[1], 2, 10, 3, 11, 6, 14, 7, 15);
        bc_eight low23 = BC_SHUFFLE_FOUR(x[2], x[3], 0, 8, 1, 9, 4, 12, 5, 13);
        bc_eight high23 = BC_SHUFFLE_FOUR(x[2], x[3], 2, 10, 3, 11, 6, 14, 7, 15);
        x[0] = BC_SHUFFLE_FOUR(low01, low23, 0, 1, 8, 9, 4, 5, 12, 13);
        x[1] = BC_SHUFFLE_FOUR(low01, low23, 2, 3, 10, 11, 6, 7, 14, 15);
        x[2] = BC_SHUFFLE_FOUR(high01, high23, 0, 1, 8, 9, 4, 5, 12, 13);
        x[3] = BC_SHUFFLE_FOUR(high01, high23, 2, 3, 10, 11, 6, 7, 14, 15);
        for (size_t j = 0; j < 4; j++) {
            sums += x[j] * load_fours(weights + 4 * (i + j), next_weights + 4 * (i + j));
        }
    }
    bc_four sum = BC_SHUFFLE_FOUR(sums, sums, 0, 1, 2, 3), next_sum = BC_SHUFFLE_FOUR(sums, sums, 4, 5, 6, 7);
    store_four(row, add_bins(sum, level, both, count, weights), 4);
    store_four(row + 4, add_bins(next_sum, next_level, both, next_count, next_weights), 4);
}
#endif

/* Four bands at a time, as their weights lie; a band that is narrower than the widest of the four has
 * weights 0 at its end, which add nothing. */
static void bands(const bc_plan *plan, const float *levels, float *row) {
    const float *weights = plan->weights;
    const uint16_t *group = plan->bands;
    size_t n = (size_t)plan->config.n_mels;
#if BC_LANES == 16
    for (; n >= 8 && group[4] <= BC_PART && group[BC_BAND_GROUP + 4] <= BC_PART; n -= 8, group += 2 * BC_BAND_GROUP) {
        pair_of_groups(levels, group, weights, row);
        weights += 4 * (group[4] + group[BC_BAND_GROUP + 4]);
        row += 8;
    }
#endif
    for (; n != 0; group += BC_BAND_GROUP) {
        bc_four_places level = places_of(levels, group);
        size_t count = group[4], width = n < 4 ? n : 4;
        bc_four sum = {0};
        if (count != 0) {
            sum = sum_of_part(level, 0, count < BC_PART ? count : BC_PART, weights);
        }
        for (size_t i = BC_PART; i < count; i += BC_PART) {
            sum = sum_of_fours(sum, sum_of_part(level, i, count - i < BC_PART ? count : i + BC_PART, weights));
        }
        store_four(row, sum, width);
        weights += 4 * count;
        row += width;
        n -= width;
    }
}

/* So many vectors step by step: one logarithm alone is a long chain of operations. */
#if BC_LANES > 1 && !defined(BC_MVE)
#define BC_TOGETHER (BC_LANES == 16 ? 4 : 2)
#else
#define BC_TOGETHER 1
#endif

BC_INLINE void compress_vectors(bc_compression compression, float offset, float reference, bc_vf *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = compression == BC_COMPRESSION_LOG ? x[i] + offset : bc_vf_max(x[i], bc_splat(offset));
    }
    if (n == 1) {
        x[0] = bc_vf_ln(x[0]);
    } else {
        bc_vf_ln_of(x, n);
    }
    for (size_t i = 0; i < n; i++) {
        if (compression == BC_COMPRESSION_DB) { /* 10/ln 10 */
            x[i] = x[i] * 4.34294482f - reference;
        } else if (compression == BC_COMPRESSION_LOG10_WHISPER) { /* 1/ln 10 */
            x[i] = x[i] * 0.434294482f;
        }
    }
}

BC_INLINE void compress_as(bc_compression compression, float offset, float reference, float *row, size_t n) {
    size_t i = 0;
    for (; BC_TOGETHER > 1 && i + BC_TOGETHER * BC_LANES <= n; i += BC_TOGETHER * BC_LANES) {
        bc_vf x[BC_TOGETHER];
        for (size_t j = 0; j < BC_TOGETHER; j++) {
            x[j] = load(row + i + j * BC_LANES);
        }
        compress_vectors(compression, offset, reference, x, BC_TOGETHER);
        for (size_t j = 0; j < BC_TOGETHER; j++) {
            store(row + i + j * BC_LANES, x[j]);
        }
    }
    for (; i + BC_LANES <= n; i += BC_LANES) {
        bc_vf x = load(row + i);
        compress_vectors(compression, offset, reference, &x, 1);
        store(row + i, x);
    }
#if BC_LANES > 1
    if (i < n) {
        float rest[BC_LANES] = {0.0f};
        __builtin_memcpy(rest, row + i, (n - i) * sizeof *rest);
        bc_vf x = bc_vf_load(rest);
        compress_vectors(compression, offset, reference, &x, 1);
        bc_vf_store(rest, x);
        __builtin_memcpy(row + i, rest, (n - i) * sizeof *rest);
    }
#endif
}

static void compress(const bc_plan *plan, float *row) {
    const bc_frontend_config *cfg = &plan->config;
    size_t n = (size_t)cfg->n_mels;
    switch (cfg->compression) {
    case BC_COMPRESSION_DB: compress_as(BC_COMPRESSION_DB, cfg->amin, plan->ref_level, row, n); break;
    case BC_COMPRESSION_LOG: compress_as(BC_COMPRESSION_LOG, cfg->log_offset, 0.0f, row, n); break;
    case BC_COMPRESSION_LOG_MAX: compress_as(BC_COMPRESSION_LOG_MAX, cfg->log_offset, 0.0f, row, n); break;
    case BC_COMPRESSION_LOG10_WHISPER: compress_as(BC_COMPRESSION_LOG10_WHISPER, 1e-10f, 0.0f, row, n); break;
    default: break;
    }
}

void BC_JOIN(bc_frame_, BC_ISA)(const bc_plan *plan, const bc_source *source, uint64_t frame, float *row) {
    int64_t start = bc_frame_start(plan, frame);
    bc_vc *z = (bc_vc *)(void *)plan->work;
    float *levels = plan->frame, *descriptors = row + plan->config.n_mels;
    if (plan->config.descriptors != 0) { /* those of the samples come last in the row, but first here */
        bc_sample_descriptors(plan, source, start, descriptors);
    }
    float mean = windowed_frame(plan, source, start, plan->frame);
    fft(plan, plan->frame, z);
    split(plan, z, mean, levels);
    bands(plan, levels, row);
    compress(plan, row);
    if (plan->config.descriptors != 0) {
        bc_spectrum_descriptors(plan, levels, descriptors);
    }
}
