/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames of a clip -> rows of features, for whole clips. This one source is compiled once per instruction
 * set, with BC_LANES frames side by side; a lane does exactly what the scalar code does, in the same order.
 *
 * samples --window--> complex FFT of n_fft/2 points, in place, decimation in time (the input order is
 * folded into the load) --split--> power of bins 1 .. n_fft/2-1 --triangles--> n_mels --log--> features
 *
 * Memory is passed over as seldom as may be: the window and the first stage go with the load, the split
 * with the last stage, and stages in between work on blocks that stay in the first-level cache.
 */
#include "bc_frontend_internal.h"
#include "butterflies.h"

#define BC_JOIN_(a, b) a##b
#define BC_JOIN(a, b) BC_JOIN_(a, b)

/* ---- samples: lanes of a tile ---- */

/* Where a batch's frames lie: sample i of frame number lane is at[lane * stride + i]. */
typedef struct bc_rows {
    const float *at;
    size_t stride;
} bc_rows;

/* Frames inside a clip of floats are read where they are; others are first written out to room: see
 * bc_work_size. Spare lanes are silent. */
static bc_rows rows_of(const bc_plan *plan, const bc_source *source, uint64_t first, size_t count, float *room) {
    size_t n_fft = (size_t)plan->config.n_fft, hop = (size_t)plan->config.hop_length;
    int64_t start = bc_frame_start(plan, first), end = bc_frame_start(plan, first + BC_LANES - 1) + (int64_t)n_fft;
    if (source->f32 != NULL && count == BC_LANES && start >= 0 && end <= (int64_t)source->length) {
        return (bc_rows){source->f32 + start, hop};
    }
    size_t stride = hop < n_fft ? hop : n_fft, done = 0;
    if (stride == hop) { /* frames touch or overlap */
        done = (count - 1) * hop + n_fft;
        bc_load_samples(plan, source, start, done, room);
    } else {
        for (size_t lane = 0; lane < count; lane++, done += n_fft) {
            bc_load_samples(plan, source, start + (int64_t)(lane * hop), n_fft, room + done);
        }
    }
    for (; done < (BC_LANES - 1) * stride + n_fft; done++) {
        room[done] = 0.0f;
    }
    return (bc_rows){room, stride};
}

/* The first samples of the frames, block by block: frame 4 * b + j is number b of start[j]. */
typedef struct bc_starts {
    const float *start[4][BC_LANES / 4];
} bc_starts;

BC_INLINE bc_starts starts_of(bc_rows rows, size_t offset) {
    bc_starts starts;
    for (size_t lane = 0; lane < BC_LANES; lane++) {
        starts.start[lane % 4][lane / 4] = rows.at + lane * rows.stride + offset;
    }
    return starts;
}

/* Samples [i, i + 4) of all frames. Block b of tile[j] holds those of frame 4 * b + j. */
BC_INLINE void load_tile(const bc_starts *starts, size_t i, bc_vf tile[4]) {
    for (size_t j = 0; j < 4; j++) {
        tile[j] = bc_vf_load_blocks(starts->start[j], i);
    }
}

/* ---- window ---- */

/* A window shorter than the frame spreads a constant over all bins, and the FFT's rounding is relative to
 * the largest bin, the constant's own. So the mean of the samples under the window is taken out before the
 * window is applied, and the split adds its exact spectrum. */
static bc_vf means_of(const bc_plan *plan, bc_rows rows) {
    size_t length = (size_t)plan->config.win_length, i = 0;
    bc_starts starts = starts_of(rows, plan->window_offset);
    bc_vf sum[BC_PARTIALS];
    for (size_t j = 0; j < BC_PARTIALS; j++) {
        sum[j] = bc_splat(0.0f);
    }
    for (; i + 4 <= length; i += 4) {
        bc_vf tile[4];
        load_tile(&starts, i, tile);
        bc_vf_transpose_blocks(tile);
        for (size_t j = 0; j < 4; j++) {
            sum[i % BC_PARTIALS + j] += tile[j];
        }
    }
    for (; i < length; i++) {
        for (size_t lane = 0; lane < BC_LANES; lane++) {
            sum[i % BC_PARTIALS][lane] += starts.start[lane % 4][lane / 4][i];
        }
    }
    for (size_t width = BC_PARTIALS / 2u; width != 0; width /= 2u) {
        for (size_t j = 0; j < width; j++) {
            sum[j] += sum[j + width];
        }
    }
    return sum[0] * (1.0f / (float)length);
}

/* What becomes of the samples and of the spectrum, as constants where it is inlined. */
typedef struct bc_frames {
    const bc_plan *plan;
    int is_short; /* the window */
    int leaks;    /* and its mean is taken out */
    bc_spectrum spectrum;
    bc_vf mean;
} bc_frames;

/* Samples [i, i + 4) of the windowed frames: tile[j] holds sample i + j. means are laid out as a tile's. */
BC_INLINE void windowed_tile(const bc_frames *frames, const bc_starts *starts, size_t i, const bc_vf means[4],
                             bc_vf tile[4]) {
    const bc_plan *plan = frames->plan;
    const float *window = plan->window;
    float partial[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (!frames->is_short) {
        window += i;
    } else {
        size_t start = plan->window_offset, length = (size_t)plan->config.win_length;
        if (i + 4 <= start || i >= start + length) {
            tile[0] = tile[1] = tile[2] = tile[3] = bc_splat(0.0f);
            return;
        }
        if (i >= start && i + 4 <= start + length) {
            window += i - start;
        } else {
            for (size_t j = 0; j < 4; j++) {
                partial[j] = i + j >= start && i + j < start + length ? window[i + j - start] : 0.0f;
            }
            window = partial;
        }
    }
    bc_vf weights = bc_vf_repeat_block(window);
    load_tile(starts, i, tile);
    for (size_t j = 0; j < 4; j++) {
        tile[j] = (frames->leaks ? tile[j] - means[j] : tile[j]) * weights;
    }
    bc_vf_transpose_blocks(tile);
}

/* ---- FFT ---- */

/* Twiddles 1 .. radix - 1 of element k > 0, of a stage that joins transforms of length span. */
BC_INLINE void load_turns(const float *w, size_t radix, size_t span, size_t k, bc_vc turn[4]) {
    for (size_t j = 0; j + 1 < radix; j++) {
        const float *column = w + 2 * j * span + k;
        turn[j] = (bc_vc){bc_splat(column[0]), bc_splat(column[span])};
    }
}

/* From samples to transforms of length radix: two butterflies from each set of tiles. */
BC_INLINE void first_stage(const bc_frames *frames, bc_rows rows, const bc_vf means[4], bc_vc *z, size_t radix,
                           void (*butterfly)(bc_vc *, size_t)) {
    const bc_plan *plan = frames->plan;
    size_t stride = plan->half / radix;
    bc_starts starts = starts_of(rows, 0);
    for (size_t c = 0; c < stride; c += 2) {
        bc_vc even[5], odd[5];
        c = c + 2 > stride ? stride - 2 : c; /* an odd number: the last but one again */
        for (size_t j = 0; j < radix; j++) {
            bc_vf tile[4];
            windowed_tile(frames, &starts, 2 * (c + j * stride), means, tile);
            even[j] = (bc_vc){tile[0], tile[1]};
            odd[j] = (bc_vc){tile[2], tile[3]};
        }
        butterfly(even, 1);
        butterfly(odd, 1);
        for (size_t j = 0; j < radix; j++) {
            z[plan->position[c] + j] = even[j];
            z[plan->position[c + 1] + j] = odd[j];
        }
    }
}

BC_INLINE void start_fft(const bc_frames *frames, bc_rows rows, bc_vc *z) {
    bc_vf means[4];
    for (size_t j = 0; j < 4; j++) {
        means[j] = bc_vf_spread(frames->mean, j);
    }
    switch (frames->plan->radix[0]) {
    case 2: first_stage(frames, rows, means, z, 2, butterfly2); break;
    case 3: first_stage(frames, rows, means, z, 3, butterfly3); break;
    case 4: first_stage(frames, rows, means, z, 4, butterfly4); break;
    default: first_stage(frames, rows, means, z, 5, butterfly5); break;
    }
}

/* z[0], z[span], ... turned and then transformed, with few of them in registers at a time. */
BC_INLINE void turned_butterfly4(const bc_vc *z, size_t span, const bc_vc turn[4], bc_vc out[4]) {
    bc_vc c = twiddle(z[2 * span], turn[1]), a = z[0];
    bc_vc ac = add(a, c), ac_ = sub(a, c);
    bc_vc b = twiddle(z[span], turn[0]), d = twiddle(z[3 * span], turn[2]);
    bc_vc bd = add(b, d), bd_ = minus_i(sub(b, d));
    out[0] = add(ac, bd);
    out[1] = add(ac_, bd_);
    out[2] = sub(ac, bd);
    out[3] = sub(ac_, bd_);
}

/* Transforms of length span join to transforms of length radix * span. The radix is a constant in each
 * call, so the compiler makes four loops of this one. */
BC_INLINE void stage(bc_vc *z, size_t n, size_t span, size_t radix, void (*butterfly)(bc_vc *, size_t),
                     const float *w) {
    for (size_t at = 0; at < n; at += radix * span) {
        butterfly(z + at, span);
    }
    for (size_t k = 1; k < span; k++) {
        bc_vc turn[4];
        load_turns(w, radix, span, k, turn);
        for (size_t at = k; at < n; at += radix * span) {
            bc_vc v[5];
            if (radix == 4) {
                turned_butterfly4(z + at, span, turn, v);
            } else {
                v[0] = z[at];
                for (size_t j = 1; j < radix; j++) {
                    v[j] = twiddle(z[at + j * span], turn[j - 1]);
                }
                butterfly(v, 1);
            }
            for (size_t j = 0; j < radix; j++) {
                z[at + j * span] = v[j];
            }
        }
    }
}

static void any_stage(bc_vc *z, size_t n, size_t span, size_t radix, const float *w) {
    switch (radix) {
    case 2: stage(z, n, span, 2, butterfly2, w); break;
    case 3: stage(z, n, span, 3, butterfly3, w); break;
    case 4: stage(z, n, span, 4, butterfly4, w); break;
    default: stage(z, n, span, 5, butterfly5, w); break;
    }
}

#define BC_BLOCK_BYTES 16384u

/* Stages 1 .. last - 1. The first ones of them go block by block, in a block's own order. Returns the
 * twiddles of stage last. */
static const float *middle_stages(const bc_plan *plan, bc_vc *z, uint8_t last) {
    const float *w = plan->twiddles;
    size_t span = plan->radix[0], block = span;
    uint8_t inner = 1;
    for (; inner < last && block * plan->radix[inner] * sizeof *z <= BC_BLOCK_BYTES; inner++) {
        block *= plan->radix[inner];
    }
    for (size_t at = 0; at < plan->half; at += block) {
        const float *inner_w = w;
        span = plan->radix[0];
        for (uint8_t s = 1; s < inner; s++) {
            any_stage(z + at, block, span, plan->radix[s], inner_w);
            inner_w += 2 * (plan->radix[s] - 1u) * span;
            span *= plan->radix[s];
        }
        if (at + block == plan->half) {
            w = inner_w;
        }
    }
    for (uint8_t s = inner; s < last; s++) {
        any_stage(z, plan->half, span, plan->radix[s], w);
        w += 2 * (plan->radix[s] - 1u) * span;
        span *= plan->radix[s];
    }
    return w;
}

/* ---- spectrum ---- */

BC_INLINE bc_vf level(bc_vc bin, bc_spectrum spectrum) {
    bc_vf power = bin.re * bin.re + bin.im * bin.im;
    power = bc_vf_select(bc_vf_less(power, bc_splat(BC_POWER_FLOOR)), bc_splat(0.0f), power);
    return spectrum == BC_SPECTRUM_MAGNITUDE ? bc_vf_sqrt(power) : power;
}

/* Adds the spectrum at bin k of the constant that was taken out of the frame. */
BC_INLINE bc_vc with_leak(const bc_frames *frames, size_t k, bc_vc bin) {
    if (!frames->leaks) {
        return bin;
    }
    const float *re = frames->plan->leak + k, *im = re + frames->plan->half + 1u;
    return add(bin, (bc_vc){frames->mean * *re, frames->mean * *im});
}

/* From elements a = z[k] and b = z[half - k] of the FFT of even samples + i * odd samples to the levels of the
 * real frame's bins k and half - k, which go to z[k].re and z[half - k].re; 0 < k < half / 2. The two halvings
 * of the textbook are in the window table. */
BC_INLINE void split_pair(const bc_frames *frames, bc_vc *z, size_t k, bc_vc a, bc_vc b) {
    size_t half = frames->plan->half, mirrored = half - k;
    float c = frames->plan->split[k], s = frames->plan->split[half / 2u + 1u + k];
    bc_vf even_re = a.re + b.re, even_im = a.im - b.im;
    bc_vf odd_re = a.im + b.im, odd_im = b.re - a.re;
    bc_vf turned_re = odd_re * c + odd_im * s, turned_im = odd_im * c - odd_re * s;
    bc_vc low = {even_re + turned_re, even_im + turned_im};
    bc_vc high = {even_re - turned_re, turned_im - even_im};
    z[k].re = level(with_leak(frames, k, low), frames->spectrum);
    z[mirrored].re = level(with_leak(frames, mirrored, high), frames->spectrum);
}

/* The bin in the middle is its own partner. */
BC_INLINE void split_middle(const bc_frames *frames, bc_vc *z, bc_vc a) {
    size_t k = frames->plan->half / 2u;
    z[k].re = level(with_leak(frames, k, (bc_vc){a.re * 2.0f, a.im * -2.0f}), frames->spectrum);
}

BC_INLINE void split_all(const bc_frames *frames, bc_vc *z) {
    size_t half = frames->plan->half, k = 1;
    for (; k < half - k; k++) {
        split_pair(frames, z, k, z[k], z[half - k]);
    }
    if (k == half - k) {
        split_middle(frames, z, z[k]);
    }
}

/* Butterfly k of a last stage of radix 4. */
BC_INLINE void last_butterfly(const bc_vc *z, size_t span, size_t k, const float *w, bc_vc out[4]) {
    bc_vc turn[4];
    load_turns(w, 4, span, k, turn);
    turned_butterfly4(z + k, span, turn, out);
}

/* The last stage, of radix 4, and the split: butterflies k and span - k give four pairs. */
BC_INLINE void last_stage_and_split(const bc_frames *frames, bc_vc *z, const float *w) {
    size_t span = frames->plan->half / 4u, k = 1;
    butterfly4(z, span);
    split_pair(frames, z, span, z[span], z[3 * span]);
    split_middle(frames, z, z[2 * span]);
    for (; k < span - k; k++) {
        bc_vc a[4], b[4];
        last_butterfly(z, span, k, w, a);
        last_butterfly(z, span, span - k, w, b);
        split_pair(frames, z, k, a[0], b[3]);
        split_pair(frames, z, k + span, a[1], b[2]);
        split_pair(frames, z, 2 * span - k, b[1], a[2]);
        split_pair(frames, z, span - k, b[0], a[3]);
    }
    bc_vc a[4];
    last_butterfly(z, span, k, w, a);
    split_pair(frames, z, k, a[0], a[3]);
    split_pair(frames, z, k + span, a[1], a[2]);
}

BC_INLINE void levels_as(const bc_frames *frames, bc_rows rows, bc_vc *z) {
    const bc_plan *plan = frames->plan;
    start_fft(frames, rows, z);
    if (plan->radix[plan->n_stages - 1] == 4) {
        const float *w = middle_stages(plan, z, (uint8_t)(plan->n_stages - 1));
        last_stage_and_split(frames, z, w);
    } else {
        middle_stages(plan, z, plan->n_stages);
        split_all(frames, z);
    }
}

/* Levels of bins 0 < k < half of the frames, in z[k].re. */
static void levels_of(const bc_plan *plan, bc_rows rows, bc_vc *z) {
    bc_vf none = bc_splat(0.0f);
    bc_spectrum spectrum = plan->config.spectrum;
    if (bc_window_leaks(plan)) {
        levels_as(&(bc_frames){plan, 1, 1, spectrum, means_of(plan, rows)}, rows, z);
    } else if (plan->config.win_length < plan->config.n_fft) {
        levels_as(&(bc_frames){plan, 1, 0, spectrum, none}, rows, z);
    } else if (spectrum == BC_SPECTRUM_MAGNITUDE) {
        levels_as(&(bc_frames){plan, 0, 0, BC_SPECTRUM_MAGNITUDE, none}, rows, z);
    } else {
        levels_as(&(bc_frames){plan, 0, 0, BC_SPECTRUM_POWER, none}, rows, z);
    }
}

/* ---- bands ---- */

/* Rounding grows with the number of terms, so a wide band is summed in parts of so many bins. */
#define BC_PART 32u

/* Four bands as bc_mel_bands lays them out. The narrower ones have weights of 0 up to the number of bins of the
 * widest, and these may reach past the last bin, where anything may stand: from bin number common on each is
 * looked at. */
typedef struct bc_group {
    const bc_vc *bin[4];
    const bc_vc *end;
    size_t count, common;
    const float *weights; /* side by side */
} bc_group;

BC_INLINE bc_group group_at(const bc_plan *plan, const bc_vc *z, const uint16_t *first, const float *weights) {
    size_t last = first[0];
    for (size_t j = 1; j < 4; j++) {
        last = first[j] > last ? first[j] : last;
    }
    size_t count = first[4], left = plan->half - last;
    return (bc_group){{z + first[0], z + first[1], z + first[2], z + first[3]}, z + plan->half, count,
                      left < count ? left : count, weights};
}

/* Bins [i, end). */
BC_INLINE void sums_of_part(const bc_group *group, size_t i, size_t end, bc_vf part[4]) {
    size_t common = group->common < end ? group->common : end;
    for (size_t j = 0; j < 4; j++) {
        part[j] = bc_splat(0.0f);
    }
    for (; i < common; i++) {
        for (size_t j = 0; j < 4; j++) {
            part[j] += group->bin[j][i].re * group->weights[4 * i + j];
        }
    }
    for (; i < end; i++) {
        for (size_t j = 0; j < 4; j++) {
            if (group->bin[j] + i < group->end) {
                part[j] += group->bin[j][i].re * group->weights[4 * i + j];
            }
        }
    }
}

BC_INLINE void sums_of_four(const bc_group *group, bc_vf sums[4]) {
    sums_of_part(group, 0, group->count < BC_PART ? group->count : BC_PART, sums);
    for (size_t i = BC_PART; i < group->count; i += BC_PART) {
        bc_vf part[4];
        sums_of_part(group, i, group->count - i < BC_PART ? group->count : i + BC_PART, part);
        for (size_t j = 0; j < 4; j++) {
            sums[j] += part[j];
        }
    }
}

#define BC_TOGETHER 8u

/* So many vectors step by step: one logarithm alone is a long chain of operations. */
BC_INLINE void compress(const bc_plan *plan, bc_compression compression, bc_vf x[BC_TOGETHER]) {
    const bc_frontend_config *cfg = &plan->config;
    for (size_t i = 0; i < BC_TOGETHER; i++) {
        switch (compression) {
        case BC_COMPRESSION_DB: x[i] = bc_vf_max(x[i], bc_splat(cfg->amin)); break;
        case BC_COMPRESSION_LOG: x[i] = x[i] + cfg->log_offset; break;
        case BC_COMPRESSION_LOG_MAX: x[i] = bc_vf_max(x[i], bc_splat(cfg->log_offset)); break;
        default: return;
        }
    }
    bc_vf_ln_of(x, BC_TOGETHER);
    for (size_t i = 0; i < BC_TOGETHER && compression == BC_COMPRESSION_DB; i++) {
        x[i] = x[i] * 4.34294482f - plan->ref_level; /* 10/ln 10 */
    }
}

/* Four bands of all frames, the spare ones 0, to where they stand in the frames' rows. */
BC_INLINE void store_tile(bc_vf tile[4], size_t width, size_t count, float *features, size_t n_mels) {
    bc_vf_transpose_blocks(tile);
    if (width == 4 && count == BC_LANES) {
        for (size_t j = 0; j < 4; j++) {
            bc_vf_store_blocks(features + j * n_mels, 4 * n_mels, tile[j]);
        }
        return;
    }
    for (size_t lane = 0; lane < count; lane++) {
        for (size_t i = 0; i < width; i++) {
            features[lane * n_mels + i] = tile[lane % 4][lane / 4 * 4 + i];
        }
    }
}

#define BC_SUMS 16u

/* So many bands at a time: first all sums, then all logarithms. */
BC_INLINE void store_bands_as(const bc_plan *plan, bc_compression compression, const bc_vc *z, size_t count,
                              float *features) {
    size_t n_mels = (size_t)plan->config.n_mels;
    const float *weights = plan->weights;
    const uint16_t *group = plan->bands;
    for (size_t band = 0; band < n_mels; band += BC_SUMS) {
        bc_vf sums[BC_SUMS];
        size_t width = n_mels - band < BC_SUMS ? n_mels - band : BC_SUMS;
        size_t end = (width + 3u) / 4u * 4u; /* bands that are not there have no weights */
        for (size_t i = 0; i < end; i += 4, group += BC_BAND_GROUP) {
            bc_group four = group_at(plan, z, group, weights);
            sums_of_four(&four, sums + i);
            weights += 4u * group[4];
        }
        for (size_t i = end; i % BC_TOGETHER != 0; i++) {
            sums[i] = bc_splat(0.0f);
        }
        for (size_t i = 0; i < width; i += BC_TOGETHER) {
            compress(plan, compression, sums + i);
        }
        for (size_t i = 0; i < width; i += 4) {
            store_tile(sums + i, width - i < 4 ? width - i : 4, count, features + band + i, n_mels);
        }
    }
}

static void store_bands(const bc_plan *plan, const bc_vc *z, size_t count, float *features) {
    switch (plan->config.compression) {
    case BC_COMPRESSION_DB: store_bands_as(plan, BC_COMPRESSION_DB, z, count, features); break;
    case BC_COMPRESSION_LOG: store_bands_as(plan, BC_COMPRESSION_LOG, z, count, features); break;
    case BC_COMPRESSION_LOG_MAX: store_bands_as(plan, BC_COMPRESSION_LOG_MAX, z, count, features); break;
    default: store_bands_as(plan, BC_COMPRESSION_NONE, z, count, features); break;
    }
}

BC_INLINE bc_vi too_large(const float *pcm) {
    return (bc_vf_bits(bc_vf_load(pcm)) & 0x7fffffff) > BC_LARGEST_SAMPLE_BITS;
}

/* As bc_samples_are_finite. */
static int are_finite(const float *pcm, size_t n) {
    bc_vi bad[2] = {{0}, {0}};
    size_t i = 0;
    for (; i + 4 * BC_LANES <= n; i += 4 * BC_LANES) {
        bad[0] |= too_large(pcm + i) | too_large(pcm + i + BC_LANES);
        bad[1] |= too_large(pcm + i + 2 * BC_LANES) | too_large(pcm + i + 3 * BC_LANES);
    }
    int32_t any = bc_samples_are_finite(pcm + i, n - i) ? 0 : -1;
    for (size_t lane = 0; lane < BC_LANES; lane++) {
        any |= bad[0][lane] | bad[1][lane];
    }
    return any == 0;
}

int BC_JOIN(bc_frames_, BC_ISA)(const bc_plan *plan, const bc_source *source, uint64_t first, size_t count,
                                float *features) {
    bc_vc *z = (bc_vc *)(void *)plan->work;
    float *room = plan->work + (size_t)plan->config.n_fft * BC_LANES;
    int64_t checked = bc_frame_start(plan, first), length = (int64_t)source->length;
    int finite = 1;
    checked = checked < 0 ? 0 : checked;
    for (size_t done = 0; done < count;) {
        size_t batch = count - done < BC_LANES ? count - done : BC_LANES;
        int64_t end = bc_frame_start(plan, first + done + batch - 1) + plan->config.n_fft;
        end = end < length ? end : length;
        if (source->f32 != NULL && end > checked) { /* here, because they are about to be read anyway */
            finite &= are_finite(source->f32 + checked, (size_t)(end - checked));
            checked = end;
        }
        levels_of(plan, rows_of(plan, source, first + done, batch, room), z);
        store_bands(plan, z, batch, features + done * (size_t)plan->config.n_mels);
        done += batch;
    }
    return finite;
}
