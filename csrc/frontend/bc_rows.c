/* SPDX-License-Identifier: Apache-2.0
 *
 * From raw rows (bands, then descriptors) to features: what goes across the bands of a row (PCEN, cepstrum)
 * and what goes across the rows of a clip (maximum, differences, normalisation, pooling).
 */
#include "bc_frontend_internal.h"
#define BC_LANES 1
#include "lanes.h"

#define BC_DELTA_REACH 4u /* frames on each side: width 9 */

size_t bc_descriptor_count(const bc_frontend_config *cfg) {
    size_t count = 0;
    for (int32_t rest = cfg->descriptors; rest != 0; rest >>= 1) {
        count += (size_t)(rest & 1);
    }
    return count;
}

static size_t band_width(const bc_frontend_config *cfg) {
    return (size_t)(cfg->n_mfcc != 0 ? cfg->n_mfcc : cfg->n_mels);
}

/* Bands or cepstra with their differences. */
static size_t static_width(const bc_frontend_config *cfg) { return band_width(cfg) * (size_t)(1 + cfg->delta); }

size_t bc_raw_width(const bc_frontend_config *cfg) { return (size_t)cfg->n_mels + bc_descriptor_count(cfg); }

size_t bc_frame_width(const bc_frontend_config *cfg) { return static_width(cfg) + bc_descriptor_count(cfg); }

size_t bc_feature_width(const bc_frontend_config *cfg) {
    return bc_frame_width(cfg) * (cfg->pooling == BC_POOLING_MEAN_STD ? 2u : 1u);
}

static int is_relative(const bc_frontend_config *cfg) {
    return cfg->compression == BC_COMPRESSION_LOG10_WHISPER ||
           (cfg->compression == BC_COMPRESSION_DB && (!(cfg->ref > 0.0f) || cfg->top_db > 0.0f));
}

int bc_needs_whole_clip(const bc_frontend_config *cfg) {
    return is_relative(cfg) || cfg->delta != 0 || cfg->normalize != BC_NORMALIZE_NONE ||
           cfg->pooling != BC_POOLING_NONE;
}

/* ---- PCEN: librosa.pcen with gain 0.98, bias 2, power 0.5, time constant 0.4 s, eps 1e-6 ---- */

/* exp x for |x| < 80: 2^n times a polynomial of degree 6 on |r| <= ln 2 / 2, within 2 ulp. */
static float exp_of(float x) {
    float scaled = x * 1.44269504f;
    int32_t n = (int32_t)(scaled < 0.0f ? scaled - 0.5f : scaled + 0.5f);
    float r = (x - (float)n * 0.693359375f) + (float)n * 2.12194440e-4f;
    float p = 1.0f + r * (1.0f + r * (0.5f + r * (0.166666667f + r * (0.0416666667f +
              r * (0.00833333333f + r * 0.00138888889f)))));
    return p * bc_vf_of_bits((n + 127) << 23);
}

/* b of the smoothing filter: (sqrt(1 + 4 T^2) - 1) / (2 T^2), T the time constant in frames. */
static float smoothing(const bc_frontend_config *cfg) {
    float t = 0.4f * (float)cfg->sample_rate / (float)cfg->hop_length;
    float t2 = t * t;
    return 2.0f / (bc_sqrt(1.0f + 4.0f * t2) + 1.0f); /* the same without cancellation */
}

/* librosa starts the filter as though the level had been 1 for ever. */
void bc_pcen_start(const bc_plan *plan, float *smoothed) {
    for (size_t i = 0; plan->config.compression == BC_COMPRESSION_PCEN && i < (size_t)plan->config.n_mels; i++) {
        smoothed[i] = 1.0f;
    }
}

void bc_pcen_row(const bc_plan *plan, float *smoothed, float *row) {
    const float eps = 1e-6f, log_eps = -13.8155106f, gain = -0.98f, bias = 2.0f, root = 1.41421356f;
    float b = smoothing(&plan->config);
    for (size_t i = 0; i < (size_t)plan->config.n_mels; i++) {
        float level = row[i] * 2147483648.0f;
        smoothed[i] = b * level + (1.0f - b) * smoothed[i];
        float agc = exp_of(gain * (log_eps + bc_vf_ln(1.0f + smoothed[i] / eps)));
        float x = level * agc;
        row[i] = x / (bc_sqrt(x + bias) + root); /* sqrt(x + bias) - sqrt(bias) without cancellation */
    }
}

/* ---- one row ---- */

static void cepstrum(const bc_plan *plan, const float *bands, float *out) {
    size_t n = (size_t)plan->config.n_mfcc, n_mels = (size_t)plan->config.n_mels;
    const float *dct = plan->dct;
    for (size_t c = 0; c < n; c++) {
        out[c] = 0.0f;
    }
    for (size_t band = 0; band < n_mels; band++, dct += n) {
        for (size_t c = 0; c < n; c++) {
            out[c] += bands[band] * dct[c];
        }
    }
}

/* features may lie anywhere but in raw. Differences are left to fill in. */
void bc_finish_row(const bc_plan *plan, const float *raw, float *features) {
    const bc_frontend_config *cfg = &plan->config;
    size_t n_mels = (size_t)cfg->n_mels, n_descriptors = bc_descriptor_count(cfg);
    if (cfg->n_mfcc != 0) {
        cepstrum(plan, raw, features);
    } else {
        for (size_t i = 0; i < n_mels; i++) {
            features[i] = raw[i];
        }
    }
    for (size_t i = 0; i < n_descriptors; i++) {
        features[static_width(cfg) + i] = raw[n_mels + i];
    }
}

/* ---- a clip's rows ---- */

/* librosa.power_to_db: relative to the clip's maximum, and no lower than top_db below it. Whisper's levels:
 * no lower than 8 below the maximum, then (x + 4) / 4. */
static void relate_to_maximum(const bc_frontend_config *cfg, float *rows, size_t n_frames) {
    size_t n_mels = (size_t)cfg->n_mels, stride = bc_raw_width(cfg);
    int is_whisper = cfg->compression == BC_COMPRESSION_LOG10_WHISPER;
    float maximum = rows[0];
    for (size_t f = 0; f < n_frames; f++) {
        for (size_t i = 0; i < n_mels; i++) {
            float x = rows[f * stride + i];
            maximum = x > maximum ? x : maximum;
        }
    }
    float reference = is_whisper || cfg->ref > 0.0f ? 0.0f : maximum;
    float range = is_whisper ? 8.0f : cfg->top_db;
    float lowest = range > 0.0f ? (maximum - reference) - range : -3.0e38f;
    for (size_t f = 0; f < n_frames; f++) {
        for (size_t i = 0; i < n_mels; i++) {
            float x = rows[f * stride + i] - reference;
            x = x < lowest ? lowest : x;
            rows[f * stride + i] = is_whisper ? (x + 4.0f) * 0.25f : x;
        }
    }
}

/* Slope, and second derivative, of the polynomial of degree 1 and 2 through 9 frames (Savitzky and Golay).
 * The first and last 4 frames take the polynomial of the 9 at that end, whose derivatives are constant. */
static void fill_differences(const bc_frontend_config *cfg, float *features, size_t n_frames) {
    static const float first[] = {1.0f / 60.0f, 2.0f / 60.0f, 3.0f / 60.0f, 4.0f / 60.0f};
    static const float second[] = {-20.0f / 462.0f, -17.0f / 462.0f, -8.0f / 462.0f, 7.0f / 462.0f, 28.0f / 462.0f};
    size_t n = band_width(cfg), stride = bc_frame_width(cfg), reach = BC_DELTA_REACH;
    for (size_t f = 0; f < n_frames; f++) {
        size_t middle = f < reach ? reach : f >= n_frames - reach ? n_frames - 1u - reach : f;
        const float *center = features + middle * stride;
        float *out = features + f * stride + n;
        for (size_t i = 0; i < n; i++) {
            float slope = 0.0f, curve = center[i] * second[0];
            for (size_t j = 1; j <= reach; j++) {
                float later = center[j * stride + i], earlier = *(center - j * stride + i);
                slope += (later - earlier) * first[j - 1];
                curve += (later + earlier) * second[j];
            }
            out[i] = slope;
            if (cfg->delta > 1) {
                out[n + i] = curve;
            }
        }
    }
}

/* Means and standard deviations over the frames, [2][width]: sums of 64 frames, then their sum. */
static void pool(const float *features, size_t n_frames, size_t width, float *out) {
    for (size_t i = 0; i < width; i++) {
        float mean = 0.0f, square = 0.0f;
        for (int pass = 0; pass < 2; pass++) {
            float total = 0.0f;
            for (size_t f = 0; f < n_frames;) {
                float part = 0.0f;
                size_t end = n_frames - f < 64u ? n_frames : f + 64u;
                for (; f < end; f++) {
                    float x = features[f * width + i] - mean;
                    part += pass == 0 ? x : x * x;
                }
                total += part;
            }
            square = total / (float)n_frames;
            mean = pass == 0 ? square : mean;
        }
        out[i] = mean;
        out[width + i] = square < BC_POWER_FLOOR ? 0.0f : bc_sqrt(square);
    }
}

/* In the orders of bc_pooling. */
static void write_pooled(const bc_frontend_config *cfg, const float *mean, float *features) {
    size_t n = static_width(cfg), width = bc_frame_width(cfg), n_descriptors = width - n;
    const float *deviation = mean + width;
    if (cfg->pooling == BC_POOLING_MEAN_STD) {
        for (size_t i = 0; i < n; i++) {
            features[i] = mean[i];
            features[n + i] = deviation[i];
        }
        for (size_t i = 0; i < n_descriptors; i++) {
            features[2 * n + 2 * i] = mean[n + i];
            features[2 * n + 2 * i + 1] = deviation[n + i];
        }
        return;
    }
    size_t spectral = (size_t)(bc_has(cfg, BC_DESCRIPTOR_CENTROID) + bc_has(cfg, BC_DESCRIPTOR_ROLLOFF) +
                               bc_has(cfg, BC_DESCRIPTOR_BANDWIDTH));
    for (size_t i = spectral; i < n_descriptors; i++) {
        *features++ = mean[n + i];
    }
    for (size_t i = 0; i < n + spectral; i++) {
        *features++ = mean[i];
    }
}

/* raw: n_frames rows, changed. features: as many; where both lie in one buffer of bc_frontend_room floats, raw
 * must be at its end. */
bc_status bc_finish_clip(const bc_plan *plan, float *raw, size_t n_frames, float *features) {
    const bc_frontend_config *cfg = &plan->config;
    size_t raw_width = bc_raw_width(cfg), width = bc_frame_width(cfg);
    if (n_frames == 0) {
        return cfg->pooling == BC_POOLING_NONE ? BC_OK : BC_TOO_FEW_FRAMES;
    }
    if (cfg->delta != 0 && n_frames < 2u * BC_DELTA_REACH + 1u) {
        return BC_TOO_FEW_FRAMES;
    }
    if (cfg->compression == BC_COMPRESSION_PCEN) {
        float *smoothed = plan->pcen + cfg->n_mels;
        bc_pcen_start(plan, smoothed);
        for (size_t f = 0; f < n_frames; f++) {
            bc_pcen_row(plan, smoothed, raw + f * raw_width);
        }
    }
    if (is_relative(cfg)) {
        relate_to_maximum(cfg, raw, n_frames);
    }
    for (size_t f = 0; f < n_frames && (raw != features || cfg->n_mfcc != 0); f++) {
        for (size_t i = 0; i < raw_width; i++) {
            plan->row[i] = raw[f * raw_width + i];
        }
        bc_finish_row(plan, plan->row, features + f * width);
    }
    if (cfg->delta != 0) {
        fill_differences(cfg, features, n_frames);
    }
    if (cfg->pooling != BC_POOLING_NONE) {
        pool(features, n_frames, width, plan->pool);
        write_pooled(cfg, plan->pool, features);
    }
    size_t n_rows = cfg->pooling != BC_POOLING_NONE ? 1u : n_frames;
    return bc_features_normalize(features, n_rows, bc_feature_width(cfg), cfg->normalize);
}
