/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole clip at once.
 */
#include "bc_frontend_internal.h"

uint64_t bc_frame_count(const bc_plan *plan, uint64_t n_samples) {
    uint64_t hop = (uint64_t)plan->config.hop_length;
    switch (plan->config.framing) {
    case BC_FRAMING_CENTER_ZERO:
    case BC_FRAMING_CENTER_REFLECT: /* Whisper drops the last one */
        return n_samples / hop + (plan->config.compression == BC_COMPRESSION_LOG10_WHISPER ? 0u : 1u);
    case BC_FRAMING_KALDI_MIRROR:
        return (n_samples + hop / 2u) / hop;
    default:
        return n_samples < plan->frame_length ? 0 : 1u + (n_samples - plan->frame_length) / hop;
    }
}

int bc_too_short(const bc_plan *plan, uint64_t n_samples) {
    return plan->config.framing == BC_FRAMING_CENTER_REFLECT && n_samples <= (uint64_t)plan->pad;
}

size_t bc_frontend_frame_count(const bc_frontend *fe, size_t n_samples) {
    return fe == NULL ? 0 : (size_t)bc_frame_count(bc_const_plan_of(fe), n_samples);
}

size_t bc_frontend_n_features(const bc_frontend *fe) {
    return fe == NULL ? 0 : bc_feature_width(&bc_const_plan_of(fe)->config);
}

size_t bc_frontend_room(const bc_frontend *fe, size_t max_frames) {
    if (fe == NULL) {
        return 0;
    }
    const bc_frontend_config *cfg = &bc_const_plan_of(fe)->config;
    size_t raw = bc_raw_width(cfg), frame = bc_frame_width(cfg), row = bc_feature_width(cfg);
    size_t room = max_frames * (raw > frame ? raw : frame);
    return room > row ? room : row;
}

/* bc_frames.c knows whole frames of samples, their bands, and nothing else. */
static int fit_side_by_side(const bc_plan *plan) {
    const bc_frontend_config *cfg = &plan->config;
    return plan->isa->frames != NULL && cfg->descriptors == 0 && cfg->remove_dc == 0 &&
           !(cfg->preemphasis > 0.0f) && cfg->compression != BC_COMPRESSION_LOG10_WHISPER &&
           cfg->framing != BC_FRAMING_KALDI_MIRROR;
}

/* Samples [start, end) of a clip; what lies outside it counts as finite. */
static int are_finite(const bc_source *source, int64_t start, int64_t end) {
    int64_t length = (int64_t)source->length;
    start = start < 0 ? 0 : start;
    end = end < length ? end : length;
    return source->f32 == NULL || start >= end || bc_samples_are_finite(source->f32 + start, (size_t)(end - start));
}

static int64_t last_end(const bc_plan *plan, uint64_t n_frames) {
    return n_frames == 0 ? 0 : bc_frame_start(plan, n_frames - 1u) + plan->config.n_fft;
}

int bc_raw_rows(const bc_plan *plan, const bc_source *source, uint64_t first, size_t count, float *rows) {
    if (fit_side_by_side(plan)) {
        return plan->isa->frames(plan, source, first, count, rows);
    }
    if (!are_finite(source, bc_frame_start(plan, first), last_end(plan, first + count))) {
        return 0;
    }
    size_t width = bc_raw_width(&plan->config);
    for (size_t i = 0; i < count; i++) {
        plan->frame_kernel(plan, source, first + i, rows + i * width);
    }
    return 1;
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
    /* samples that no frame has: the frames' own are checked where they are read */
    int64_t before = plan->tflm != NULL || count == 0 ? (int64_t)source->length : bc_frame_start(plan, 0);
    if (!are_finite(source, 0, before) || !are_finite(source, last_end(plan, count), (int64_t)source->length)) {
        return BC_SAMPLE_NOT_FINITE;
    }
    size_t n = (size_t)count;
    if (plan->tflm != NULL) {
        *n_frames = bc_tflm_part_rows(plan, 1, source, &(bc_destination){.f32 = features});
        return BC_OK;
    }
    float *raw = features;
    if (n != 0) { /* at the end of the room, so that finished rows do not run over raw ones */
        raw += bc_frontend_room(fe, n) - n * bc_raw_width(&plan->config);
    }
    if (!bc_raw_rows(plan, source, 0, n, raw)) {
        return BC_SAMPLE_NOT_FINITE;
    }
    *n_frames = plan->config.pooling != BC_POOLING_NONE ? 1u : n;
    return bc_finish_clip(plan, raw, n, features);
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
