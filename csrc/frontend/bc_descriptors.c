/* SPDX-License-Identifier: Apache-2.0
 *
 * librosa's spectral_centroid, spectral_rolloff, spectral_bandwidth (p=2), zero_crossing_rate and rms, for one
 * frame. Long sums are made of BC_PARTIALS interleaved ones.
 */
#include "bc_frontend_internal.h"
#define BC_LANES 1
#include "lanes.h"

typedef struct partial_sums {
    float sum[BC_PARTIALS];
} partial_sums;

static float joined(partial_sums *s) {
    for (size_t width = BC_PARTIALS / 2u; width != 0; width /= 2u) {
        for (size_t j = 0; j < width; j++) {
            s->sum[j] += s->sum[j + width];
        }
    }
    return s->sum[0];
}

static float sum_of(const float *x, size_t n) {
    partial_sums s = {{0.0f}};
    for (size_t i = 0; i < n; i++) {
        s.sum[i % BC_PARTIALS] += x[i];
    }
    return joined(&s);
}

static float mean_square(const float *x, size_t n) {
    partial_sums s = {{0.0f}};
    for (size_t i = 0; i < n; i++) {
        s.sum[i % BC_PARTIALS] += x[i] * x[i];
    }
    return joined(&s) / (float)n;
}

/* librosa.zero_crossings: values within 1e-10 count as 0, 0 counts as positive. */
static int is_negative(float x) { return x < -1e-10f; }

/* Beyond the clip's ends librosa repeats the first and the last sample, so only pairs within it can cross. */
static float crossing_rate(const bc_source *source, int64_t start, const float *x, size_t n) {
    int64_t from = start < 0 ? -start : 0, length = (int64_t)source->length - start;
    size_t end = length < (int64_t)n ? (size_t)(length < 0 ? 0 : length) : n;
    uint32_t count = 0;
    for (size_t i = (size_t)from + 1u; i < end; i++) {
        count += is_negative(x[i]) != is_negative(x[i - 1]);
    }
    return (float)count / (float)n;
}

void bc_sample_descriptors(const bc_plan *plan, const bc_source *source, int64_t start, float *out) {
    const bc_frontend_config *cfg = &plan->config;
    if (!bc_has(cfg, BC_DESCRIPTOR_ZCR | BC_DESCRIPTOR_RMS)) {
        return;
    }
    size_t n = plan->frame_length;
    float *x = plan->frame;
    bc_load_samples(plan, source, start, n, x);
    out += bc_has(cfg, BC_DESCRIPTOR_CENTROID) + bc_has(cfg, BC_DESCRIPTOR_ROLLOFF) +
           bc_has(cfg, BC_DESCRIPTOR_BANDWIDTH);
    if (bc_has(cfg, BC_DESCRIPTOR_ZCR)) {
        *out++ = crossing_rate(source, start, x, n);
    }
    if (bc_has(cfg, BC_DESCRIPTOR_RMS)) {
        float power = mean_square(x, n);
        *out = power < BC_POWER_FLOOR ? 0.0f : bc_sqrt(power);
    }
}

/* Sum of magnitude * distance, or magnitude * distance squared, from a frequency in bins. */
static float moment(const float *magnitude, size_t n, float from, int squared) {
    partial_sums s = {{0.0f}};
    for (size_t k = 0; k < n; k++) {
        float distance = (float)(int32_t)k - from;
        s.sum[k % BC_PARTIALS] += magnitude[k] * (squared ? distance * distance : distance);
    }
    return joined(&s);
}

/* The first bin at which the running sum reaches the share of the total. */
static size_t rolloff_bin(const float *magnitude, size_t n, float share) {
    float total = 0.0f;
    for (size_t k = 0; k < n; k++) {
        total += magnitude[k];
    }
    float threshold = share * total, running = 0.0f;
    for (size_t k = 0; k < n; k++) {
        running += magnitude[k];
        if (running >= threshold) {
            return k;
        }
    }
    return n - 1u;
}

void bc_spectrum_descriptors(const bc_plan *plan, float *levels, float *out) {
    const bc_frontend_config *cfg = &plan->config;
    if (!bc_has(cfg, BC_DESCRIPTOR_CENTROID | BC_DESCRIPTOR_ROLLOFF | BC_DESCRIPTOR_BANDWIDTH)) {
        return;
    }
    size_t n = plan->half + 1u;
    for (size_t k = 0; k < n && cfg->spectrum == BC_SPECTRUM_POWER; k++) {
        levels[k] = bc_sqrt(levels[k]);
    }
    float hz_per_bin = (float)cfg->sample_rate / (float)cfg->n_fft;
    float total = sum_of(levels, n);
    float centroid = total > 0.0f ? moment(levels, n, 0.0f, 0) / total : 0.0f;
    if (bc_has(cfg, BC_DESCRIPTOR_CENTROID)) {
        *out++ = centroid * hz_per_bin;
    }
    if (bc_has(cfg, BC_DESCRIPTOR_ROLLOFF)) {
        *out++ = (float)(int32_t)rolloff_bin(levels, n, cfg->rolloff) * hz_per_bin;
    }
    if (bc_has(cfg, BC_DESCRIPTOR_BANDWIDTH)) {
        float spread = total > 0.0f ? moment(levels, n, centroid, 1) / total : 0.0f;
        *out = (spread < BC_POWER_FLOOR ? 0.0f : bc_sqrt(spread)) * hz_per_bin;
    }
}
