/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames of samples -> rows of features. This one source is compiled once per instruction set, with
 * BC_LANES frames side by side; a lane does exactly what the scalar build does, in the same order.
 *
 * samples --window--> complex FFT of n_fft/2 points, in place, decimation in time (the input order is
 * folded into the load) --split--> power of bins 1 .. n_fft/2-1 --triangles--> n_mels --log--> features
 */
#include "bc_frontend_internal.h"
#include "butterflies.h"

#define BC_JOIN_(a, b) a##b
#define BC_JOIN(a, b) BC_JOIN_(a, b)

/* One stage: transforms of length span join to transforms of length radix * span. The radix is a
 * constant in each call, so the compiler makes four loops of this one. */
BC_INLINE const float *stage(bc_vc *z, size_t n, size_t span, size_t radix, void (*butterfly)(bc_vc *, size_t),
                             const float *w) {
    for (size_t at = 0; at < n; at += radix * span) {
        butterfly(z + at, span);
    }
    for (size_t k = 1; k < span; k++) {
        bc_vc turn[4];
        for (size_t j = 1; j < radix; j++) {
            const float *column = w + 2 * (j - 1) * span + k;
            turn[j - 1] = (bc_vc){bc_splat(column[0]), bc_splat(column[span])};
        }
        for (size_t at = k; at < n; at += radix * span) {
            for (size_t j = 1; j < radix; j++) {
                z[at + j * span] = twiddle(z[at + j * span], turn[j - 1]);
            }
            butterfly(z + at, span);
        }
    }
    return span == 1 ? w : w + 2 * (radix - 1) * span;
}

static void fft(const bc_plan *plan, bc_vc *z) {
    const float *w = plan->twiddles;
    size_t span = 1, n = plan->half;
    for (uint8_t s = 0; s < plan->n_stages; s++) {
        switch (plan->radix[s]) {
        case 2: w = stage(z, n, span, 2, butterfly2, w); break;
        case 3: w = stage(z, n, span, 3, butterfly3, w); break;
        case 4: w = stage(z, n, span, 4, butterfly4, w); break;
        default: w = stage(z, n, span, 5, butterfly5, w); break;
        }
        span *= plan->radix[s];
    }
}

BC_INLINE bc_vf level(bc_vf re, bc_vf im, bc_spectrum spectrum) {
    bc_vf power = re * re + im * im;
    power = bc_vf_select(bc_vf_less(power, bc_splat(BC_POWER_FLOOR)), bc_splat(0.0f), power);
    return spectrum == BC_SPECTRUM_MAGNITUDE ? bc_vf_sqrt(power) : power;
}

/* The spectrum at bin k of the constant that take_out_mean took out of the frame. */
BC_INLINE bc_vc leak(const bc_plan *plan, size_t k, bc_vf mean) {
    return (bc_vc){mean * plan->leak[k], mean * plan->leak[plan->half + 1u + k]};
}

/* Turns the FFT of even samples + i * odd samples into the spectrum of the real frame. The level of
 * bin k, 0 < k < half, replaces z[k].re. The two halvings of the textbook are in the window table. */
BC_INLINE void split_to(const bc_plan *plan, bc_vc *z, bc_vf mean, bc_spectrum spectrum) {
    int leaks = bc_window_leaks(plan);
    size_t half = plan->half, count = half / 2 + 1, k = 1;
    for (; k < half - k; k++) {
        bc_vc a = z[k], b = z[half - k];
        float c = plan->split[k], s = plan->split[count + k];
        bc_vf even_re = a.re + b.re, even_im = a.im - b.im;
        bc_vf odd_re = a.im + b.im, odd_im = b.re - a.re;
        bc_vf turned_re = odd_re * c + odd_im * s, turned_im = odd_im * c - odd_re * s;
        bc_vc low = {even_re + turned_re, even_im + turned_im};
        bc_vc high = {even_re - turned_re, turned_im - even_im};
        if (leaks) {
            low = add(low, leak(plan, k, mean));
            high = add(high, leak(plan, half - k, mean));
        }
        z[k].re = level(low.re, low.im, spectrum);
        z[half - k].re = level(high.re, high.im, spectrum);
    }
    if (k == half - k) {
        bc_vc middle = {z[k].re * 2.0f, z[k].im * -2.0f};
        if (leaks) {
            middle = add(middle, leak(plan, k, mean));
        }
        z[k].re = level(middle.re, middle.im, spectrum);
    }
}

static void split(const bc_plan *plan, bc_vc *z, bc_vf mean) {
    if (plan->config.spectrum == BC_SPECTRUM_MAGNITUDE) {
        split_to(plan, z, mean, BC_SPECTRUM_MAGNITUDE);
    } else {
        split_to(plan, z, mean, BC_SPECTRUM_POWER);
    }
}

BC_INLINE bc_vf compress(const bc_plan *plan, bc_vf x) {
    const bc_frontend_config *cfg = &plan->config;
    switch (cfg->compression) {
    case BC_COMPRESSION_DB: /* 10/ln 10 */
        return bc_vf_ln(bc_vf_max(x, bc_splat(cfg->amin))) * 4.34294482f - plan->ref_level;
    case BC_COMPRESSION_LOG:
        return bc_vf_ln(x + cfg->log_offset);
    case BC_COMPRESSION_LOG_MAX:
        return bc_vf_ln(bc_vf_max(x, bc_splat(cfg->log_offset)));
    default:
        return x;
    }
}

/* Rounding grows with the number of terms, so a wide band is summed in parts of so many bins. */
#define BC_PART 32u

/* The weights of four bands lie side by side. */
BC_INLINE bc_vf weighted_sum(const bc_vc *bin, const float *weights, size_t count) {
    bc_vf sum = bc_splat(0.0f);
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        sum += bin[i].re * weights[4 * i];
        sum += bin[i + 1].re * weights[4 * i + 4];
        sum += bin[i + 2].re * weights[4 * i + 8];
        sum += bin[i + 3].re * weights[4 * i + 12];
    }
    for (; i < count; i++) {
        sum += bin[i].re * weights[4 * i];
    }
    return sum;
}

BC_INLINE bc_vf band_value(const bc_plan *plan, const bc_vc *z, size_t band, const float *weights) {
    const uint16_t *group = plan->bands + BC_BAND_GROUP * (band / 4);
    const bc_vc *bin = z + group[band % 4];
    size_t count = group[4];
    bc_vf sum = weighted_sum(bin, weights, count < BC_PART ? count : BC_PART);
    for (size_t i = BC_PART; i < count; i += BC_PART) {
        sum += weighted_sum(bin + i, weights + 4 * i, count - i < BC_PART ? count - i : BC_PART);
    }
    return compress(plan, sum);
}

/* Where sample number index of the clip stands in memory. */
BC_INLINE size_t place_of(const bc_source *source, int64_t index) {
    if (source->ring_size == 0) {
        return (size_t)index;
    }
    uint32_t back = (uint32_t)((int64_t)source->length - index); /* 1 .. ring_size */
    uint32_t at = source->ring_next + source->ring_size - back;
    return at >= source->ring_size ? at - source->ring_size : at;
}

BC_INLINE float stored_sample(const bc_source *source, size_t at) {
    return source->s16 != NULL ? (float)source->s16[at] * BC_INT16_SCALE : source->f32[at];
}

/* The padding on either side of the clip: zeros, or the clip mirrored at its first and last sample. */
static float padding_at(const bc_plan *plan, const bc_source *source, int64_t index) {
    if (plan->config.framing != BC_FRAMING_CENTER_REFLECT) {
        return 0.0f;
    }
    return stored_sample(source, place_of(source, index < 0 ? -index : 2 * ((int64_t)source->length - 1) - index));
}

/* First sample of the frame's window, which is negative in the left padding. */
BC_INLINE int64_t window_start(const bc_plan *plan, uint64_t frame) {
    return (int64_t)(frame * (uint64_t)plan->config.hop_length) + plan->window_offset - plan->pad;
}

/* Where sample i of the FFT frame goes, as an index of floats. */
BC_INLINE size_t slot(const bc_plan *plan, size_t i) { return 2u * plan->position[i >> 1] + (i & 1u); }

BC_INLINE void clear_outside_window(const bc_plan *plan, bc_vf *x) {
    size_t start = plan->window_offset, end = start + (size_t)plan->config.win_length;
    for (size_t i = 0; i < start; i++) {
        x[slot(plan, i)] = bc_splat(0.0f);
    }
    for (size_t i = end; i < (size_t)plan->config.n_fft; i++) {
        x[slot(plan, i)] = bc_splat(0.0f);
    }
}

/* A window shorter than the frame spreads a constant over all bins, and the FFT's rounding is relative to
 * the largest bin, the constant's own. So the mean of the samples under the window is taken out before the
 * window is applied, and split() adds its exact spectrum. Returns the mean. */
static bc_vf take_out_mean(const bc_plan *plan, bc_vf *x) {
    size_t length = (size_t)plan->config.win_length, offset = plan->window_offset;
    bc_vf sum[BC_PARTIALS];
    for (size_t i = 0; i < BC_PARTIALS; i++) {
        sum[i] = bc_splat(0.0f);
    }
    for (size_t i = 0; i < length; i++) {
        sum[i % BC_PARTIALS] += x[slot(plan, offset + i)];
    }
    for (size_t width = BC_PARTIALS / 2u; width != 0; width /= 2u) {
        for (size_t i = 0; i < width; i++) {
            sum[i] += sum[i + width];
        }
    }
    bc_vf mean = sum[0] * (1.0f / (float)length);
    for (size_t i = 0; i < length; i++) {
        bc_vf *at = &x[slot(plan, offset + i)];
        *at = (*at - mean) * plan->window[i];
    }
    return mean;
}

BC_INLINE void put(const bc_plan *plan, bc_vf *x, size_t lane, size_t i, float sample) {
    float windowed = sample * (bc_window_leaks(plan) ? 1.0f : plan->window[i]);
    x[slot(plan, plan->window_offset + i)][lane] = windowed;
}

/* One lane, in runs of samples that lie side by side in memory: for frames that reach into the padding,
 * for the last ones of a clip, and for streams. */
static void load_lane(const bc_plan *plan, const bc_source *source, uint64_t frame, size_t lane, bc_vf *x) {
    int64_t start = window_start(plan, frame), length = (int64_t)source->length;
    size_t n = (size_t)plan->config.win_length;
    for (size_t i = 0; i < n;) {
        int64_t index = start + (int64_t)i;
        if (index < 0 || index >= length) {
            put(plan, x, lane, i++, padding_at(plan, source, index));
            continue;
        }
        size_t at = place_of(source, index);
        size_t run = (size_t)(length - index);
        if (source->ring_size != 0 && run > source->ring_size - at) {
            run = source->ring_size - at;
        }
        size_t end = n - i < run ? n : i + run;
        for (; i < end; i++, at++) {
            put(plan, x, lane, i, stored_sample(source, at));
        }
    }
}

/* All lanes at once from a clip: squares of samples are loaded along time and transposed. */
BC_INLINE void load_lanes(const bc_plan *plan, const bc_source *source, uint64_t first, bc_vf *x, int is_int16) {
    int64_t start = window_start(plan, first);
    size_t length = (size_t)plan->config.win_length, offset = plan->window_offset, i = 0;
    size_t hop = (size_t)plan->config.hop_length;
    int leaks = bc_window_leaks(plan);
    const int16_t *s16 = is_int16 ? source->s16 + start : NULL;
    const float *f32 = is_int16 ? NULL : source->f32 + start;
    for (; i + BC_LANES <= length; i += BC_LANES) {
        bc_vf square[BC_LANES], window = leaks ? bc_splat(1.0f) : bc_vf_load(plan->window + i);
        for (size_t lane = 0; lane < BC_LANES; lane++) {
            bc_vf samples = is_int16 ? bc_vf_load_int16(s16 + lane * hop + i) * BC_INT16_SCALE
                                     : bc_vf_load(f32 + lane * hop + i);
            square[lane] = samples * window;
        }
        bc_vf_transpose(square);
        for (size_t j = 0; j < BC_LANES; j++) {
            x[slot(plan, offset + i + j)] = square[j];
        }
    }
    for (; i < length; i++) {
        bc_vf *out = &x[slot(plan, offset + i)];
        for (size_t lane = 0; lane < BC_LANES; lane++) {
            float sample = is_int16 ? (float)s16[lane * hop + i] * BC_INT16_SCALE : f32[lane * hop + i];
            (*out)[lane] = sample * (leaks ? 1.0f : plan->window[i]);
        }
    }
}

static void load_inside(const bc_plan *plan, const bc_source *source, uint64_t first, bc_vf *x) {
    if (source->s16 != NULL) {
        load_lanes(plan, source, first, x, 1);
    } else {
        load_lanes(plan, source, first, x, 0);
    }
}

static int lanes_lie_inside(const bc_plan *plan, const bc_source *source, uint64_t first, size_t count) {
    return count == BC_LANES && source->ring_size == 0 && window_start(plan, first) >= 0 &&
           window_start(plan, first + BC_LANES - 1) + plan->config.win_length <= (int64_t)source->length;
}

/* A tile of bands is transposed, so that each frame's row is written along its bands. */
static void store_bands(const bc_plan *plan, const bc_vc *z, size_t count, float *features) {
    size_t n_mels = (size_t)plan->config.n_mels;
    const float *weights = plan->weights;
    size_t widest = 0;
    for (size_t band = 0; band < n_mels; band += BC_LANES) {
        size_t width = n_mels - band < BC_LANES ? n_mels - band : BC_LANES;
        bc_vf tile[BC_LANES];
        for (size_t i = 0; i < BC_LANES; i++) {
            tile[i] = bc_splat(0.0f);
            if (i < width) {
                widest = plan->bands[BC_BAND_GROUP * ((band + i) / 4) + 4];
                tile[i] = band_value(plan, z, band + i, weights + i % 4);
            }
            if (i % 4 == 3) {
                weights += 4 * widest;
                widest = 0;
            }
        }
        bc_vf_transpose(tile);
        for (size_t lane = 0; lane < count; lane++) {
            float *row = features + lane * n_mels + band;
            if (width == BC_LANES) {
                bc_vf_store(row, tile[lane]);
            }
            for (size_t i = 0; width < BC_LANES && i < width; i++) {
                row[i] = tile[lane][i];
            }
        }
    }
}

void BC_JOIN(bc_frames_, BC_ISA)(const bc_plan *plan, const bc_source *source, uint64_t first, size_t count,
                                 float *features) {
    bc_vf *x = (bc_vf *)(void *)plan->work;
    bc_vc *z = (bc_vc *)(void *)plan->work;
    for (size_t done = 0; done < count;) {
        size_t batch = count - done < BC_LANES ? count - done : BC_LANES;
        clear_outside_window(plan, x);
        if (lanes_lie_inside(plan, source, first + done, batch)) {
            load_inside(plan, source, first + done, x);
        } else {
            for (size_t lane = 0; lane < BC_LANES; lane++) {
                /* spare lanes repeat the last frame: no work is saved by leaving them undefined */
                load_lane(plan, source, first + done + (lane < batch ? lane : batch - 1), lane, x);
            }
        }
        bc_vf mean = bc_window_leaks(plan) ? take_out_mean(plan, x) : bc_splat(0.0f);
        fft(plan, z);
        split(plan, z, mean);
        store_bands(plan, z, batch, features + done * (size_t)plan->config.n_mels);
        done += batch;
    }
}
