/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole clip at once, and what depends on the whole clip: ref = max, top_db, normalize.
 */

#include "bc_frontend_internal.h"

uint64_t bc_frame_count(const bc_plan *plan, uint64_t n_samples) {
    uint64_t hop = (uint64_t)plan->config.hop_length;
    if (plan->config.framing != BC_FRAMING_LEFT) {
        return 1u + n_samples / hop;
    }
    return n_samples < plan->frame_length ? 0 : 1u + (n_samples - plan->frame_length) / hop;
}

int bc_too_short(const bc_plan *plan, uint64_t n_samples) {
    return plan->config.framing == BC_FRAMING_CENTER_REFLECT && n_samples <= plan->pad;
}

/* The bits of a float's magnitude grow with it, and those of infinity and NaN are the largest. */
int bc_samples_are_finite(const float *pcm, size_t n) {
    int32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t bits;
        __builtin_memcpy(&bits, &pcm[i], sizeof bits);
        bad |= (bits & 0x7fffffff) > BC_LARGEST_SAMPLE_BITS;
    }
    return bad == 0;
}

size_t bc_frontend_frame_count(const bc_frontend *fe, size_t n_samples) {
    return fe == NULL ? 0 : (size_t)bc_frame_count(bc_const_plan_of(fe), n_samples);
}

/* librosa.power_to_db: relative to the clip's maximum, and no lower than top_db below it. */
static void relate_to_maximum(const bc_frontend_config *cfg, float *features, size_t n) {
    if (cfg->compression != BC_COMPRESSION_DB || (cfg->ref > 0.0f && !(cfg->top_db > 0.0f)) || n == 0) {
        return;
    }
    float maximum = features[0];
    for (size_t i = 1; i < n; i++) {
        maximum = features[i] > maximum ? features[i] : maximum;
    }
    float reference = cfg->ref > 0.0f ? 0.0f : maximum;
    for (size_t i = 0; i < n; i++) {
        features[i] -= reference;
    }
    float lowest = (maximum - reference) - cfg->top_db;
    for (size_t i = 0; cfg->top_db > 0.0f && i < n; i++) {
        features[i] = features[i] < lowest ? lowest : features[i];
    }
}

/* Whether the samples after the end of the last frame are finite. */
static int rest_is_finite(const bc_plan *plan, const bc_source *source, uint64_t n_frames) {
    uint64_t end = 0;
    if (n_frames != 0) {
        end = (n_frames - 1u) * (uint64_t)plan->config.hop_length + (uint64_t)plan->config.n_fft - plan->pad;
    }
    return source->f32 == NULL || end >= source->length ||
           bc_samples_are_finite(source->f32 + end, (size_t)(source->length - end));
}

static bc_status compute(bc_frontend *fe, const bc_source *source, float *features, size_t max_frames,
                         size_t *n_frames) {
    const bc_plan *plan = bc_const_plan_of(fe);
    uint64_t count = bc_frame_count(plan, source->length);
    if (bc_too_short(plan, source->length)) {
        return BC_CLIP_TOO_SHORT;
    }
    if (count > max_frames) {
        return BC_OUTPUT_TOO_SMALL;
    }
    size_t n = (size_t)count * (size_t)plan->config.n_mels;
    int finite = plan->kernel(plan, source, 0, (size_t)count, features);
    if (!finite || !rest_is_finite(plan, source, count)) {
        return BC_SAMPLE_NOT_FINITE;
    }
    relate_to_maximum(&plan->config, features, n);
    *n_frames = (size_t)count;
    return bc_features_normalize(features, (size_t)count, (size_t)plan->config.n_mels, plan->config.normalize);
}

bc_status bc_frontend_compute(bc_frontend *fe, const float *pcm, size_t n_samples, float *features,
                              size_t max_frames, size_t *n_frames) {
    if (fe == NULL || (pcm == NULL && n_samples != 0) || features == NULL || n_frames == NULL) {
        return BC_NULL_POINTER;
    }
    bc_source source = {.f32 = pcm, .length = n_samples};
    return compute(fe, &source, features, max_frames, n_frames);
}

bc_status bc_frontend_compute_int16(bc_frontend *fe, const int16_t *pcm, size_t n_samples, float *features,
                                    size_t max_frames, size_t *n_frames) {
    if (fe == NULL || (pcm == NULL && n_samples != 0) || features == NULL || n_frames == NULL) {
        return BC_NULL_POINTER;
    }
    bc_source source = {.s16 = pcm, .length = n_samples};
    return compute(fe, &source, features, max_frames, n_frames);
}
